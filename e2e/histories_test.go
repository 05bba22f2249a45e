package e2e

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"posthaste/codec"
	"posthaste/workflows"
)

var record = flag.Bool("record", false, "write the histories of the stories to workflows/testdata/histories")

// TestStoriesReplay runs every story for real and replays its history on the
// present code. With -record the histories are kept, and later code must replay
// them too (workflows/replay_test.go).
func TestStoriesReplay(t *testing.T) {
	t.Parallel()
	for name, tell := range stories() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := up
			if strings.HasPrefix(name, "batch-with-") || name == "another-turn" {
				begin = install // the story is about the process, or about which is there when
			}
			sys := begin(t, settings{postgres: name == "fan-out-over-pages"})
			for suffix, workflowID := range tell(sys) {
				c := sys.temporalClient()
				_ = c.GetWorkflow(t.Context(), workflowID, "").Get(t.Context(), nil) // a cancelled one ends with an error
				history := &historypb.History{Events: events(t, c, workflowID)}
				replay(t, history, worker.WorkflowReplayerOptions{})
				sealed := &historypb.History{Events: events(t, sys.strangersClient(), workflowID)}
				replay(t, sealed, worker.WorkflowReplayerOptions{
					DataConverter: codec.DataConverter(sys.keys()), FailureConverter: codec.FailureConverter(sys.keys()),
				})
				if *record { // opened, so that replaying needs no key

					save(t, name+suffix, history)
				}
			}
		})
	}
}

// fanOut makes so many webhooks at a receiver, each with a path of its own.
func fanOut(sys *system, rec *receiver, webhooks int, members ...string) {
	for i := range webhooks {
		sys.createWebhook(fmt.Sprintf("%s/%d", rec.URL, i), members...)
	}
}

// stories are the ways an event can go. Each returns the workflows to look at,
// by a suffix for the file's name.
func stories() map[string]func(*system) map[string]string {
	one := func(event accepted) map[string]string {
		return map[string]string{"": workflows.EventWorkflowID("acme", event.ID)}
	}
	return map[string]func(*system) map[string]string{
		"all-delivered": func(sys *system) map[string]string {
			rec := newReceiver(sys.t, nil)
			sys.createWebhook(rec.URL + "/1")
			sys.createWebhook(rec.URL + "/2")
			event := sys.enqueue(paid)
			sys.awaitStates(event.ID, 10*time.Second, "delivered", "delivered")
			return one(event)
		},
		"one-fails-then-succeeds": func(sys *system) map[string]string {
			sys.createWebhook(newReceiver(sys.t, nil).URL)
			sys.createWebhook(newReceiver(sys.t, statuses(500, 200)).URL, `"retry":{"mode":"schedule","delaysSeconds":[1]}`)
			event := sys.enqueue(paid)
			sys.awaitStates(event.ID, 20*time.Second, "delivered", "delivered")
			return one(event)
		},
		"exhausted": func(sys *system) map[string]string {
			sys.createWebhook(newReceiver(sys.t, status(500)).URL, `"retry":{"mode":"schedule","delaysSeconds":[1,1]}`)
			event := sys.enqueue(paid)
			sys.awaitStates(event.ID, 20*time.Second, "failed")
			return one(event)
		},
		"never": func(sys *system) map[string]string {
			sys.createWebhook(newReceiver(sys.t, status(500)).URL, `"retry":{"mode":"never"}`)
			event := sys.enqueue(paid)
			sys.awaitStates(event.ID, 10*time.Second, "failed")
			return one(event)
		},
		"gone": func(sys *system) map[string]string {
			sys.createWebhook(newReceiver(sys.t, status(410)).URL)
			event := sys.enqueue(paid)
			sys.awaitStates(event.ID, 10*time.Second, "failed")
			return one(event)
		},
		"batch": func(sys *system) map[string]string {
			sys.createWebhook(newReceiver(sys.t, nil).URL)
			sys.createWebhook(newReceiver(sys.t, statuses(500, 200)).URL, `"retry":{"mode":"schedule","delaysSeconds":[1]}`)
			results := sys.enqueueBatch([]string{paid, paid, paid})
			for _, result := range results {
				sys.awaitStates(result.ID, 20*time.Second, "delivered", "delivered")
			}
			return map[string]string{"": workflows.SharedWorkflowID("acme", results[0].ID)}
		},
		"batch-with-one-unknown-yet": batchInARollOut(paid, mine, paid),
		"batch-with-none-known-yet":  batchInARollOut(mine, mine),
		"another-turn": func(sys *system) map[string]string {
			// One call of a tenant at a time: the first finds room, the others come again.
			sys.start("all", "POSTHASTE_FAST_SLOTS=4", "POSTHASTE_POLLERS=2").awaitReady()
			rec := newReceiver(sys.t, func(int, http.ResponseWriter, *http.Request) { <-time.After(200 * time.Millisecond) })
			fanOut(sys, rec, 3)
			event := sys.enqueue(paid)
			sys.awaitStates(event.ID, 20*time.Second, "delivered", "delivered", "delivered")
			return one(event)
		},
		"slices": func(sys *system) map[string]string {
			rec := newReceiver(sys.t, nil)
			fanOut(sys, rec, 30)
			event := sys.enqueue(paid)
			rec.await(30, 20*time.Second)
			return one(event)
		},
		"fan-out-over-pages": func(sys *system) map[string]string {
			rec := newReceiver(sys.t, nil)
			fanOut(sys, rec, 110)
			event := sys.enqueue(paid)
			rec.await(110, 30*time.Second)
			parent := workflows.EventWorkflowID("acme", event.ID)
			return map[string]string{"": parent, "-child": workflows.PageWorkflowID("acme", event.ID, 2)}
		},
		"fan-out-in-waves": func(sys *system) map[string]string {
			rec := newReceiver(sys.t, nil)
			fanOut(sys, rec, 510)
			event := sys.enqueue(paid)
			rec.await(510, 60*time.Second)
			return one(event)
		},
		"fan-out-cancelled": func(sys *system) map[string]string {
			rec := newReceiver(sys.t, status(500))
			fanOut(sys, rec, 510, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
			event := sys.enqueue(paid)
			rec.await(1, 20*time.Second)
			parent := workflows.EventWorkflowID("acme", event.ID)
			require.NoError(sys.t, sys.temporalClient().CancelWorkflow(sys.t.Context(), parent, ""))
			_ = sys.temporalClient().GetWorkflow(sys.t.Context(), parent, "").Get(sys.t.Context(), nil)  // it ends as cancelled
			return map[string]string{"": parent, "-page": workflows.PageWorkflowID("acme", event.ID, 6)} // given up before it began
		},
		"cancelled-while-waiting": func(sys *system) map[string]string {
			sys.createWebhook(newReceiver(sys.t, status(500)).URL, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
			event := sys.enqueue(paid)
			sys.awaitStates(event.ID, 10*time.Second, "retrying")
			id := workflows.EventWorkflowID("acme", event.ID)
			require.NoError(sys.t, sys.temporalClient().CancelWorkflow(sys.t.Context(), id, ""))
			sys.awaitStates(event.ID, 20*time.Second, "cancelled")
			return one(event)
		},
		"retry-now": func(sys *system) map[string]string {
			sys.createWebhook(newReceiver(sys.t, statuses(500, 200)).URL, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
			event := sys.enqueue(paid)
			delivery := sys.awaitStates(event.ID, 10*time.Second, "retrying")[0]
			code, a := sys.call("POST", "/api/deliveries/"+delivery.ID+"/retry", "")
			require.Equal(sys.t, 202, code, a.raw)
			sys.awaitStates(event.ID, 20*time.Second, "delivered")
			return one(event)
		},
		"resend": func(sys *system) map[string]string {
			sys.createWebhook(newReceiver(sys.t, statuses(500, 200)).URL, `"retry":{"mode":"never"}`)
			event := sys.enqueue(paid)
			delivery := sys.awaitStates(event.ID, 10*time.Second, "failed")[0]
			settled, err := time.Parse(time.RFC3339, delivery.SettledAt)
			require.NoError(sys.t, err)
			code, a := sys.call("POST", "/api/deliveries/"+delivery.ID+"/retry", "")
			require.Equal(sys.t, 202, code, a.raw)
			sys.awaitStates(event.ID, 20*time.Second, "delivered")
			return map[string]string{"": workflows.ResendWorkflowID("acme", delivery.ID, settled)}
		},
		"prune": func(sys *system) map[string]string {
			id, _ := sys.pruned()
			return map[string]string{"": id}
		},
		"replay": func(sys *system) map[string]string {
			const deliveries = 12
			rec := newReceiver(sys.t, func(n int, w http.ResponseWriter, _ *http.Request) {
				if n <= deliveries || n == 2*deliveries { // the last one fails again, and is waited for
					w.WriteHeader(http.StatusInternalServerError)
				}
			})
			w := sys.createWebhook(rec.URL, `"retry":{"mode":"never"}`)
			sys.failing(rec, w, deliveries)
			code, a := sys.call("PATCH", "/api/webhooks/"+w.ID, `{"retry":{"mode":"schedule","delaysSeconds":[4]}}`)
			require.Equal(sys.t, 200, code, a.raw)
			replay := sys.replay(w.ID, `,"perSecond":5`)
			sys.awaitReplay(replay.ID, "completed", 30*time.Second)
			return map[string]string{"": workflows.ReplayWorkflowID("acme", w.ID), "-page": workflows.ReplayPageWorkflowID("acme", replay.ID, 1)}
		},
		"replay-cancelled": func(sys *system) map[string]string {
			rec := newReceiver(sys.t, status(500))
			w := sys.createWebhook(rec.URL, `"retry":{"mode":"never"}`)
			sys.failing(rec, w, 6)
			code, a := sys.call("PATCH", "/api/webhooks/"+w.ID, `{"retry":{"mode":"schedule","delaysSeconds":[3600]}}`)
			require.Equal(sys.t, 200, code, a.raw)
			replay := sys.replay(w.ID, `,"perSecond":2`)
			sys.await("some of it", 20*time.Second, func() bool { return sys.replayNow(replay.ID).Progress.Reopened >= 2 })
			code, a = sys.call("DELETE", "/api/replays/"+replay.ID, "")
			require.Equal(sys.t, 202, code, a.raw)
			sys.awaitReplay(replay.ID, "cancelled", 20*time.Second)
			return map[string]string{"": workflows.ReplayWorkflowID("acme", w.ID), "-page": workflows.ReplayPageWorkflowID("acme", replay.ID, 1)}
		},
		"duplicate-run": func(sys *system) map[string]string {
			rec := newReceiver(sys.t, nil)
			sys.createWebhook(rec.URL)
			event := sys.enqueue(paid)
			sys.awaitStates(event.ID, 10*time.Second, "delivered")
			// A second workflow for an event that the ledger already has, as
			// after the retention of the first has passed.
			c, first := sys.temporalClient(), workflows.EventWorkflowID("acme", event.ID)
			var input workflows.DeliverEventInput
			startedWith(sys.t, c, first, &input)
			_, err := c.ExecuteWorkflow(sys.t.Context(), client.StartWorkflowOptions{
				ID: first + "/again", TaskQueue: workflows.TaskQueue,
			}, workflows.DeliverEvent, input)
			require.NoError(sys.t, err)
			var result workflows.DeliverEventResult
			require.NoError(sys.t, c.GetWorkflow(sys.t.Context(), first+"/again", "").Get(sys.t.Context(), &result))
			require.Equal(sys.t, map[string]int{"duplicate": 1}, result.Deliveries)
			require.Len(sys.t, rec.all(), 1)
			return map[string]string{"": first + "/again"}
		},
	}
}

func replay(t *testing.T, history *historypb.History, options worker.WorkflowReplayerOptions) {
	t.Helper()
	replayer, err := worker.NewWorkflowReplayerWithOptions(options)
	require.NoError(t, err)
	replayer.RegisterWorkflow(workflows.DeliverEvent)
	replayer.RegisterWorkflow(workflows.DeliverPage)
	replayer.RegisterWorkflow(workflows.ResendDelivery)
	replayer.RegisterWorkflow(workflows.PruneHistory)
	replayer.RegisterWorkflow(workflows.ReplayDeliveries)
	replayer.RegisterWorkflow(workflows.ReplayPage)
	require.NoError(t, replayer.ReplayWorkflowHistory(quiet{}, history))
}

func save(t *testing.T, name string, history *historypb.History) {
	t.Helper()
	text, err := protojson.MarshalOptions{Indent: " "}.Marshal(history)
	require.NoError(t, err)
	folder := filepath.Join("..", "workflows", "testdata", "histories")
	require.NoError(t, os.MkdirAll(folder, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, name+".json"), text, 0o644))
}
