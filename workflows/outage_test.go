package workflows

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"posthaste/errs"
)

// line is a Temporal that can be away.
type line struct {
	silent atomic.Bool // answers nothing
	down   atomic.Bool // refuses connections
	calls  atomic.Int64
	asked  atomic.Int64
}

func (l *line) alive(ctx context.Context) error {
	l.asked.Add(1)
	return l.answer(ctx)
}

func (l *line) start(ctx context.Context) error {
	l.calls.Add(1)
	return l.answer(ctx)
}

func (l *line) answer(ctx context.Context) error {
	if l.silent.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if l.down.Load() {
		return serviceerror.NewUnavailable("connection refused")
	}
	return nil
}

// took returns how long a call took, and its error.
func took(ctx context.Context, o *outage, run func(context.Context) error) (time.Duration, error) {
	began := time.Now()
	err := o.call(ctx, run)
	return time.Since(began), err
}

func TestAnOutageIsNoticedRefusedAndLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		temporal := &line{}
		o := newOutage(temporal.alive)
		require.NoError(t, o.call(t.Context(), temporal.start))

		temporal.silent.Store(true)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				waited, err := took(t.Context(), o, temporal.start)
				require.ErrorIs(t, err, errAway)
				require.Equal(t, suspicion+askTimeout, waited)
			})
		}
		all.Wait()
		require.Equal(t, int64(1), temporal.asked.Load(), "all who suspect share one question")

		calls := temporal.calls.Load()
		waited, err := took(t.Context(), o, temporal.start)
		require.ErrorIs(t, err, errAway)
		require.Zero(t, waited, "at once, now that it is known")
		require.Equal(t, calls, temporal.calls.Load())

		time.Sleep(reopenAfter + time.Millisecond) //nolint:forbidigo // the clock is the test's own
		waited, err = took(t.Context(), o, temporal.start)
		require.ErrorIs(t, err, errAway)
		require.Equal(t, askTimeout, waited, "who tries first asks before")
		require.Equal(t, calls, temporal.calls.Load(), "and starts nothing")

		temporal.silent.Store(false)
		_, err = took(t.Context(), o, temporal.start)
		require.ErrorIs(t, err, errAway, "not yet")
		time.Sleep(reopenAfter + time.Millisecond) //nolint:forbidigo // the clock is the test's own
		for range 10 {
			require.NoError(t, o.call(t.Context(), temporal.start))
		}
	})
}

func TestTemporalComesBackToFewCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		temporal := &line{}
		o := newOutage(temporal.alive)
		temporal.down.Store(true)
		for range failuresToOpen {
			require.Error(t, o.call(t.Context(), temporal.start))
		}
		temporal.down.Store(false)
		time.Sleep(reopenAfter + time.Millisecond) //nolint:forbidigo // the clock is the test's own
		var passed atomic.Int64
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				_ = o.call(t.Context(), func(context.Context) error {
					passed.Add(1)
					time.Sleep(time.Millisecond) //nolint:forbidigo // as long as a start takes
					return nil
				})
			})
		}
		all.Wait()
		require.Equal(t, int64(1), passed.Load(), "one finds out for all")
		require.NoError(t, o.call(t.Context(), temporal.start))
	})
}

// A Temporal whose own database is away answers, and has forgotten the search
// attributes that were there when the process started.
func TestATemporalThatForgetsIsAway(t *testing.T) {
	t.Parallel()
	for _, words := range []string{
		"Namespace default has no mapping defined for search attribute PosthasteTenant",
		"search attribute PosthasteTenant is not defined",
	} {
		forgetful := fmt.Errorf("start: %w", serviceerror.NewInvalidArgument(words))
		require.True(t, isNoAnswer(forgetful), words)
		s := &Starter{outage: newOutage((&line{}).alive)}
		require.Equal(t, errs.Unavailable, errs.CodeOf(s.unavailable(forgetful, "The event could not be accepted")))
	}
	refused := serviceerror.NewInvalidArgument("search attribute PosthasteTenant has a value that is too long")
	require.False(t, isNoAnswer(refused))
	s := &Starter{outage: newOutage((&line{}).alive)}
	require.Equal(t, errs.Internal, errs.CodeOf(s.unavailable(refused, "The event could not be accepted")))
}

func TestWhatIsNoOutage(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"a refusal":      serviceerror.NewInvalidArgument("bad"),
		"a duplicate":    serviceerror.NewWorkflowExecutionAlreadyStarted("there", "", ""),
		"not found":      serviceerror.NewNotFound("gone"),
		"too much of it": serviceerror.NewResourceExhausted(0, "slow down"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOutage((&line{}).alive)
			for range 3 * failuresToOpen {
				err := o.call(t.Context(), func(context.Context) error { return answer })
				require.Equal(t, answer, err, "the error comes back as it is")
			}
			require.NoError(t, o.call(t.Context(), (&line{}).start))
		})
	}
	t.Run("a caller that leaves", func(t *testing.T) {
		t.Parallel()
		o := newOutage((&line{}).alive)
		for range 3 * failuresToOpen {
			ctx, leave := context.WithCancel(t.Context())
			err := o.call(ctx, func(ctx context.Context) error { leave(); <-ctx.Done(); return ctx.Err() })
			require.ErrorIs(t, err, context.Canceled)
		}
		require.NoError(t, o.call(t.Context(), (&line{}).start))
	})
	t.Run("slow, but there", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			temporal := &line{}
			o := newOutage(temporal.alive)
			waited, err := took(t.Context(), o, func(context.Context) error {
				time.Sleep(4 * time.Second) //nolint:forbidigo // the clock is the test's own
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, 4*time.Second, waited)
			require.Equal(t, int64(1), temporal.asked.Load())
			waited, err = took(t.Context(), o, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, callTimeout, waited, "not for ever")
		})
	})
}

func TestRefusalsSpreadTheirCallers(t *testing.T) {
	t.Parallel()
	o := newOutage(func(context.Context) error { return errors.New("unused") })
	counts := map[time.Duration]int{}
	for range 300 {
		counts[o.retryAfter()]++
	}
	require.Equal(t, map[time.Duration]int{time.Second: 100, 2 * time.Second: 100, 3 * time.Second: 100}, counts)
}
