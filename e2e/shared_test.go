package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEventsThatShareAWorkflowKeepTheirOwnLedger runs a busy installation with
// EVENTS_PER_WORKFLOW: each event has its own id, delivery and history, and far
// fewer workflows than events are started.
func TestEventsThatShareAWorkflowKeepTheirOwnLedger(t *testing.T) {
	t.Parallel()
	sys := up(t, settings{postgres: true, env: []string{"POSTHASTE_EVENTS_PER_WORKFLOW=64"}})
	rec := newReceiver(t, nil)
	w := sys.createWebhook(rec.URL)
	const each, publishers = 20, 16
	var mu sync.Mutex
	var ids []string
	var group sync.WaitGroup
	for p := range publishers {
		group.Go(func() {
			for i := range each {
				id, ok := sys.tryEnqueue(fmt.Sprintf(`{"type":"order.paid","data":{"n":"%d-%d"}}`, p, i))
				mu.Lock()
				if ok {
					ids = append(ids, id)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	require.Len(t, ids, each*publishers)
	rec.await(len(ids), 30*time.Second)
	workflows := map[string]bool{}
	for _, id := range ids {
		sys.awaitStates(id, 20*time.Second, "delivered")
		workflows[sys.event(id).WorkflowID] = true
	}
	require.Less(t, len(workflows), len(ids)/2)
	require.Len(t, sys.history(w.ID), 100, "a full page")
	arrived := map[string]int{}
	for _, a := range rec.all() {
		arrived[a.header.Get("webhook-id")]++
	}
	for _, id := range ids {
		require.Equal(t, 1, arrived[id])
	}
}
