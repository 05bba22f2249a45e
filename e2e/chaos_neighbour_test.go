//go:build chaos

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
)

func neighbourExperiments() []struct {
	name string
	run  func(*experiment)
} {
	return []struct {
		name string
		run  func(*experiment)
	}{
		{"a neighbour whose receiver never answers, 30/s beside 30/s", hangingNeighbour},
	}
}

// hangingNeighbour measures a quiet tenant alone, and then beside one whose
// receiver takes every POST and never answers.
func hangingNeighbour(x *experiment) {
	const perSecond = 30
	au := x.scene(settings{}, 0)
	au.sys.start("all").awaitReady()
	au.watch("", never)
	neighbour := newAudited(au.sys.as(x.t, "neighbour"), func(_ int, _ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	neighbour.watch("", `{"mode":"schedule","delaysSeconds":[5,300]}`)
	au.load("order.paid", perSecond, 3*time.Second) // warm
	began := time.Now()
	au.load("order.paid", perSecond, 15*time.Second)
	beside := time.Now()
	wait := x.load(neighbour, perSecond, 20*time.Second)
	x.pause(5 * time.Second) // by then hundreds hang
	loaded := time.Now()
	au.load("order.paid", perSecond, 15*time.Second)
	wait()
	au.sending.Wait()
	x.judge(au, time.Time{}, 15*time.Second, "")
	aloneMedian, alone := au.percentiles(began, beside)
	median, p99 := au.percentiles(loaded, time.Now())
	x.row.Seen = fmt.Sprintf("p50 %d → %d ms, p99 %d → %d ms", aloneMedian.Milliseconds(), median.Milliseconds(),
		alone.Milliseconds(), p99.Milliseconds())
	require.LessOrEqual(x.t, p99, 2*alone, "p99 beside the neighbour")
	require.LessOrEqual(x.t, median, 2*aloneMedian, "p50 beside the neighbour")
}

// percentiles are the median and the 99th percentile of the time from handing an
// event over to its arrival, of what was handed over in a span.
func (au *audited) percentiles(from, to time.Time) (median, p99 time.Duration) {
	au.t.Helper()
	first := map[string]time.Time{}
	for _, a := range au.rec.all() {
		id := a.header.Get("webhook-id")
		if at, ok := first[id]; !ok || a.at.Before(at) {
			first[id] = a.at
		}
	}
	au.mu.Lock()
	defer au.mu.Unlock()
	var took []time.Duration
	for id, begun := range au.begun {
		if begun.After(from) && begun.Before(to) {
			took = append(took, first[id].Sub(begun))
		}
	}
	require.NotEmpty(au.t, took)
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}
