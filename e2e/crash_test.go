package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWorkerKilledInTheMiddleOfAPost(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{})
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	rec := newReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			select { // the first POST gets no answer before the worker is gone
			case <-hang:
			case <-r.Context().Done():
			}
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	first := sys.start("all").awaitReady()
	w := sys.createWebhook(rec.URL)
	event := sys.enqueue(paid)
	rec.await(1, 10*time.Second)
	first.kill()

	restarted := time.Now()
	sys.start("all").awaitReady()
	got := rec.await(2, 20*time.Second)
	require.Less(t, time.Since(restarted), 15*time.Second)
	require.Equal(t, got[0].header.Get("webhook-id"), got[1].header.Get("webhook-id"), "a repeated POST says so")
	sys.awaitStates(event.ID, 10*time.Second, "delivered")
	require.Len(t, sys.history(w.ID), 1, "the attempt that was cut is not on record, the one that arrived is")
	require.Len(t, rec.all(), 2)
}

func TestRestartInTheMiddleOfARetryWait(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{}), newReceiver(t, statuses(500, 204))
	first := sys.start("all").awaitReady()
	w := sys.createWebhook(rec.URL, `"retry":{"mode":"schedule","delaysSeconds":[4]}`)
	event := sys.enqueue(paid)
	sys.awaitStates(event.ID, 10*time.Second, "retrying")
	first.kill()
	sys.start("all").awaitReady()
	got := rec.await(2, 60*time.Second)
	require.GreaterOrEqual(t, got[1].at.Sub(got[0].at), 3*time.Second, "not before its time")
	sys.awaitStates(event.ID, 10*time.Second, "delivered")
	require.Len(t, sys.history(w.ID), 2)
}

func TestGracefulStopUnderLoadLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{postgres: true})
	rec := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		<-time.After(100 * time.Millisecond) // so that POSTs are in flight whenever the stop comes
		w.WriteHeader(http.StatusNoContent)
	})
	first := sys.start("all").awaitReady()
	sys.createWebhook(rec.URL)

	var group sync.WaitGroup
	var mu sync.Mutex
	taken := map[string]bool{}
	stopping := make(chan struct{})
	for worker := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				id, ok := sys.tryEnqueue(fmt.Sprintf(`{"type":"order.paid","data":{"n":"%d-%d"}}`, worker, i))
				if ok {
					mu.Lock()
					taken[id] = true
					if len(taken) == 150 {
						close(stopping)
					}
					mu.Unlock()
				}
				select {
				case <-stopping:
					if !ok {
						return // the door is shut
					}
				default:
				}
			}
		})
	}
	<-stopping
	first.stop()
	group.Wait()
	sys.start("all").awaitReady()

	rec.await(len(taken), 30*time.Second)
	sys.await("all settled", 20*time.Second, func() bool {
		for id := range taken {
			if d := sys.event(id).Deliveries; len(d) != 1 || d[0].State != "delivered" {
				return false
			}
		}
		return true
	})
	arrived := map[string]int{}
	for _, a := range rec.all() {
		arrived[a.header.Get("webhook-id")]++
	}
	for id := range taken {
		require.Equal(t, 1, arrived[id], "event %s", id)
	}
	require.Len(t, arrived, len(taken), "nothing arrived that was not accepted")
}

// tryEnqueue hands an event over and reports whether it was taken.
func (sys *system) tryEnqueue(body string) (string, bool) {
	request, err := http.NewRequest(http.MethodPost, sys.api+"/api/events", strings.NewReader(body))
	require.NoError(sys.t, err)
	request.Header.Set("Authorization", "Bearer "+sys.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", false
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusAccepted {
		return "", false
	}
	var a struct{ Data accepted }
	require.NoError(sys.t, json.NewDecoder(response.Body).Decode(&a))
	return a.Data.ID, true
}

func TestEventsWaitForAWorker(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{}), newReceiver(t, nil)
	door := sys.start("api")
	sys.await("the API", 30*time.Second, func() bool {
		response, err := http.Get(sys.api + "/healthz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return true
	})
	sys.createWebhook(rec.URL)
	for i := range 20 {
		sys.enqueue(`{"type":"order.paid","data":{"n":` + strconv.Itoa(i) + `}}`)
	}
	require.Empty(t, rec.all())
	sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort())) // its health and metrics
	rec.await(20, 30*time.Second)
	door.stop()
}

func TestTemporalDownIs503AtTheDoor(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{})
	p := sys.start("api", "POSTHASTE_TEMPORAL_ADDRESS="+fmt.Sprintf("127.0.0.1:%d", freePort()))
	select {
	case <-p.done:
		require.Error(t, p.exit, "a server that starts without Temporal says so and exits")
		return
	case <-time.After(15 * time.Second):
	}
	code, a := sys.call("POST", "/api/events", paid)
	require.Equal(t, http.StatusServiceUnavailable, code, a.raw)
	require.Equal(t, "UNAVAILABLE", a.Code)
	require.NotEmpty(t, a.header.Get("Retry-After"))
}
