package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"posthaste/workflows"
)

// TestRetryOfWhatWasLostWithItsWorkflow kills a worker in the middle of a POST
// that may be made at most once and ends its workflow by force, so that nobody is
// left to find out; or takes all that Temporal knows of it.
func TestRetryOfWhatWasLostWithItsWorkflow(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(sys *system, workflowID string) error{
		"terminated": func(sys *system, workflowID string) error {
			return sys.temporalClient().TerminateWorkflow(sys.t.Context(), workflowID, "", "by mistake")
		},
		"forgotten": func(sys *system, workflowID string) error {
			_, err := sys.temporalClient().WorkflowService().DeleteWorkflowExecution(sys.t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{
				Namespace: sys.namespace, WorkflowExecution: &common.WorkflowExecution{WorkflowId: workflowID},
			})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			retryWhatWasLost(t, end)
		})
	}
}

// retryWhatWasLost has the delivery refused as long as anybody may be at it; then
// a person has it sent again.
func retryWhatWasLost(t *testing.T, end func(sys *system, workflowID string) error) {
	t.Helper()
	sys := install(t, settings{})
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	rec := newReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	sys.start("api").awaitReady()
	elsewhere := func() string { return fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()) }
	worker := sys.start("worker", elsewhere())
	sys.createWebhook(rec.URL, `"retry":`+atMostOnce)
	event := sys.enqueue(paid)
	rec.await(1, 20*time.Second)
	claimed := sys.awaitStates(event.ID, 10*time.Second, "sending")[0]
	retry := func() int {
		code, _ := sys.call("POST", "/api/deliveries/"+claimed.ID+"/retry", "")
		return code
	}
	require.Equal(t, http.StatusConflict, retry(), "it is being sent")
	worker.kill()
	require.Equal(t, http.StatusConflict, retry(), "its workflow goes on")
	require.NoError(t, end(sys, workflows.EventWorkflowID(sys.tenant, event.ID)))

	sys.await("nobody to have it in hand", 30*time.Second, func() bool { return retry() == http.StatusAccepted })
	sys.awaitStates(event.ID, 10*time.Second, "unknown")
	require.Equal(t, http.StatusAccepted, retry(), "asking twice is one request")
	sys.start("worker", elsewhere())
	sys.awaitStates(event.ID, 30*time.Second, "delivered")
	posts := rec.all()
	require.Len(t, posts, 2)
	require.Equal(t, posts[0].header.Get("webhook-id"), posts[1].header.Get("webhook-id"))
}
