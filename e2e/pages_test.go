package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/workflows"
)

// An event that 510 webhooks want is cancelled while the first of its pages wait
// to try again and the last has not begun: each delivery settles, and none is
// sent afterwards.
func TestACancelledFanOutLeavesNothingOpen(t *testing.T) {
	t.Parallel()
	const webhooks = 510
	au := newAudited(up(t, settings{}), status(http.StatusInternalServerError))
	for range webhooks {
		au.watch("", `{"mode":"schedule","delaysSeconds":[3600]}`)
	}
	require.True(t, au.send("order.paid", 10*time.Second))
	au.rec.await(1, 20*time.Second)
	id := workflows.EventWorkflowID(au.sys.tenant, au.ids()[0])
	c := au.sys.temporalClient()
	require.NoError(t, c.CancelWorkflow(t.Context(), id, ""))
	_ = c.GetWorkflow(t.Context(), id, "").Get(t.Context(), nil) // it ends as cancelled
	sent := len(au.rec.all())
	require.Less(t, sent, webhooks, "it was cancelled before all was sent")

	au.settle(20 * time.Second)
	in := au.input()
	require.Len(t, in.Deliveries, webhooks)
	for _, d := range in.Deliveries {
		require.Equal(t, "cancelled", d.State)
	}
	require.Len(t, au.rec.all(), sent)
}
