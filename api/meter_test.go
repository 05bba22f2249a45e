package api

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/workflows"

	"github.com/stretchr/testify/require"
)

// tally is a meter that remembers what it was told.
type tally struct {
	mu       sync.Mutex
	requests []request
	events   []string
	shed     int
}

// request is what a meter hears of one.
type request struct {
	method, route string
	status        int
}

func (m *tally) Requested(method, route string, status int, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, request{method, route, status})
}

func (m *tally) Accepted(provider string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, provider)
}

func (m *tally) Shed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.shed++
}

// exporter stands for the one of the process.
var exporter = http.HandlerFunc(func(writer http.ResponseWriter, _ *http.Request) {
	writer.Header().Set("Content-Type", "text/plain; version=0.0.4")
	_, _ = writer.Write([]byte("posthaste_events_total 1\n"))
})

func TestRequestsAreMeasuredByTheRouteTable(t *testing.T) {
	t.Parallel()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		w := newWorld(t, store, "measured")
		for _, row := range []struct{ method, path, body string }{
			{http.MethodGet, w.fill("/api/webhooks/{webhook}"), ""},
			{http.MethodGet, w.fill("/api/webhooks/{missing}"), ""},
			{http.MethodPost, "/api/events", "{"},
			{http.MethodGet, "/wp-login.php", ""},
			{"BREW", "/api/webhooks", ""},
		} {
			w.send(t, row.method, row.path, row.body, nil)
		}
		require.Equal(t, []request{
			{"GET", "/api/webhooks/:id", 200}, {"GET", "/api/webhooks/:id", 404}, {"POST", "/api/events", 400},
			{"", "", 404}, {"", "", 404},
		}, w.meter.requests)
	})
}

func TestAcceptedEventsAreCountedOnce(t *testing.T) {
	t.Parallel()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		w := newWorld(t, store, "counted")
		require.Equal(t, 202, w.send(t, http.MethodPost, "/api/events", orderPaid, nil).status)
		require.Equal(t, 202, w.send(t, http.MethodPost, "/api/events/batch", `{"events":[`+orderPaid+`,{"type":"x"},`+orderPaid+`]}`, nil).status)
		require.Equal(t, 400, w.send(t, http.MethodPost, "/api/events", `{"type":"x"}`, nil).status)
		require.Equal(t, []string{"standard", "standard", "standard"}, w.meter.events)

		w.starter.deliver = func(webhook.Event) (workflows.Accepted, error) { return workflows.Accepted{Duplicate: true}, nil }
		require.Equal(t, 200, w.send(t, http.MethodPost, "/api/events", orderPaid, nil).status)
		require.Len(t, w.meter.events, 3, "a duplicate was counted before")
	})
}
