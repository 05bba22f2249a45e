package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"

	"posthaste/workflows"
)

// mine is an event of a provider that only some processes know: those started
// with what newProfile returns.
const mine = `{"provider":"mine","type":"message.received","data":{}}`

// newProfile writes the profile of a provider called mine, and returns the setting
// by which a process knows it.
func (sys *system) newProfile() string {
	sys.t.Helper()
	profiles := filepath.Join(sys.dir, "profiles")
	require.NoError(sys.t, os.Mkdir(profiles, 0o700))
	shipped, err := os.ReadFile("../webhook/provider/profiles/actiwapi.yaml")
	require.NoError(sys.t, err)
	profile := bytes.Replace(shipped, []byte("name: actiwapi"), []byte("name: mine"), 1)
	require.NoError(sys.t, os.WriteFile(filepath.Join(profiles, "mine.yaml"), profile, 0o600))
	return "POSTHASTE_PROVIDERS_DIR=" + profiles
}

// startWorker starts a process without an API that is asked.
func (sys *system) startWorker(env ...string) *process {
	sys.t.Helper()
	return sys.start("worker", append(env, fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))...)
}

// awaitLog waits until the process has written something.
func (p *process) awaitLog(text string) {
	p.sys.t.Helper()
	p.sys.await(text, 20*time.Second, func() bool {
		log, err := os.ReadFile(p.log)
		return err == nil && bytes.Contains(log, []byte(text))
	})
}

// TestOneEventOfABatchWaitsForAWorkerThatKnowsItsProvider rolls out a profile the
// wrong way round, while a batch comes with one event of it.
func TestOneEventOfABatchWaitsForAWorkerThatKnowsItsProvider(t *testing.T) {
	t.Parallel()
	sys, rec, recOfMine := install(t, settings{}), newReceiver(t, nil), newReceiver(t, nil)
	knows := sys.newProfile()
	sys.start("api", knows).awaitReady()
	old := sys.startWorker()
	sys.createWebhook(rec.URL)
	sys.createWebhook(recOfMine.URL, `"provider":"mine"`, `"events":["message.received"]`)
	bodies := numbered(64)
	bodies[17] = mine
	results := sys.enqueueBatch(bodies)

	rec.await(63, 20*time.Second)
	old.awaitLog("does not know the provider mine yet")
	for i, result := range results {
		if i == 17 {
			require.Empty(t, sys.event(result.ID).ID, "not in the ledger yet")
			continue
		}
		sys.awaitStates(result.ID, 20*time.Second, "delivered")
	}
	require.Empty(t, recOfMine.all())

	old.stop()
	sys.startWorker(knows)
	require.Equal(t, map[string]int{"delivered": 64}, sys.awaitResult(workflows.SharedWorkflowID(sys.tenant, results[0].ID)))
	require.Len(t, recOfMine.all(), 1)
	rec.requireOnce(t, append(append([]taken{}, results[:17]...), results[18:]...))
}

// batchInARollOut is the story of a batch that comes while its worker does not know
// all of it, and a worker that does comes later.
func batchInARollOut(bodies ...string) func(*system) map[string]string {
	return func(sys *system) map[string]string {
		knows := sys.newProfile()
		sys.start("api", knows).awaitReady()
		old := sys.startWorker()
		sys.createWebhook(newReceiver(sys.t, nil).URL)
		sys.createWebhook(newReceiver(sys.t, nil).URL, `"provider":"mine"`, `"events":["message.received"]`)
		results := sys.enqueueBatch(bodies)
		id := workflows.SharedWorkflowID("acme", results[0].ID)
		sys.await("the old worker to leave some of it", 20*time.Second, func() bool {
			return slices.ContainsFunc(events(sys.t, sys.temporalClient(), id), func(e *historypb.HistoryEvent) bool {
				return e.GetActivityTaskScheduledEventAttributes().GetActivityId() == "later-1"
			})
		})
		old.stop()
		sys.startWorker(knows)
		for _, result := range results {
			sys.awaitStates(result.ID, 30*time.Second, "delivered")
		}
		return map[string]string{"": id}
	}
}
