package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
)

// reporting is where a workflow has done everything but end.
const reporting = "func (r *round) report(ctx workflow.Context) (DeliverEventResult, error) {\n"

// A version is deployed whose workflow code panics once the attempts are made. Temporal gives the task out again and again, the attempts are on
// record and are not repeated, and when the bug is mended the workflows end.
func TestAWorkflowThatPanicsRepeatsNothing(t *testing.T) {
	t.Parallel()
	source, err := filepath.Abs("../workflows/details.go")
	require.NoError(t, err)
	bug := map[string]string{reporting: reporting + "\tpanic(\"a bug of this version\")\n"}
	binary, err := variant{name: "panics", file: source, change: bug}.build()
	require.NoError(t, err)

	au := newAudited(install(t, settings{}), nil)
	broken := au.sys.startBinary(binary, "all").awaitReady()
	hooks := map[string]*watched{}
	for _, policy := range policies() {
		hooks[policy] = au.watch("", policy)
	}
	const sent = 5
	for range sent {
		require.True(t, au.send("order.paid", 10*time.Second))
	}
	au.rec.await(sent*len(hooks), 20*time.Second)
	c := au.sys.temporalClient()
	au.sys.await("a task that was given out again", 60*time.Second, func() bool {
		return failedTasks(au, "event/acme/"+au.ids()[0]) >= 1 && pendingAttempt(au, "event/acme/"+au.ids()[0]) >= 2
	})
	broken.stop()

	au.sys.start("all").awaitReady()
	for _, id := range au.ids() {
		var result struct{ Deliveries map[string]int }
		require.NoError(t, c.GetWorkflow(t.Context(), "event/acme/"+id, "").Get(t.Context(), &result))
		require.Equal(t, map[string]int{"delivered": len(hooks)}, result.Deliveries)
	}
	in := au.input()
	for policy, hook := range hooks {
		require.Equal(t, strings.TrimSuffix(strings.Repeat(onceDelivered+"; ", sent), "; "), fate(in, hook.ID), policy)
	}
	report := au.audit()
	require.True(t, report.Held(), fmt.Sprint(report.Violations))
}

// failedTasks is how many workflow tasks have failed, by the workflow's history.
func failedTasks(au *audited, workflowID string) int {
	failed := 0
	for _, event := range events(au.t, au.sys.temporalClient(), workflowID) {
		if event.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED {
			failed++
		}
	}
	return failed
}

// pendingAttempt is the number of the workflow task that is under way; those
// that failed before it may be in no history.
func pendingAttempt(au *audited, workflowID string) int32 {
	described, err := au.sys.temporalClient().DescribeWorkflowExecution(au.t.Context(), workflowID, "")
	require.NoError(au.t, err)
	return described.GetPendingWorkflowTask().GetAttempt()
}
