package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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
	profiles := filepath.Join(sys.dir, "profiles")
	require.NoError(t, os.Mkdir(profiles, 0o700))
	shipped, err := os.ReadFile("../webhook/provider/profiles/actiwapi.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(profiles, "mine.yaml"), bytes.Replace(shipped, []byte("name: actiwapi"), []byte("name: mine"), 1), 0o600))
	knows := "POSTHASTE_PROVIDERS_DIR=" + profiles
	sys.start("api", knows).awaitReady()
	old := sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	sys.createWebhook(rec.URL, `"provider":"mine"`, `"events":["message.received"]`)
	event := sys.emit("message.received", `{}`, `"provider":"mine"`)
	sys.await("the old worker to meet it", 20*time.Second, func() bool {
		log, err := os.ReadFile(old.log)
		return err == nil && bytes.Contains(log, []byte("does not know the provider mine yet"))
	})
	require.Empty(t, rec.all())
	old.stop()
	sys.start("worker", knows, fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	require.Equal(t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
}
