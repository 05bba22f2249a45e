package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// errDown is a failure that no caller waits out.
var errDown = errors.New("down")

func TestFlowGrowsWhileItIsWrittenTo(t *testing.T) {
	t.Parallel()
	const callers, batches, size = 8, 40, 100
	f := newFlow(2)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range batches {
				first := f.begin(size, f.now(), nil)
				f.accept(first, size, f.now())
				for n := first; n < first+size; n++ {
					f.arrive(n, 0, f.now())
					f.arrive(n, 1, f.now())
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, Verdict{Accepted: callers * batches * size, Expected: 2 * callers * batches * size}, f.verdict())

	late := newFlow(1)
	_, i := late.roomFor(5*chunkEvents + 3) // who drew a later number may come first
	require.Equal(t, 3, i)
	_, i = late.at(4 * chunkEvents)
	require.Zero(t, i)
}

func TestClosedLoadWaitsForWhatItBegan(t *testing.T) {
	t.Parallel()
	f := newFlow(1)
	var underWay, most atomic.Int64
	load := closedLoad{flow: f, callers: 3, each: 2, lasting: time.Hour, most: 60, begin: func(_ context.Context, first int64, count int) error {
		if now := underWay.Add(1); now > most.Load() {
			most.Store(now)
		}
		go func() {
			underWay.Add(-1)
			for n := first; n < first+int64(count); n++ {
				f.arrive(n, 0, f.now())
			}
		}()
		return nil
	}}
	w, err := load.run(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, w.events(), int64(60))
	require.LessOrEqual(t, most.Load(), int64(3))
	require.Zero(t, f.verdict().Lost)
	require.Len(t, w.latencies(), int(w.events()))
}

func TestClosedLoadGoesOnAfterABusyAnswer(t *testing.T) {
	t.Parallel()
	f := newFlow(1)
	var asked atomic.Int64
	load := closedLoad{flow: f, callers: 1, each: 1, lasting: time.Hour, most: 4, begin: func(_ context.Context, first int64, _ int) error {
		if asked.Add(1) == 1 {
			return &refusal{status: http.StatusServiceUnavailable}
		}
		f.arrive(first, 0, f.now())
		return nil
	}}
	w, err := load.run(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, w.events(), "what was refused is no event")
	require.Equal(t, Verdict{Accepted: 3, Refused: 1, Expected: 3}, f.verdict())

	load.most, load.begin = 1000, func(context.Context, int64, int) error { return errDown }
	_, err = load.run(t.Context())
	require.ErrorIs(t, err, errDown)
	load.begin = func(context.Context, int64, int) error { return &refusal{status: http.StatusBadRequest} }
	_, err = load.run(t.Context())
	require.ErrorContains(t, err, "400")
}

// A connection that breaks is one of many, as an answer 429 is: neither ends a run
// unless next to nothing else comes.
func TestLoadsBearSomeRefusals(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"429": http.StatusTooManyRequests, "503": http.StatusServiceUnavailable, "broken": 0} {
		refused, s := refusing(t, status)
		f := s.flow
		arriving := func(ctx context.Context, first int64, count int) error {
			err := s.single(ctx, first, count)
			if err == nil {
				f.arrive(first, 0, f.now())
			}
			return err
		}
		open := openLoad{flow: f, perSecond: 500, callers: 1, lasting: 40 * time.Millisecond, begin: arriving}
		closed := closedLoad{flow: f, callers: 2, each: 1, lasting: time.Hour, most: 10, begin: arriving}
		for i, run := range []loads{open.run, closed.run} {
			refused.Store(2)
			w, err := run(t.Context())
			require.NoError(t, err, "%s %d", name, i)
			require.EqualValues(t, 2, w.refused(), "%s %d", name, i)
		}
		require.NotNil(t, s.refusal.Load())
		for i, run := range []loads{open.run, closed.run} {
			refused.Store(1000)
			w, err := run(t.Context())
			require.ErrorContains(t, err, fmt.Sprintf("%d of %[1]d events were refused: ", w.to-w.from), "%s %d", name, i)
		}
	}
}

// refusing is a stream of an API that refuses so many requests, then takes all.
func refusing(t *testing.T, status int) (*atomic.Int64, *stream) {
	t.Helper()
	var left atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch {
		case left.Add(-1) < 0:
		case status == 0:
			panic(http.ErrAbortHandler) // no answer
		default:
			w.WriteHeader(status)
		}
	}))
	t.Cleanup(server.Close)
	return &left, &stream{flow: newFlow(1), tenant: &tenant{caller: newCaller(), base: server.URL, kind: "kind"}}
}

// Nobody waits for ever where nothing is accepted any more.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	f := newFlow(1)
	p := newPatience(f)
	busy := &refusal{status: http.StatusServiceUnavailable, body: "no"}
	require.NoError(t, p.bears(busy))
	f.began = f.began.Add(-nothingAccepted - time.Second)
	require.ErrorContains(t, p.bears(busy), "no event was accepted for 1m30s: the API answered 503: no")
	f.begin(1, 1, nil)
	f.accept(0, 1, f.now())
	require.NoError(t, p.bears(busy))
}

func TestRequestThatWeGiveUpIsNoRefusal(t *testing.T) {
	t.Parallel()
	refused, s := refusing(t, 0)
	refused.Store(1)
	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorIs(t, s.single(stopped, 0, 1), context.Canceled)
	require.Nil(t, s.refusal.Load())
	require.True(t, isRefused(s.single(t.Context(), 0, 1)))
}

// An answer that takes long must not keep later events from counting from their
// own moments, or a server that stalls would look fast.
func TestOpenLoadCountsFromTheMomentOfEach(t *testing.T) {
	t.Parallel()
	const stall = 300 * time.Millisecond
	f := newFlow(1)
	load := openLoad{flow: f, perSecond: 100, callers: 1, lasting: 200 * time.Millisecond, begin: func(ctx context.Context, first int64, _ int) error {
		if first == 0 {
			if err := pause(ctx, stall); err != nil {
				return err
			}
		}
		f.arrive(first, 0, f.now())
		return nil
	}}
	w, err := load.run(t.Context())
	require.NoError(t, err)
	took := w.latencies()
	require.Len(t, took, 20)
	require.GreaterOrEqual(t, took[0], stall-200*time.Millisecond, "the last one was to be sent 100 ms before the stall was over")
	require.GreaterOrEqual(t, took[19], stall)
	c, i := f.at(7)
	require.EqualValues(t, 7*10*time.Millisecond, c.scheduled[i].Load()-scheduledFirst(f))
}

func scheduledFirst(f *flow) int64 {
	c, i := f.at(0)
	return c.scheduled[i].Load()
}

// What never comes is the slowest of all, not left out.
func TestLatenciesHoldWhatIsOverdue(t *testing.T) {
	t.Parallel()
	f := newFlow(1)
	f.began = time.Now().Add(-time.Hour)
	second := int64(time.Second)
	first := f.begin(3, second, nil)
	f.accept(first, 2, 2*second)
	f.arrive(first, 0, 3*second)
	w := window{flow: f, to: 3, end: 10 * second}
	took := w.latencies()
	require.Len(t, took, 2, "the third was refused")
	require.Equal(t, 2*time.Second, took[0])
	require.InDelta(t, time.Hour, took[1], float64(time.Minute))
	require.EqualValues(t, 2, w.events())
}

func TestTogetherEndsWithTheFirstFailure(t *testing.T) {
	t.Parallel()
	forever := func(ctx context.Context) (window, error) {
		<-ctx.Done()
		return window{to: 1}, ctx.Err()
	}
	fails := func(context.Context) (window, error) { return window{}, errDown }
	_, err := together(t.Context(), forever, fails)
	require.ErrorIs(t, err, errDown)
	_, err = together(t.Context(), fails, forever)
	require.ErrorIs(t, err, errDown)
	w, err := together(t.Context(), func(context.Context) (window, error) { return window{to: 7}, nil },
		func(context.Context) (window, error) { return window{to: 9}, nil })
	require.NoError(t, err)
	require.EqualValues(t, 7, w.to)
}

func TestSettleWaitsForWhatIsStillComing(t *testing.T) {
	t.Parallel()
	f := newFlow(1)
	first := f.begin(2, 1, nil)
	f.accept(first, 2, 2)
	w := window{flow: f, to: 2}
	began := time.Now()
	require.NoError(t, w.settle(t.Context(), 200*time.Millisecond))
	require.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond, "nothing comes any more")
	f.arrive(first, 0, 3)
	f.arrive(first+1, 0, 3)
	require.NoError(t, w.settle(t.Context(), time.Hour))
	stopped, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorIs(t, w.settle(stopped, time.Hour), context.Canceled)
}
