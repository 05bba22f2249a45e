//go:build chaos

package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/e2e/audit"
)

func bulkExperiments() []fault {
	return []fault{
		{fmt.Sprintf("one event to %d webhooks, twice, beside 10/s", manyWebhooks()), oneEventToMany},
		{fmt.Sprintf("a replay of %d failed deliveries beside 30/s", toReplay()), replayBesideLive},
	}
}

// manyWebhooks is how many want one event; fewer where -backlog asks for less.
func manyWebhooks() int { return min(*backlog, 10_000) / 100 * 100 }

const (
	// longestHistory is how many events a workflow may have: a fiftieth of what
	// Temporal allows.
	longestHistory = 1000
	// fanOutMemory is how much a process may grow by while the deliveries are under
	// way, all at once: each is a POST or waits for its turn, and its workflow is
	// kept in memory.
	fanOutMemory = 512 << 20
	// slowestAnswer is what the other tenant's 99th answer of a hundred may take
	// meanwhile, on a machine that does all it can.
	slowestAnswer = time.Second
)

// oneEventToMany sends an event that all webhooks of a tenant want, and then one
// of which one webhook in a hundred fails at first. Another tenant hands over
// events meanwhile, as before.
func oneEventToMany(x *experiment) {
	const perSecond = 10
	x.allow(5 * time.Minute)
	var arrived atomic.Int64
	var fails atomic.Bool
	var failed sync.Map
	au := x.scene(settings{}, 0)
	p := au.sys.start("all").awaitReady()
	many := x.audited(au.sys.as(x.t, "many"), func(_ int, w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		if _, again := failed.LoadOrStore(r.URL.Path, true); fails.Load() && strings.HasSuffix(r.URL.Path, "00") && !again {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	made := time.Now()
	many.watchMany(manyWebhooks(), `{"mode":"schedule","delaysSeconds":[1]}`)
	seen := fmt.Sprintf("; the webhooks were made in %.0f s", time.Since(made).Seconds())

	au.watch("", never)
	au.load("order.paid", perSecond, 3*time.Second) // warm
	began := time.Now()
	au.load("order.paid", perSecond, 10*time.Second)
	beside, before := time.Now(), p.memory("VmRSS")
	p.forgetPeak()
	stop := x.keepLoading(au, perSecond)
	for _, failures := range []int{0, manyWebhooks() / 100} {
		failed.Clear()
		fails.Store(failures > 0)
		posts, had, sent := manyWebhooks()+failures, int(arrived.Load()), time.Now()
		require.True(x.t, many.send("order.paid", time.Second))
		for int(arrived.Load()) < had+posts {
			x.pause(20 * time.Millisecond)
		}
		seen += fmt.Sprintf("; %d POSTs in %.1f s", posts, time.Since(sent).Seconds())
	}
	stop()
	peak := p.memory("VmHWM")
	au.settle(30 * time.Second)
	many.settle(60 * time.Second)
	for _, id := range many.ids() {
		runs, longest := many.histories(id)
		seen += fmt.Sprintf("; at most %d events in each of %d workflows", longest, runs)
	}
	median, slow := au.answered(began, beside)
	besideMedian, besideSlow := au.answered(beside, time.Now())
	x.judgeInput(together(au.input(), many.input()), time.Time{}, 90*time.Second, fmt.Sprintf(
		"the other's 202 p50 %.1f → %.1f ms, p99 %.1f → %.1f ms, %s; memory %d → %d MiB%s",
		median.Seconds()*1000, besideMedian.Seconds()*1000, slow.Seconds()*1000, besideSlow.Seconds()*1000, au.refused(), before>>20, peak>>20, seen))
	require.EqualValues(x.t, 2*manyWebhooks()+manyWebhooks()/100, arrived.Load(), "nothing arrives beyond what was asked for")
	require.Less(x.t, peak-before, int64(fanOutMemory), "bytes more than before")
	require.LessOrEqual(x.t, besideMedian, 2*median+50*time.Millisecond, "p50 of the other's answers")
	require.LessOrEqual(x.t, besideSlow, max(slowestAnswer, 2*slow), "p99 of the other's answers")
}

// keepLoading hands over events until the returned function is called.
func (x *experiment) keepLoading(au *audited, perSecond int) (stop func()) {
	var enough atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !enough.Load() {
			au.load("order.paid", perSecond, time.Second)
		}
	}()
	return func() { enough.Store(true); <-done; au.sending.Wait(); x.onTime() }
}

// watchMany makes webhooks that want everything, several at a time. They share
// a secret.
func (au *audited) watchMany(count int, retry string) {
	au.t.Helper()
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("what ten thousand webhooks share"))
	hooks := make([]*watched, count)
	var next atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := int(next.Add(1)); i <= count; i = int(next.Add(1)) {
				path := fmt.Sprintf("/w%d", i)
				made := au.sys.createWebhook(au.rec.URL+path, `"retry":`+retry, fmt.Sprintf(`"secret":%q`, secret))
				promised, err := audit.Watch(made.ID, au.sys.tenant, retry)
				require.NoError(au.t, err)
				hooks[i-1] = &watched{Webhook: promised, path: path, secrets: []string{secret}, direct: true}
			}
		})
	}
	group.Wait()
	require.False(au.t, au.t.Failed(), "each was made")
	au.mu.Lock()
	defer au.mu.Unlock()
	au.hooks = hooks
}

// answered are the median and the 99th percentile of the time from handing an
// event over to its 202, of what was handed over in a span.
func (au *audited) answered(from, to time.Time) (median, p99 time.Duration) {
	au.t.Helper()
	au.mu.Lock()
	defer au.mu.Unlock()
	var took []time.Duration
	for _, a := range au.accepted {
		if begun := au.begun[a.ID]; begun.After(from) && begun.Before(to) {
			took = append(took, a.At.Sub(begun))
		}
	}
	require.NotEmpty(au.t, took)
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// histories counts the workflows of an event, its own and the children, and the
// events of the longest.
func (au *audited) histories(eventID string) (runs, longest int) {
	au.t.Helper()
	c, own := au.sys.temporalClient(), au.sys.event(eventID).WorkflowID
	ids := []string{own}
	for _, e := range events(au.t, c, own) {
		if child := e.GetStartChildWorkflowExecutionInitiatedEventAttributes(); child != nil {
			ids = append(ids, child.GetWorkflowId())
		}
	}
	for _, id := range ids {
		longest = max(longest, len(events(au.t, c, id)))
	}
	require.LessOrEqual(au.t, longest, longestHistory, "of the %d workflows of event %s", len(ids), eventID)
	return len(ids), longest
}

// memory reads what the kernel says of the process, in bytes: VmRSS is what it
// has, VmHWM the most it had.
func (p *process) memory(field string) int64 {
	p.sys.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(p.sys.t, err)
	_, line, found := strings.Cut(string(text), field+":")
	require.True(p.sys.t, found, field)
	var kib int64
	_, err = fmt.Sscan(line, &kib)
	require.NoError(p.sys.t, err)
	return kib << 10
}

// forgetPeak makes VmHWM begin anew.
func (p *process) forgetPeak() {
	p.sys.t.Helper()
	require.NoError(p.sys.t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0))
}
