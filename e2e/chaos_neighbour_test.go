//go:build chaos

package e2e

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/e2e/audit"
)

var backlog = flag.Int("backlog", 100_000, "events that the busy neighbour has waiting")

func neighbourExperiments() []fault {
	return []fault{
		{"300 events of a neighbour wait for a worker, 20 of ours behind them", backlogAtStart},
		{"a neighbour whose receiver never answers, 30/s beside 30/s", hangingNeighbour},
		{"a neighbour with 60 webhooks whose receivers never answer, 30/s beside 30/s", manyHangingWebhooks},
		{fmt.Sprintf("a neighbour with a backlog of %d events", *backlog), backloggedNeighbour},
	}
}

// waitingNeighbour is how many deliveries of a neighbour are open when measuring
// begins: 30 a second for the 30 s of a timeout. Were each POSTed at once, that
// many would hang; the row says how many do.
const waitingNeighbour = 900

// hangingNeighbour measures a quiet tenant alone, and then beside one whose
// receiver takes every POST and never answers.
func hangingNeighbour(x *experiment) {
	const perSecond, measured = 30, 15 * time.Second
	au := x.scene(settings{}, 0)
	au.sys.start("all").awaitReady()
	au.watch("", never)
	neighbour := x.audited(au.sys.as(x.t, "neighbour"), func(_ int, _ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	neighbour.watch("", `{"mode":"schedule","delaysSeconds":[5,300]}`)
	au.load("order.paid", perSecond, 3*time.Second) // warm
	began := time.Now()
	au.load("order.paid", perSecond, measured)
	beside := time.Now()
	wait := x.loadEvenly(neighbour, perSecond, waitingNeighbour*time.Second/perSecond+2*time.Second+measured)
	for len(neighbour.ids()) < waitingNeighbour {
		x.pause(100 * time.Millisecond)
	}
	loaded, waiting, hanging := time.Now(), len(neighbour.ids()), neighbour.hanging()
	au.load("order.paid", perSecond, measured)
	wait()
	au.sending.Wait()
	x.judge(au, time.Time{}, 15*time.Second, fmt.Sprintf("%d of the neighbour's were open, %d of them at its receiver", waiting, hanging))
	x.compare(au, [2]time.Time{began, beside}, [2]time.Time{loaded, time.Now()})
}

// hanging is how many POSTs the receiver has not answered yet.
func (au *audited) hanging() int {
	n := 0
	for _, a := range au.rec.all() {
		if a.done.IsZero() {
			n++
		}
	}
	return n
}

// manyHangingWebhooks is hangingNeighbour with a webhook for every type of event:
// each may have its places in the fast lane, the tenant must not have them all.
func manyHangingWebhooks(x *experiment) {
	const perSecond, webhooks = 30, 60
	au := x.scene(settings{}, 0)
	au.sys.start("all").awaitReady()
	au.watch("", never)
	au.load("order.paid", perSecond, 3*time.Second) // warm
	began := time.Now()
	au.load("order.paid", perSecond, 15*time.Second)
	beside := time.Now()

	neighbour := au.sys.as(x.t, "neighbour")
	silent := newReceiver(x.t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	for i := range webhooks {
		neighbour.createWebhook(fmt.Sprintf("%s/%d", silent.URL, i), fmt.Sprintf(`"events":["type.%d"]`, i))
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-tick.C:
				neighbour.tryEnqueue(fmt.Sprintf(`{"type":"type.%d","data":{}}`, i%webhooks))
			}
		}
	}()
	x.pause(waitingNeighbour * time.Second / perSecond) // its first POSTs end
	loaded := time.Now()
	au.load("order.paid", perSecond, 15*time.Second)
	close(stop)
	<-stopped
	au.sending.Wait()
	x.judge(au, time.Time{}, 15*time.Second, "")
	x.compareWithin(au, manySilent, [2]time.Time{began, beside}, [2]time.Time{loaded, time.Now()})
}

// backloggedNeighbour measures a quiet tenant alone, and then beside one with a
// great many deliveries waiting for a receiver that takes one a second, which
// came in batches.
func backloggedNeighbour(x *experiment) {
	const perSecond, publishers, each = 30, 2, 1000
	x.allow(5 * time.Minute)
	au := x.scene(settings{}, 0)
	au.sys.start("all").awaitReady()
	au.watch("", never)
	au.load("order.paid", perSecond, 3*time.Second) // warm
	began := time.Now()
	au.load("order.paid", perSecond, 15*time.Second)
	beside := time.Now()

	neighbour := au.sys.as(x.t, "neighbour")
	neighbour.createWebhook(newReceiver(x.t, nil).URL, `"maxPerSecond":1`)
	batch := numbered(each)
	var left atomic.Int64
	left.Store(int64(*backlog))
	ends := make(chan string, *backlog/each) // the last event of each batch
	var group sync.WaitGroup
	for range publishers {
		group.Go(func() {
			for left.Add(-each) >= 0 {
				ends <- neighbour.enqueueBatch(batch)[each-1].ID
			}
		})
	}
	group.Wait()
	close(ends)
	for id := range ends {
		neighbour.awaitStates(id, 3*time.Minute, "pending")
	}
	piled := time.Since(beside)
	x.pause(10 * time.Second)
	loaded := time.Now()
	au.load("order.paid", perSecond, 15*time.Second)
	au.sending.Wait()
	x.judge(au, time.Time{}, 15*time.Second, fmt.Sprintf("the backlog came in %.0f s", piled.Seconds()))
	x.compare(au, [2]time.Time{began, beside}, [2]time.Time{loaded, time.Now()})
}

// manySilent is what the 99th percentile may come to beside sixty webhooks that
// answer nothing: when their POSTs have timed out each is probed, all within a
// second or two, and that second is more than a hundredth of what is measured.
const manySilent = 100 * time.Millisecond

// compare holds that the quiet tenant's times have not doubled.
func (x *experiment) compare(au *audited, alone, beside [2]time.Time) {
	x.t.Helper()
	x.compareWithin(au, 0, alone, beside)
}

// compareWithin is compare, except that a 99th percentile is all right up to a
// bound of its own.
func (x *experiment) compareWithin(au *audited, allowed time.Duration, alone, beside [2]time.Time) {
	x.t.Helper()
	aloneMedian, aloneP99 := au.percentiles(alone[0], alone[1])
	median, p99 := au.percentiles(beside[0], beside[1])
	seen := fmt.Sprintf("p50 %.1f → %.1f ms, p99 %.1f → %.1f ms",
		aloneMedian.Seconds()*1000, median.Seconds()*1000, aloneP99.Seconds()*1000, p99.Seconds()*1000)
	if x.row.Seen != "" {
		seen += "; " + x.row.Seen
	}
	x.row.Seen = seen
	require.LessOrEqual(x.t, p99, max(allowed, 2*aloneP99), "p99 beside the neighbour")
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

// backlogAtStart lets events of a busy tenant wait for a worker, and then a few
// of a quiet one: Temporal's fairness key must let the few through long before
// the many are done. In the order they came they would be the last.
func backlogAtStart(x *experiment) {
	const many, few = 300, 20
	sys := x.install(settings{})
	sys.start("api").awaitReady()
	busy, quiet := x.audited(sys.as(x.t, "busy"), nil), x.audited(sys.as(x.t, "quiet"), nil)
	busy.watch("", never)
	quiet.watch("", never)
	for range many {
		require.True(x.t, busy.send("order.paid", time.Second))
	}
	for range few {
		require.True(x.t, quiet.send("order.paid", time.Second))
	}
	sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()), "POSTHASTE_FAST_SLOTS=16")
	busy.settle(90 * time.Second)
	quiet.settle(90 * time.Second)
	in := together(busy.input(), quiet.input())
	last := slices.MaxFunc(quiet.rec.await(few, time.Second), func(a, b arrival) int { return a.at.Compare(b.at) }).at
	before := 0
	for _, a := range busy.rec.all() {
		if a.at.Before(last) {
			before++
		}
	}
	x.judgeInput(in, time.Time{}, 90*time.Second, fmt.Sprintf("our last arrived as number %d of %d", before+few, many+few))
	require.Less(x.t, before+few, many, "the quiet tenant's last event")
}

// together is the input of two tenants as one: what arrives at the other's
// webhook is seen.
func together(a, b audit.Input) audit.Input {
	return audit.Input{
		Accepted: slices.Concat(a.Accepted, b.Accepted), Webhooks: slices.Concat(a.Webhooks, b.Webhooks),
		Arrivals: slices.Concat(a.Arrivals, b.Arrivals), Deliveries: slices.Concat(a.Deliveries, b.Deliveries),
		Crashes: slices.Concat(a.Crashes, b.Crashes), Unanswered: slices.Concat(a.Unanswered, b.Unanswered),
		MustShare: a.MustShare || b.MustShare,
	}
}
