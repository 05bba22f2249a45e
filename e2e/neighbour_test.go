package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRateLimitHoldsAcrossProcesses has two processes deliver to one webhook.
func TestRateLimitHoldsAcrossProcesses(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{postgres: true}), newReceiver(t, nil)
	sys.start("api").awaitReady()
	for range 2 {
		sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	}
	const limit, events = 5, 30
	sys.createWebhook(rec.URL, fmt.Sprintf(`"maxPerSecond":%d`, limit))
	for range events {
		sys.enqueue(paid)
	}
	got := rec.await(events, 60*time.Second)
	for i := range got {
		if j := i + limit + 1; j < len(got) {
			// The clock of arrival lies behind that of sending by what a busy
			// machine makes of it, so a slot of grace is given.
			require.Greater(t, got[j].at.Sub(got[i].at), time.Second*(limit-1)/limit, "arrivals %d to %d", i, j)
		}
	}
	sys.await("all recorded", 10*time.Second, func() bool { return len(rec.all()) == events })
}

// TestHangingReceiverCostsTemporalLittle counts what a receiver that accepts and
// never answers makes Temporal write once its breaker is open: each event is
// started and its delivery waits for its turn by a timer, in one write; then it
// asks rarely. Without the breaker each would be begun and ended for every retry
// beside.
func TestHangingReceiverCostsTemporalLittle(t *testing.T) {
	t.Parallel()
	server := ownTemporal(t)
	sys := up(t, settings{temporal: server})
	rec := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	w := sys.createWebhook(rec.URL, `"timeoutSeconds":1`)
	const trips = 10 // attempts without an answer after which the breaker opens
	for range trips {
		sys.enqueue(paid)
	}
	sys.await("the breaker to open", 20*time.Second, func() bool {
		return strings.Count(strings.Join(sys.reasons(w.ID), " "), "timeout") >= trips
	})
	before, arrived := server.toldWrites(t), len(rec.all())
	const events = 40
	var last accepted
	for range events {
		last = sys.enqueue(paid)
	}
	sys.awaitStates(last.ID, 10*time.Second, "pending")
	written := server.toldWrites(t).since(before)
	require.Equal(t, events, written["CreateWorkflowExecution"])
	require.Less(t, written.sum(), events*3, "the start, the timer, and of a few the next: %v", written)
	require.LessOrEqual(t, len(rec.all())-arrived, 2, "nothing but a probe is sent")
}
