package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/workflows"
)

// taken is what a batch's answer says of one event.
type taken struct {
	ID        string            `json:"id"`
	Status    string            `json:"status"`
	Duplicate bool              `json:"duplicate"`
	Code      string            `json:"code"`
	Errors    map[string]string `json:"errors"`
}

// enqueueBatch hands over events numbered from the first on.
func (sys *system) enqueueBatch(events []string, headers ...string) []taken {
	sys.t.Helper()
	code, a := sys.call("POST", "/api/events/batch", `{"events":[`+strings.Join(events, ",")+`]}`, headers...)
	require.Equal(sys.t, http.StatusAccepted, code, a.raw)
	results := into[[]taken](sys.t, a)
	require.Len(sys.t, results, len(events))
	return results
}

// numbered makes bodies of events that can be told apart.
func numbered(count int) []string {
	bodies := make([]string, count)
	for i := range bodies {
		bodies[i] = fmt.Sprintf(`{"type":"order.paid","data":{"n":%d}}`, i)
	}
	return bodies
}

// requireOnce checks that each event has arrived exactly once.
func (rec *receiver) requireOnce(t *testing.T, results []taken) {
	t.Helper()
	arrived := map[string]int{}
	for _, a := range rec.all() {
		arrived[a.header.Get("webhook-id")]++
	}
	for i, result := range results {
		if result.Status == "accepted" {
			require.Equal(t, 1, arrived[result.ID], "event %d", i)
		}
	}
}

// TestBatchSharesWorkflows enqueues 150 events in one request: three workflows,
// and of each event its own id, rows and answer.
func TestBatchSharesWorkflows(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	bodies := numbered(150)
	bodies[70] = `{"type":"x y","data":{}}`
	results := sys.enqueueBatch(bodies)
	require.Equal(t, "refused", results[70].Status)
	require.Contains(t, results[70].Errors, "type", "a bad event is refused alone")
	rec.await(149, 30*time.Second)
	shared := map[string]int{}
	for _, result := range results {
		if result.Status == "accepted" {
			sys.awaitStates(result.ID, 20*time.Second, "delivered")
			shared[sys.event(result.ID).WorkflowID]++
		}
	}
	require.Equal(t, map[string]int{
		workflows.SharedWorkflowID(sys.tenant, results[0].ID):   64,
		workflows.SharedWorkflowID(sys.tenant, results[64].ID):  64,
		workflows.SharedWorkflowID(sys.tenant, results[129].ID): 21,
	}, shared)
	rec.requireOnce(t, results)
}

// TestBatchWithAKeyIsTakenOnce repeats a batch at once, when Temporal alone may
// know it, and again when the ledger does.
func TestBatchWithAKeyIsTakenOnce(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	key := []string{"Idempotency-Key", "batch-1"}
	bodies := numbered(100)
	first := sys.enqueueBatch(bodies, key...)
	again := sys.enqueueBatch(bodies, key...)
	for i := range first {
		require.Equal(t, taken{ID: first[i].ID, Status: "accepted"}, first[i])
		require.Equal(t, taken{ID: first[i].ID, Status: "accepted", Duplicate: true}, again[i])
	}
	rec.await(100, 30*time.Second)
	for _, result := range first {
		sys.awaitStates(result.ID, 20*time.Second, "delivered")
	}

	more := numbered(130)
	more[3] = `{"type":"order.paid","data":{"n":"another"}}`
	last := sys.enqueueBatch(more, key...)
	require.Equal(t, "CONFLICT", last[3].Code, "a key stands for one content")
	for i, result := range last {
		if i != 3 {
			require.Equal(t, i < 100, result.Duplicate, "event %d", i)
			require.Equal(t, "accepted", result.Status, "event %d", i)
		}
	}
	rec.await(130, 30*time.Second)
	rec.requireOnce(t, last)
}

// TestBatchWithAKeyWhileNobodyWorks repeats batches that the ledger has not seen
// yet: what is not known for certain is refused for now, and never lost.
func TestBatchWithAKeyWhileNobodyWorks(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{postgres: true}), newReceiver(t, nil)
	sys.start("api").awaitReady()
	sys.createWebhook(rec.URL)
	key := []string{"Idempotency-Key", "batch-1"}
	first := sys.enqueueBatch(numbered(10), key...)
	for _, result := range sys.enqueueBatch(numbered(10), key...) {
		require.True(t, result.Duplicate)
	}
	code, a := sys.call("POST", "/api/events/batch", `{"events":[`+strings.Join(numbered(11), ",")+`]}`, key...)
	require.Equal(t, http.StatusServiceUnavailable, code, a.raw)
	require.Contains(t, a.Message, "on its way")

	sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	rec.await(10, 30*time.Second)
	for _, result := range first {
		sys.awaitStates(result.ID, 20*time.Second, "delivered")
	}
	last := sys.enqueueBatch(numbered(11), key...)
	require.False(t, last[10].Duplicate)
	rec.await(11, 30*time.Second)
	rec.requireOnce(t, last)
}

// TestLargeFanOutOfABatchIsPaged sends 64 events to 20 webhooks: more deliveries
// than one run handles itself.
func TestLargeFanOutOfABatchIsPaged(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, nil)
	const hooks, events = 20, 64
	for i := range hooks {
		sys.createWebhook(fmt.Sprintf("%s/%d", rec.URL, i))
	}
	results := sys.enqueueBatch(numbered(events))
	rec.await(hooks*events, 60*time.Second)
	for _, result := range results {
		deliveries := sys.awaitStates(result.ID, 20*time.Second, strings.Fields(strings.Repeat("delivered ", hooks))...)
		require.Len(t, deliveries, hooks)
	}
	require.Equal(t, map[string]int{"delivered": hooks * events}, sys.awaitResult(workflows.SharedWorkflowID(sys.tenant, results[0].ID)))
}

// TestWhatABatchCostsTemporal hands ten batches over without a pause: however much
// waits for one webhook that answers well, each costs what one alone does, a write
// to start its workflow and one to end it.
func TestWhatABatchCostsTemporal(t *testing.T) {
	t.Parallel()
	server := ownTemporal(t)
	sys, rec := up(t, settings{temporal: server}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	sys.awaitDone(sys.enqueue(paid).ID) // and the worker is warm
	before := server.settledWrites(t)
	const batches, each = 10, 64
	for range batches {
		for _, result := range sys.enqueueBatch(numbered(each)) {
			require.Equal(t, "accepted", result.Status)
		}
	}
	rec.await(1+batches*each, 60*time.Second)
	server.settledWrites(t).requireAbout(t, before, 2*batches, "ten batches")
}

// TestBacklogUnderALimitWaitsInTimers enqueues far more than a webhook takes: the
// deliveries whose turn is not near cost Temporal next to nothing meanwhile.
func TestBacklogUnderALimitWaitsInTimers(t *testing.T) {
	t.Parallel()
	server := ownTemporal(t)
	sys, rec := up(t, settings{temporal: server}), newReceiver(t, nil)
	sys.createWebhook(rec.URL, `"maxPerSecond":1`)
	sys.enqueue(paid)
	rec.await(1, 20*time.Second)
	before := server.settledWrites(t)
	const batches, each = 10, 64
	var last taken
	for range batches {
		last = sys.enqueueBatch(numbered(each))[each-1]
	}
	sys.awaitStates(last.ID, 20*time.Second, "pending")
	rec.await(6, 30*time.Second)
	written := server.toldWrites(t).since(before)
	require.Less(t, written.sum(), batches*10, "without turns it would be two for each delivery: %v", written)

	code, a := sys.call("POST", "/api/deliveries/"+sys.event(last.ID).Deliveries[0].ID+"/retry", "")
	require.Equal(t, http.StatusAccepted, code, a.raw)
	sys.awaitStates(last.ID, 20*time.Second, "delivered")
}
