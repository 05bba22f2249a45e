package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// events returns a workflow's whole history.
func events(t *testing.T, c client.Client, workflowID string) []*historypb.HistoryEvent {
	t.Helper()
	var all []*historypb.HistoryEvent
	history := c.GetWorkflowHistory(t.Context(), workflowID, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		event, err := history.Next()
		require.NoError(t, err)
		all = append(all, event)
	}
	return all
}

func TestOneEventIsOneEagerWorkflowOfSevenEvents(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, nil)
	sys.createWebhook(rec.URL, `"name":"CRM"`)
	event := sys.enqueue(paid)
	sys.awaitStates(event.ID, 10*time.Second, "delivered")

	c := sys.temporalClient()
	id := "event/acme/" + event.ID
	var result struct{ Deliveries map[string]int }
	require.NoError(t, c.GetWorkflow(t.Context(), id, "").Get(t.Context(), &result))
	require.Equal(t, map[string]int{"delivered": 1}, result.Deliveries)

	history := events(t, c, id)
	require.True(t, history[0].GetWorkflowExecutionStartedEventAttributes().GetEagerExecutionAccepted(),
		"API and worker share a client, so the first task comes with the start")
	var kinds []string
	for _, e := range history {
		kinds = append(kinds, e.GetEventType().String())
	}
	require.Equal(t, []string{
		"WorkflowExecutionStarted", "WorkflowTaskScheduled", "WorkflowTaskStarted", "WorkflowTaskCompleted",
		"MarkerRecorded", "MarkerRecorded", "WorkflowExecutionCompleted",
	}, kinds)

	t.Run("reads well in Temporal Web UI", func(t *testing.T) {
		require.Equal(t, "order.paid · tenant acme", text(t, history[0].GetUserMetadata().GetSummary()))
		require.Equal(t, "CRM · "+rec.Listener.Addr().String(), text(t, history[5].GetUserMetadata().GetSummary()))
		described, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		fields := described.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()
		require.Equal(t, "acme", text(t, fields["PosthasteTenant"]))
		require.Equal(t, "standard", text(t, fields["PosthasteProvider"]))
		require.Equal(t, "order.paid", text(t, fields["PosthasteEventType"]))
		require.NotContains(t, fields, "PosthasteOutcome", "set only when not everything was delivered")
	})
}

func TestWaitingDeliveryReadsWellInTemporal(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, status(500))
	sys.createWebhook(rec.URL, `"name":"CRM"`, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
	event := sys.enqueue(paid)
	sys.awaitStates(event.ID, 10*time.Second, "retrying")
	c := sys.temporalClient()
	id := "event/acme/" + event.ID

	sys.await("the pending activity", 10*time.Second, func() bool {
		described, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		pending := described.GetPendingActivities()
		return len(pending) == 1 && pending[0].GetScheduledTime() != nil && pending[0].GetAttempt() >= 2 &&
			pending[0].GetLastFailure().GetApplicationFailureInfo() != nil &&
			time.Until(pending[0].GetScheduledTime().AsTime()) > 30*time.Minute
	})
	answer, err := c.QueryWorkflow(t.Context(), id, "", "__temporal_workflow_metadata")
	require.NoError(t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(t, answer.Get(&metadata))
	require.Contains(t, metadata.GetCurrentDetails(), "**CRM · "+rec.Listener.Addr().String()+"** waits: see Pending Activities")
	described, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	require.Contains(t, described.GetPendingActivities()[0].GetLastFailure().GetMessage(), "attempt 1 failed (server_error); waits for the next")
}

func text(t *testing.T, payload *commonpb.Payload) string {
	t.Helper()
	var value string
	require.NoError(t, converter.GetDefaultDataConverter().FromPayload(payload, &value))
	return value
}

// startedWith decodes the input that a workflow was started with.
func startedWith(t *testing.T, c client.Client, workflowID string, input any) {
	t.Helper()
	started := events(t, c, workflowID)[0].GetWorkflowExecutionStartedEventAttributes()
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(started.GetInput(), input))
}
