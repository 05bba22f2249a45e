package e2e

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
)

// Temporal lets a workflow have so many signals: whoever asks for the same attempt
// again and again uses up one of them, and when there are none left for others it
// is said, and nothing else happens to them.
func TestAFloodOfRetriesLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	const limit = 3
	own := ownTemporal(t, "history.maximumSignalsPerExecution=3")
	sys := up(t, settings{temporal: own})
	slow := newReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n > 1 {
			hang(n, w, r)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	fails := newReceiver(t, status(http.StatusInternalServerError))
	const waits = `"retry":{"mode":"schedule","delaysSeconds":[3600,3600]}`
	flooded := sys.createWebhook(slow.URL, waits)
	for _, path := range []string{"/a", "/b", "/c"} {
		sys.createWebhook(fails.URL+path, waits)
	}
	event := sys.enqueue(paid)
	deliveries := sys.awaitStates(event.ID, recovery, "retrying", "retrying", "retrying", "retrying")
	retry := func(d seenDelivery) (int, answer) { return sys.call("POST", "/api/deliveries/"+d.ID+"/retry", "") }

	var others []seenDelivery
	for _, d := range deliveries {
		if d.WebhookID != flooded.ID {
			others = append(others, d)
			continue
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				for range 10 {
					if code, a := retry(d); code != http.StatusAccepted {
						t.Errorf("%d: %s", code, a.raw)
					}
				}
			})
		}
		all.Wait()
	}
	slow.await(2, 10*time.Second)
	c, id := sys.temporalClient(), "event/acme/"+event.ID
	signals := func() (count int) {
		for _, e := range events(t, c, id) {
			if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED {
				count++
			}
		}
		return count
	}
	require.Equal(t, 1, signals(), "a hundred requests for one attempt")

	for _, d := range others[:limit-1] {
		code, a := retry(d)
		require.Equal(t, http.StatusAccepted, code, a.raw)
	}
	fails.await(limit+limit-1, 10*time.Second)
	code, a := retry(others[limit-1])
	require.Equal(t, http.StatusConflict, code, a.raw)
	require.Contains(t, a.raw, "too often")
	require.Equal(t, limit, signals())
	_, a = sys.call("GET", "/api/deliveries/"+others[limit-1].ID, "")
	require.Equal(t, "retrying", into[seenDelivery](t, a).State, "nobody has taken it over")
	require.Len(t, fails.all(), limit+limit-1)
}
