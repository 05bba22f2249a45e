package activities

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
	"posthaste/webhook/provider"
)

// What is told has the members of the catalogue's sample, in its order.
func TestNoticesAreTheCataloguesEvents(t *testing.T) {
	t.Parallel()
	registry, err := provider.Load("")
	require.NoError(t, err)
	profile, err := registry.Profile(models.OperationsProvider)
	require.NoError(t, err)
	require.True(t, profile.Internal())
	require.Equal(t, []string{models.NoticeDisabled, models.NoticeGone, models.NoticeBroken, models.NoticeExhausted}, profile.EventNames())
	for _, entry := range profile.EventTypes() {
		status := 503
		n := models.Notice{
			ID: "01971c52-7b1e-7c11-9d6a-4f1f5f0b2a10", Tenant: "acme", Type: entry.Type, At: time.Date(2026, 5, 30, 10, 0, 0, 999, time.UTC),
			WebhookID: "01971c40-0000-7000-8000-00000000000a", WebhookName: "CRM", Provider: "standard", Host: "hooks.acme.dev", Reason: "server_error",
		}
		if entry.Type == models.NoticeExhausted {
			n.DeliveryID, n.EventID = "01971c52-7b96-7d22-8e5b-6a7b8c9d0e1f", "01971c52-7b1e-7c11-9d6a-4f1f5f0b2a10"
			n.EventType, n.Attempts, n.StatusCode = "order.paid", 8, &status
		}
		event, err := eventOfNotice(n)
		require.NoError(t, err)
		require.Empty(t, profile.CheckEvent(&event), entry.Type)
		require.Equal(t, membersOf(t, entry.Sample), membersOf(t, event.Data), entry.Type)
		if entry.Type == models.NoticeExhausted {
			require.Equal(t, string(entry.Sample), string(event.Data))
		}
		require.Equal(t, n.ID, event.ID)
		again, err := eventOfNotice(n)
		require.NoError(t, err)
		require.Equal(t, event, again, "the same event each time")
	}
}

func membersOf(t *testing.T, text []byte) []string {
	t.Helper()
	var members map[string]any
	require.NoError(t, json.Unmarshal(text, &members))
	return slices.Sorted(maps.Keys(members))
}

// A notice is forgotten when its event is taken, and not before.
func TestNoticesWaitUntilTheyAreTaken(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		by := models.Actor{Kind: models.ActorToken}
		create := func(providerName, url string) models.Webhook {
			w := models.Webhook{Tenant: "acme", Provider: providerName, Name: "W", URL: url, Events: []string{"*"}}
			require.NoError(t, store.CreateWebhook(t.Context(), by, &w))
			return w
		}
		create(models.OperationsProvider, "https://ops.acme.dev")
		for _, host := range []string{"a.acme.dev", "b.acme.dev"} {
			w := create("standard", "https://"+host+"/hook?key=1")
			_, err := store.UpdateWebhook(t.Context(), by, "acme", w.ID, func(w *models.Webhook) error { w.Status = models.StatusPaused; return nil })
			require.NoError(t, err)
		}
		announcer := NewAnnouncer(store)
		var started []Event
		refuse := 1
		start := func(_ context.Context, e Event) error {
			started = append(started, e)
			if refuse--; refuse >= 0 {
				return errors.New("Temporal is away")
			}
			return nil
		}
		n, err := announcer.Announce(t.Context(), start)
		require.ErrorContains(t, err, "Temporal is away")
		require.Equal(t, 1, n, "the other one was told")
		n, err = announcer.Announce(t.Context(), start)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Len(t, started, 3)
		require.Equal(t, started[0], started[2], "the same event again")
		var hosts []string // in any order: both may be of the same millisecond
		for _, e := range started[:2] {
			require.NotContains(t, string(e.Data), "key=1")
			var told struct{ Host string }
			require.NoError(t, json.Unmarshal(e.Data, &told))
			hosts = append(hosts, told.Host)
		}
		require.ElementsMatch(t, []string{"a.acme.dev", "b.acme.dev"}, hosts)
		n, err = announcer.Announce(t.Context(), start)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}
