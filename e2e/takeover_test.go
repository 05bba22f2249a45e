package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/workflows"
)

// TestRetryTakesOverFromATerminatedWorkflow ends a workflow by force while its
// delivery waits, as an operator may by mistake.
func TestRetryTakesOverFromATerminatedWorkflow(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, statuses(500, 204))
	sys.createWebhook(rec.URL, `"retry":{"mode":"schedule","delaysSeconds":[3600,3600]}`)
	event := sys.enqueue(paid)
	waiting := sys.awaitStates(event.ID, 10*time.Second, "retrying")[0]
	require.NoError(t, sys.temporalClient().TerminateWorkflow(t.Context(), workflows.EventWorkflowID(sys.tenant, event.ID), "", "by mistake"))

	sys.await("the delivery to be taken over", 10*time.Second, func() bool {
		code, _ := sys.call("POST", "/api/deliveries/"+waiting.ID+"/retry", "")
		return code == http.StatusAccepted
	})
	sys.awaitStates(event.ID, 20*time.Second, "delivered")
	require.Len(t, rec.all(), 2)
}

// TestAnEventWaitsForAWorkerThatKnowsItsProvider rolls out a profile the wrong
// way round: the door knows it before the worker does.
func TestAnEventWaitsForAWorkerThatKnowsItsProvider(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{}), newReceiver(t, nil)
	knows := sys.newProfile()
	sys.start("api", knows).awaitReady()
	old := sys.startWorker()
	sys.createWebhook(rec.URL, `"provider":"mine"`, `"events":["message.received"]`)
	event := sys.enqueue(mine)
	old.awaitLog("does not know the provider mine yet")
	require.Empty(t, rec.all())
	old.stop()
	sys.startWorker(knows)
	require.Equal(t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
}
