package e2e

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"posthaste/workflows"
)

// TestSameKeyAfterTemporalForgot hands an event over again when Temporal's
// retention is over and only the ledger knows its key.
func TestSameKeyAfterTemporalForgot(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]settings{"SQLite": {}, "PostgreSQL": {postgres: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys, rec := up(t, database), newReceiver(t, nil)
			w := sys.createWebhook(rec.URL)
			first := sys.enqueue(paid, "Idempotency-Key", "k1")
			sys.awaitStates(first.ID, 20*time.Second, "delivered")
			sys.awaitClosed([]string{first.ID})
			sys.forget(first.ID)

			code, a := sys.call("POST", "/api/events", paid, "Idempotency-Key", "k1")
			require.Equal(t, http.StatusOK, code, a.raw)
			again := into[accepted](t, a)
			require.Equal(t, first.ID, again.ID)
			require.True(t, again.Duplicate)
			code, a = sys.call("POST", "/api/events", `{"type":"order.paid","data":{}}`, "Idempotency-Key", "k1")
			require.Equal(t, http.StatusConflict, code, a.raw)

			sys.awaitStates(sys.enqueue(paid).ID, 20*time.Second, "delivered") // and what was started before it is done
			require.Len(t, rec.all(), 2)
			require.Len(t, sys.history(w.ID), 2)
		})
	}
}

// forget lets Temporal know nothing of an event any more.
func (sys *system) forget(eventID string) {
	sys.t.Helper()
	c, id := sys.temporalClient(), workflows.EventWorkflowID(sys.tenant, eventID)
	_, err := c.WorkflowService().DeleteWorkflowExecution(sys.t.Context(), &workflowservice.DeleteWorkflowExecutionRequest{
		Namespace: sys.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id},
	})
	require.NoError(sys.t, err)
	require.Eventually(sys.t, func() bool { // it first makes sure that all else of the workflow is done, which takes a minute
		_, err := c.DescribeWorkflowExecution(sys.t.Context(), id, "")
		var gone *serviceerror.NotFound
		return errors.As(err, &gone)
	}, 3*time.Minute, time.Second, "Temporal to forget %s", id)
}
