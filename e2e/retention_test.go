package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"posthaste/activities"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/workflows"
)

// pruned triggers the schedule by hand and returns the workflow that it ran,
// once that has ended well, and what it did.
func (sys *system) pruned() (workflowID string, done activities.Pruned) {
	sys.t.Helper()
	c := sys.temporalClient()
	schedule := c.ScheduleClient().GetHandle(sys.t.Context(), workflows.PruneScheduleID)
	before, err := schedule.Describe(sys.t.Context())
	require.NoError(sys.t, err)
	require.NotEmpty(sys.t, before.Info.NextActionTimes)
	require.NoError(sys.t, schedule.Trigger(sys.t.Context(), client.ScheduleTriggerOptions{}))
	sys.await("the schedule's workflow", 20*time.Second, func() bool {
		now, err := schedule.Describe(sys.t.Context())
		if err != nil || now.Info.NumActions == before.Info.NumActions {
			return false
		}
		last := now.Info.RecentActions[len(now.Info.RecentActions)-1]
		workflowID = last.StartWorkflowResult.WorkflowID
		return true
	})
	require.NoError(sys.t, c.GetWorkflow(sys.t.Context(), workflowID, "").Get(sys.t.Context(), &done))
	return workflowID, done
}

// enqueueAt starts an event as if it had been accepted at another time, and
// waits until it has settled.
func (sys *system) enqueueAt(at time.Time) string {
	sys.t.Helper()
	event := activities.Event{
		ID: models.NewID(at), Tenant: sys.tenant, Provider: "standard", Type: "order.paid", Source: "system",
		Data: webhook.JSON(`{"total":5}`), OccurredAt: at, AcceptedAt: at,
	}
	run, err := sys.temporalClient().ExecuteWorkflow(sys.t.Context(), client.StartWorkflowOptions{
		ID: workflows.EventWorkflowID(sys.tenant, event.ID), TaskQueue: workflows.TaskQueue,
		WorkflowIDReusePolicy: enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}, workflows.DeliverEvent, workflows.DeliverEventInput{Events: []activities.Event{event}})
	require.NoError(sys.t, err)
	require.NoError(sys.t, run.Get(sys.t.Context(), nil))
	return event.ID
}

// TestRetention: the schedule that migrate up made forgets what is old, and
// nothing else.
func TestRetention(t *testing.T) {
	t.Parallel()
	for name, postgres := range map[string]bool{"sqlite": false, "postgres": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys := install(t, settings{postgres: postgres})
			sys.start("all", "POSTHASTE_RETENTION_DAYS=7").awaitReady()
			rec := newReceiver(t, nil)
			sys.createWebhook(rec.URL)
			now := time.Now().UTC()
			old, kept, fresh := sys.enqueueAt(now.AddDate(0, 0, -9)), sys.enqueueAt(now.AddDate(0, 0, -6)), sys.enqueue(paid).ID
			rec.await(3, 20*time.Second)
			sys.awaitStates(fresh, 10*time.Second, "delivered")
			for _, id := range []string{old, kept, fresh} {
				code, a := sys.call("GET", "/api/events/"+id, "")
				require.Equal(t, 200, code, a.raw)
			}
			_, done := sys.pruned()
			require.EqualValues(t, 1, done.Deliveries)
			for id, want := range map[string]int{old: 404, kept: 200, fresh: 200} {
				code, a := sys.call("GET", "/api/events/"+id, "")
				require.Equal(t, want, code, a.raw)
			}
			_, done = sys.pruned()
			require.Equal(t, activities.Pruned{}, done, "nothing is left to forget")
			_, metrics := sys.probe("/metrics")
			require.Contains(t, metrics, "posthaste_pruned_deliveries_total 1")
		})
	}
}
