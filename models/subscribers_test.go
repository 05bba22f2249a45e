package models_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

// keyedID is an id that does not tell when its event was accepted.
func keyedID() string { return uuid.NewString() }

func (w world) change(hook models.Webhook, change func(h *models.Webhook)) {
	w.t.Helper()
	_, err := w.store.UpdateWebhook(w.t.Context(), byTest, hook.Tenant, hook.ID, func(h *models.Webhook) error {
		change(h)
		return nil
	})
	require.NoError(w.t, err)
}

func (w world) pause(hook models.Webhook) {
	w.t.Helper()
	w.change(hook, func(h *models.Webhook) { h.Status = models.StatusPaused })
}

// offered plans an event and returns the webhooks that it was offered last.
func (w world) offered() []models.Webhook {
	w.t.Helper()
	var last []models.Webhook
	in := models.ResolveInput{Events: w.events("acme", 1), Match: func(_ models.Event, hooks []models.Webhook) []models.Match {
		last = slices.Clone(hooks)
		return nil
	}}
	_, err := w.store.Resolve(w.t.Context(), in)
	require.NoError(w.t, err)
	return last
}

// bothProcesses are two stores on one database.
func bothProcesses(t *testing.T, kind modelstest.Kind) (here, there world) {
	t.Helper()
	url := modelstest.URL(t, kind)
	return world{t, modelstest.OpenWith(t, models.Options{URL: url})}, world{t, modelstest.OpenWith(t, models.Options{URL: url})}
}

// Whatever changes in one process, the next event in another finds it so.
func TestAnEventSeesWhatAnotherProcessChanged(t *testing.T) {
	t.Parallel()
	failed, succeeded := true, false
	record := func(w world, hook models.Webhook, counts *bool, breaks int) {
		step, code := models.StepDeliver, 200
		if *counts {
			step, code = models.StepFailFinal, 500
		}
		require.NoError(w.t, w.store.Record(w.t.Context(), models.Record{
			Delivery: w.deliveryTo(hook), Step: step, Attempt: attempt(code), WebhookFailed: counts, BrokenAfter: breaks,
		}))
	}
	for _, kind := range modelstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			here, there := bothProcesses(t, kind)
			hook := there.webhook("acme")
			for i, change := range []func(){
				func() {},
				func() { there.webhook("acme") },
				func() { there.pause(hook) },
				func() { there.change(hook, func(h *models.Webhook) { h.Status = models.StatusActive }) },
				func() { there.change(hook, func(h *models.Webhook) { h.Events = []string{"order.shipped"} }) },
				func() { there.change(hook, func(h *models.Webhook) { h.URL += "/new" }) },
				func() { there.change(hook, func(h *models.Webhook) { h.MaxPerSecond = 5 }) },
				func() { there.change(hook, func(h *models.Webhook) { h.Filters.ListID = "9" }) },
				func() { record(there, hook, &failed, 0) },
				func() { record(there, hook, &failed, 0) },
				func() { record(there, hook, &succeeded, 0) },
				func() { record(there, hook, &failed, 1) }, // broken
				func() { require.NoError(t, there.store.DeleteWebhook(t.Context(), byTest, "acme", hook.ID)) },
				func() { hook = there.webhook("acme") },
				func() { here.pause(hook) },
			} {
				change()
				page, err := there.store.Webhooks(t.Context(), models.WebhookFilter{Tenant: "acme"})
				require.NoError(t, err)
				want := page.Items
				slices.Reverse(want)
				for i := range want {
					h := &want[i]
					h.Secret, h.PreviousSecret, h.Headers = "", "", nil
					h.FailedInARow, h.FailingSince = min(h.FailedInARow, 1), nil
				}
				require.Equal(t, want, here.offered(), i)
				require.Equal(t, want, here.offered(), "%d, from memory", i)
			}
		})
	}
}

// slot is a webhook that one writer keeps changing.
type slot struct {
	mu     sync.Mutex
	round  int // odd while a change is under way
	id     string
	status string // "" = there is none
}

func (s *slot) state() (round int, id, status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.round, s.id, s.status
}

// turn makes the next change of a slot: created, paused, resumed, deleted.
func (w world) turn(s *slot) {
	w.t.Helper()
	_, id, status := s.state()
	s.mu.Lock()
	s.round++
	s.mu.Unlock()
	hook := models.Webhook{Tenant: "acme", ID: id}
	switch {
	case status == "":
		id, status = w.webhook("acme").ID, models.StatusActive
	case status == models.StatusActive && s.round%3 != 0:
		w.pause(hook)
		status = models.StatusPaused
	case status == models.StatusPaused:
		w.change(hook, func(h *models.Webhook) { h.Status = models.StatusActive })
		status = models.StatusActive
	default:
		require.NoError(w.t, w.store.DeleteWebhook(w.t.Context(), byTest, "acme", id))
		status = ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.round, s.id, s.status = s.round+1, id, status
}

// Two processes change webhooks and plan events at the same time. An event that
// is planned while a webhook is left alone finds it as it is.
func TestEventsAndChangesAtTheSameTime(t *testing.T) {
	t.Parallel()
	for _, kind := range modelstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			here, there := bothProcesses(t, kind)
			slots := []*slot{{}, {}, {}}
			var writers, readers sync.WaitGroup
			done := make(chan struct{})
			for i, s := range slots {
				writers.Go(func() {
					w := []world{here, there}[i%2]
					for range 40 {
						w.turn(s)
						w.offered() // so that there is time between two changes
					}
				})
			}
			var mu sync.Mutex
			checked := map[string]int{}
			for _, w := range []world{here, there, here, there} {
				readers.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
						}
						for status, n := range w.compare(slots) {
							mu.Lock()
							checked[status] += n
							mu.Unlock()
						}
					}
				})
			}
			writers.Wait()
			close(done)
			readers.Wait()
			for _, status := range []string{models.StatusActive, models.StatusPaused, ""} {
				require.NotZero(t, checked[status], "status %q was never looked at", status)
			}
		})
	}
}

// compare plans an event and holds what it was offered against the slots that did
// not change meanwhile. It counts those by status.
func (w world) compare(slots []*slot) map[string]int {
	w.t.Helper()
	rounds := make([]int, len(slots))
	for i, s := range slots {
		rounds[i], _, _ = s.state()
	}
	offered := w.offered()
	checked := map[string]int{}
	for i, s := range slots {
		round, id, status := s.state()
		if round != rounds[i] || round%2 == 1 {
			continue
		}
		checked[status]++
		found := ""
		if at := slices.IndexFunc(offered, func(h models.Webhook) bool { return h.ID == id }); at >= 0 {
			found = offered[at].Status
		}
		if found != status {
			w.t.Errorf("webhook %s is %q since before the event, which saw %q", id, status, found)
		}
	}
	return checked
}

// Each column that matching reads changes the version when it changes, whoever
// changes it; what a delivery writes does not.
func TestVersionFollowsEveryColumnOfMatching(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		version := func() string {
			list, err := w.store.Texts("SELECT version FROM subscribers WHERE tenant = 'acme' AND provider = 'standard'")
			require.NoError(t, err)
			require.Len(t, list, 1)
			return list[0]
		}
		values := map[string]any{
			"timeout_seconds": 7, "max_per_second": 8, "retry": `{"mode":"never"}`,
			"status_at": models.Instant(now().Add(time.Hour)), "updated_at": models.Instant(now().Add(time.Hour)),
			"previous_secret_until": models.Instant(now()),
		}
		never := []string{"id", "tenant", "provider", "created_at"}
		health := []string{"failed_in_a_row", "failing_since"}
		for _, column := range models.OpenColumns() {
			if slices.Contains(never, column) || slices.Contains(health, column) {
				continue
			}
			value := values[column]
			if value == nil {
				value = "another"
			}
			before := version()
			update := fmt.Sprintf("UPDATE webhooks SET %s = ? WHERE id = ?", column)
			require.NoError(t, w.store.Exec(update, value, hook.ID))
			require.NotEqual(t, before, version(), column)
			before = version()
			require.NoError(t, w.store.Exec(update, value, hook.ID))
			require.Equal(t, before, version(), "%s, set to what it is", column)
		}
		before := version()
		require.NoError(t, w.store.Exec("UPDATE webhooks SET failed_in_a_row = 3, failing_since = ?, paced_until = ?, secret = NULL",
			models.Instant(now()), models.Instant(now())))
		require.Equal(t, before, version())
	})
}

// What a process keeps is bounded; the newest is kept unless it is too large.
func TestKeptSubscriptionsAreBounded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		lists, bytes, kept int
		last               bool
	}{
		{1, models.MaxKept / 2, 1, true},
		{1, models.MaxKept/2 + 1, 0, false},
		{10, models.MaxKept / 4, 4, true},
		{1000, models.MaxKept / 1000, 1000, true},
	} {
		kept, last := models.KeepSubscriptions(c.lists, c.bytes)
		require.Equal(t, c.kept, kept, c)
		require.Equal(t, c.last, last, c)
	}
}
