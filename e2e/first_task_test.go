package e2e

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"posthaste/workflows"
)

// TestWhatComesInTheFirstTaskRepeatsNothing lets a signal, or a cancel, arrive
// while the first workflow task makes its POST. Temporal then refuses the task's
// end, because the workflow has not seen all that happened, and has the task done
// once more: what the ledger has on record must not be sent again.
func TestWhatComesInTheFirstTaskRepeatsNothing(t *testing.T) {
	t.Parallel()
	for name, interrupt := range map[string]func(ctx context.Context, c client.Client, workflowID, deliveryID string) error{
		"retry now": func(ctx context.Context, c client.Client, workflowID, deliveryID string) error {
			return c.SignalWorkflow(ctx, workflowID, "", workflows.SignalRetryNow, workflows.RetryNow{DeliveryID: deliveryID})
		},
		"cancel": func(ctx context.Context, c client.Client, workflowID, _ string) error {
			return c.CancelWorkflow(ctx, workflowID, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys, answer := up(t, settings{}), make(chan struct{})
			rec := newReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
				if n == 1 {
					select {
					case <-answer:
					case <-r.Context().Done():
					}
				}
				w.WriteHeader(http.StatusNoContent)
			})
			sys.createWebhook(rec.URL, `"retry":`+scheduled)
			event := sys.enqueue(paid)
			workflowID := workflows.EventWorkflowID(sys.tenant, event.ID)
			rec.await(1, 10*time.Second)
			delivery := sys.event(event.ID).Deliveries[0]
			c := sys.temporalClient()
			err := interrupt(t.Context(), c, workflowID, delivery.ID)
			close(answer)
			require.NoError(t, err)

			sys.awaitStates(event.ID, 20*time.Second, "delivered")
			sys.await("the workflow's end", 20*time.Second, func() bool {
				found, err := c.DescribeWorkflowExecution(t.Context(), workflowID, "")
				return err == nil && found.GetWorkflowExecutionInfo().GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
			})
			refused := false
			for _, e := range events(t, c, workflowID) {
				refused = refused || e.GetWorkflowTaskFailedEventAttributes().GetCause() == enumspb.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
			}
			require.True(t, refused, "it came in the middle of the first task")
			require.Len(t, rec.all(), 1)
			settled := sys.awaitStates(event.ID, time.Second, "delivered")
			require.Equal(t, 1, settled[0].Attempts)
		})
	}
}
