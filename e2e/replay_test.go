package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/workflows"
)

// seenReplay is a replay as the API answers it.
type seenReplay struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Count    int    `json:"count"`
	Progress struct {
		Found, Reopened, Delivered, Failed, Skipped, Cancelled int
	} `json:"progress"`
}

func (sys *system) replay(webhookID, members string) seenReplay {
	sys.t.Helper()
	code, a := sys.call("POST", "/api/webhooks/"+webhookID+"/replay", `{"since":"2020-01-01T00:00:00Z"`+members+`}`)
	require.Equal(sys.t, http.StatusAccepted, code, a.raw)
	return into[seenReplay](sys.t, a)
}

func (sys *system) replayNow(id string) seenReplay {
	sys.t.Helper()
	code, a := sys.call("GET", "/api/replays/"+id, "")
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	return into[seenReplay](sys.t, a)
}

func (sys *system) awaitReplay(id, state string, within time.Duration) seenReplay {
	sys.t.Helper()
	var now seenReplay
	deadline := time.Now().Add(within)
	for now = sys.replayNow(id); now.State != state; now = sys.replayNow(id) {
		require.True(sys.t, time.Now().Before(deadline), "want %s, have %+v", state, now)
		<-time.After(50 * time.Millisecond)
	}
	return now
}

// failing enqueues events that fail at the webhook, and waits until all have.
func (sys *system) failing(rec *receiver, w hook, n int) (eventIDs []string) {
	sys.t.Helper()
	for range n {
		eventIDs = append(eventIDs, sys.enqueue(paid).ID)
	}
	rec.await(n, 60*time.Second)
	sys.await("all on record as failed", 30*time.Second, func() bool { return sys.preview(w.ID, "failed") == n })
	return eventIDs
}

func (sys *system) preview(webhookID, status string) int {
	sys.t.Helper()
	code, a := sys.call("POST", "/api/webhooks/"+webhookID+"/replay", fmt.Sprintf(`{"since":"2020-01-01T00:00:00Z","status":%q,"dryRun":true}`, status))
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	return into[seenReplay](sys.t, a).Count
}

// TestReplaySendsWhatFailedOnceMore lets a process die in the middle of a
// replay: each delivery arrives once more, and the rate holds throughout.
func TestReplaySendsWhatFailedOnceMore(t *testing.T) {
	t.Parallel()
	const deliveries, perSecond = 120, 20
	sys := install(t, settings{postgres: true})
	first := sys.start("all").awaitReady()
	rec := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n <= deliveries {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	w := sys.createWebhook(rec.URL, `"retry":{"mode":"never"}`)
	ids := sys.failing(rec, w, deliveries)
	require.Zero(t, sys.preview(w.ID, "skipped"))
	require.Equal(t, deliveries, sys.preview(w.ID, "undelivered"))

	replay := sys.replay(w.ID, fmt.Sprintf(`,"perSecond":%d`, perSecond))
	require.Equal(t, []any{"running", deliveries}, []any{replay.State, replay.Count})
	code, a := sys.call("POST", "/api/webhooks/"+w.ID+"/replay", `{"since":"2020-01-01T00:00:00Z"}`)
	require.Equal(t, http.StatusConflict, code, a.raw)
	require.Contains(t, a.Message, "is running")

	other := sys.as(t, "globex")
	for _, call := range [][2]string{
		{"GET", "/api/replays/" + replay.ID}, {"DELETE", "/api/replays/" + replay.ID}, {"GET", "/api/webhooks/" + w.ID + "/replays"},
	} {
		code, a = other.call(call[0], call[1], "")
		require.Equal(t, http.StatusNotFound, code, a.raw)
	}

	var seen []int
	sys.await("the replay under way", 20*time.Second, func() bool {
		seen = append(seen, sys.replayNow(replay.ID).Progress.Delivered)
		return seen[len(seen)-1] >= 2*perSecond
	})
	require.Less(t, seen[len(seen)-1], deliveries)
	first.kill() // in the pause behind what is on record
	sys.start("all").awaitReady()
	done := sys.awaitReplay(replay.ID, "completed", 60*time.Second)
	require.Equal(t, []int{deliveries, deliveries, deliveries, 0}, []int{done.Progress.Found, done.Progress.Reopened, done.Progress.Delivered, done.Progress.Failed})

	arrivals := rec.all()[deliveries:]
	arrived := map[string]int{}
	for _, a := range arrivals {
		arrived[a.header.Get("webhook-id")]++
	}
	for _, id := range ids {
		require.Equal(t, 1, arrived[id], "event %s", id)
	}
	require.Len(t, arrivals, deliveries)
	for i := 2 * perSecond; i < len(arrivals); i++ { // two chunks may touch, three may not
		require.Greater(t, arrivals[i].at.Sub(arrivals[i-2*perSecond].at), 700*time.Millisecond, "at most %d in a second", perSecond)
	}
	require.Zero(t, sys.preview(w.ID, "failed"))
	require.Len(t, sys.history(w.ID), 100, "a full page")
}

// TestReplayIsCancelled stops a replay whose receiver is down again.
func TestReplayIsCancelled(t *testing.T) {
	t.Parallel()
	const deliveries = 60
	sys := up(t, settings{})
	rec := newReceiver(t, status(500))
	w := sys.createWebhook(rec.URL, `"retry":{"mode":"never"}`)
	sys.failing(rec, w, deliveries)
	code, a := sys.call("PATCH", "/api/webhooks/"+w.ID, `{"retry":{"mode":"schedule","delaysSeconds":[3600]}}`)
	require.Equal(t, http.StatusOK, code, a.raw)

	replay := sys.replay(w.ID, `,"perSecond":5`)
	sys.await("some of it", 20*time.Second, func() bool { return sys.replayNow(replay.ID).Progress.Reopened >= 10 })
	code, a = sys.call("DELETE", "/api/replays/"+replay.ID, "")
	require.Equal(t, http.StatusAccepted, code, a.raw)
	done := sys.awaitReplay(replay.ID, "cancelled", 20*time.Second)
	require.Less(t, done.Progress.Reopened, deliveries)
	require.Equal(t, done.Progress.Reopened, done.Progress.Cancelled, "all that waited")
	require.Zero(t, done.Progress.Failed)
	require.Zero(t, sys.preview(w.ID, "cancelled"))
	require.Equal(t, deliveries, sys.preview(w.ID, "failed"), "all are as they were")
	code, a = sys.call("DELETE", "/api/replays/"+replay.ID, "")
	require.Equal(t, http.StatusConflict, code, a.raw)

	// Another one may begin with all of them, and a webhook that is paused stops it.
	next := sys.replay(w.ID, `,"perSecond":5`)
	require.Equal(t, deliveries, next.Count)
	sys.await("some of it", 20*time.Second, func() bool { return sys.replayNow(next.ID).Progress.Reopened >= 5 })
	code, a = sys.call("PATCH", "/api/webhooks/"+w.ID, `{"isActive":false}`)
	require.Equal(t, http.StatusOK, code, a.raw)
	sys.await("no more reopened", 20*time.Second, func() bool {
		before := sys.replayNow(next.ID).Progress.Reopened
		<-time.After(2500 * time.Millisecond)
		return sys.replayNow(next.ID).Progress.Reopened == before
	})
	require.Less(t, sys.replayNow(next.ID).Progress.Reopened, deliveries)
	code, a = sys.call("POST", "/api/webhooks/"+w.ID+"/replay", `{"since":"2020-01-01T00:00:00Z"}`)
	require.Equal(t, http.StatusConflict, code, a.raw)
	require.Contains(t, a.Message, "paused")
}

// TestCancellingLeavesDeliveredOnesDelivered cancels a replay of everything, and
// then a retry, whose receiver is down: what it has, the history does not deny.
func TestCancellingLeavesDeliveredOnesDelivered(t *testing.T) {
	t.Parallel()
	const deliveries = 30
	sys := up(t, settings{})
	rec := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n > deliveries {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	w := sys.createWebhook(rec.URL, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
	var events []string
	for range deliveries {
		events = append(events, sys.enqueue(paid).ID)
	}
	for _, id := range events {
		sys.awaitStates(id, 20*time.Second, "delivered")
	}

	replay := sys.replay(w.ID, `,"perSecond":5,"status":"all"`)
	require.Equal(t, deliveries, replay.Count)
	sys.await("some of it sent and failed", 20*time.Second, func() bool { return len(rec.all()) >= deliveries+5 })
	code, a := sys.call("DELETE", "/api/replays/"+replay.ID, "")
	require.Equal(t, http.StatusAccepted, code, a.raw)
	done := sys.awaitReplay(replay.ID, "cancelled", 20*time.Second)
	require.GreaterOrEqual(t, done.Progress.Cancelled, 5)
	require.Equal(t, []int{done.Progress.Reopened, 0}, []int{done.Progress.Cancelled, done.Progress.Delivered}, "the replay delivered nothing")
	require.Zero(t, sys.preview(w.ID, "undelivered"))
	require.Equal(t, deliveries, sys.preview(w.ID, "all"))

	// The oldest was among them. Retry sends it once more, and again after that.
	id := sys.event(events[0]).Deliveries[0].ID
	type detail struct {
		State, Reason string
		SettledAt     time.Time
		Attempts      []struct{ Success bool }
	}
	for tries := 2; tries < 4; tries++ {
		code, a = sys.call("GET", "/api/deliveries/"+id, "")
		require.Equal(t, http.StatusOK, code, a.raw)
		was := into[detail](t, a)
		require.Equal(t, []any{"delivered", "resend_cancelled"}, []any{was.State, was.Reason})
		require.Len(t, was.Attempts, tries, "what was tried in vain is on record")
		code, a = sys.call("POST", "/api/deliveries/"+id+"/retry", "")
		require.Equal(t, http.StatusAccepted, code, a.raw)
		sys.awaitStates(events[0], 20*time.Second, "retrying")
		require.NoError(t, sys.temporalClient().CancelWorkflow(t.Context(), workflows.ResendWorkflowID(sys.tenant, id, was.SettledAt), ""))
		sys.awaitStates(events[0], 20*time.Second, "delivered")
	}
}
