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

// orders are the events of orders from first up to but without last, with keys of
// their own.
func orders(first, last int) []string {
	var bodies []string
	for i := first; i < last; i++ {
		bodies = append(bodies, fmt.Sprintf(`{"type":"order.paid","data":{"n":%d},"idempotencyKey":"order-%d"}`, i, i))
	}
	return bodies
}

func duplicates(results []taken) []bool {
	list := make([]bool, len(results))
	for i, result := range results {
		list[i] = result.Duplicate
	}
	return list
}

// TestEventsWithTheirOwnKeysAreTakenOnceInWhateverBatch: a publisher that does not
// know what became of its events sends them again, in other batches and alone.
func TestEventsWithTheirOwnKeysAreTakenOnceInWhateverBatch(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	first := sys.enqueueBatch(orders(0, 70))
	rec.await(70, 30*time.Second)
	for _, result := range first {
		sys.awaitStates(result.ID, 20*time.Second, "delivered")
	}
	bodies := append(orders(67, 72), `{"type":"order.paid","data":{"n":"another"},"idempotencyKey":"order-5"}`)
	again := sys.enqueueBatch(append(bodies, orders(71, 73)...))
	require.Equal(t, []bool{true, true, true, false, false, false, true, false}, duplicates(again))
	require.Equal(t, "CONFLICT", again[5].Code)
	require.Equal(t, again[4].ID, again[6].ID, "twice in one batch is one event")
	code, a := sys.call("POST", "/api/events", `{"type":"order.paid","data":{"n":3}}`, "Idempotency-Key", "order-3")
	require.Equal(t, http.StatusOK, code, a.raw)
	require.Equal(t, first[3].ID, into[taken](t, a).ID)
	rec.await(73, 30*time.Second)
	rec.requireOnce(t, append(first, again...))
}

// TestEventsWithTheirOwnKeysWhileNobodyWorks sends them again before the ledger has
// seen them: what is accepted twice is delivered once.
func TestEventsWithTheirOwnKeysWhileNobodyWorks(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{postgres: true}), newReceiver(t, nil)
	sys.start("api").awaitReady()
	sys.createWebhook(rec.URL)
	accepted := sys.enqueueBatch(orders(0, 10))
	require.NotContains(t, duplicates(sys.enqueueBatch(orders(0, 10))), false, "the same batch")
	code, a := sys.call("POST", "/api/events/batch", `{"events":[`+strings.Join(orders(0, 11), ",")+`]}`)
	require.Equal(t, http.StatusServiceUnavailable, code, a.raw)
	require.Contains(t, a.Message, "on its way")
	recut := sys.enqueueBatch(orders(5, 15))
	require.NotContains(t, duplicates(recut), true, "nobody knows yet")
	code, a = sys.call("POST", "/api/events", `{"type":"order.paid","data":{"n":3}}`, "Idempotency-Key", "order-3")
	require.Equal(t, http.StatusAccepted, code, a.raw)

	sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	ended := map[string]int{}
	for _, workflow := range []string{
		workflows.SharedWorkflowID(sys.tenant, accepted[0].ID), workflows.SharedWorkflowID(sys.tenant, recut[0].ID),
		workflows.EventWorkflowID(sys.tenant, accepted[3].ID),
	} {
		for state, count := range sys.awaitResult(workflow) {
			ended[state] += count
		}
	}
	require.Equal(t, map[string]int{"delivered": 15, "duplicate": 6}, ended)
	require.Len(t, rec.all(), 15)
	rec.requireOnce(t, append(accepted, recut...))
	require.NotContains(t, duplicates(sys.enqueueBatch(orders(0, 15))), false, "the ledger knows them")
}
