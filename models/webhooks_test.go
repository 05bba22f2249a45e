package models_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

func TestWebhookRoundTrip(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		until := now().Add(time.Hour)
		hook := w.webhook("acme", func(h *models.Webhook) {
			h.Name = "Заказы 🧾 <&>"
			h.Events = []string{"z.last", "a.first"}
			h.Sources = []string{"api", "public"}
			h.Version = "v2"
			h.Filters = models.Filters{CampaignID: "7", ListID: "8", SchemaID: "9"}
			h.Retry = json.RawMessage(`{"mode":"never"}`)
			h.TimeoutSeconds, h.MaxPerSecond = 11, 12
			h.PreviousSecret, h.PreviousSecretUntil, h.FailingSince = "whsec_old", &until, &until
			h.Headers = map[string]string{"X-A": "1", "X-B": "zwei"}
		})
		require.Equal(t, models.StatusActive, hook.Status)
		require.NotEmpty(t, hook.ID)
		require.Equal(t, hook, w.webhookNow(hook))
		require.Equal(t, "whsec_first", w.webhookNow(hook).Secret.Reveal())

		bare := models.Webhook{Tenant: "acme", Provider: "akol", URL: "https://b.example", Status: models.StatusPaused}
		require.NoError(t, w.store.CreateWebhook(t.Context(), byTest, &bare))
		require.Equal(t, bare, w.webhookNow(bare))
	})
}

func TestSameWebhookTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		first := w.webhook("acme", func(h *models.Webhook) { h.Events = []string{"a", "b"} })
		again := func(change func(*models.Webhook)) error {
			h := models.Webhook{Tenant: "acme", Provider: "standard", URL: first.URL, Events: []string{"a", "b"}}
			change(&h)
			return w.store.CreateWebhook(t.Context(), byTest, &h)
		}
		for name, change := range map[string]func(*models.Webhook){
			"same":             func(*models.Webhook) {},
			"other order":      func(h *models.Webhook) { h.Events = []string{"b", "a"} },
			"one event twice":  func(h *models.Webhook) { h.Events = []string{"b", "a", "b"} },
			"other name":       func(h *models.Webhook) { h.Name = "other" },
			"other but paused": func(h *models.Webhook) { h.Status = models.StatusPaused },
		} {
			err := again(change)
			requireCode(t, errs.Conflict, err)
			require.Contains(t, err.Error(), "exists already", name)
		}
		for name, change := range map[string]func(*models.Webhook){
			"fewer events":   func(h *models.Webhook) { h.Events = []string{"a"} },
			"other version":  func(h *models.Webhook) { h.Version = "v1" },
			"other campaign": func(h *models.Webhook) { h.Filters.CampaignID = "7" },
			"other list":     func(h *models.Webhook) { h.Filters.ListID = "7" },
			"other sources":  func(h *models.Webhook) { h.Sources = []string{"api"} },
			"joined events":  func(h *models.Webhook) { h.Events = []string{"ab"} },
			"other provider": func(h *models.Webhook) { h.Provider = "akol" },
			"other tenant":   func(h *models.Webhook) { h.Tenant = "zeta" },
			"other URL":      func(h *models.Webhook) { h.URL += "/" },
		} {
			require.NoError(t, again(change), name)
		}
	})
}

func TestUpdateWebhook(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		other := w.webhook("acme")

		changed, err := w.store.UpdateWebhook(t.Context(), byTest, "acme", hook.ID, func(h *models.Webhook) error {
			require.Equal(t, "whsec_first", h.Secret.Reveal(), "change sees the secret")
			h.Name, h.Secret, h.PreviousSecret = "New", "whsec_second", h.Secret
			h.Headers, h.Retry = nil, json.RawMessage(`{"mode":"never"}`)
			h.Tenant, h.ID, h.Provider = "zeta", "x", "akol" // must not stick
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, changed, w.webhookNow(hook))
		require.Equal(t, []string{"acme", hook.ID, "standard", "New", "whsec_second", "whsec_first"},
			[]string{changed.Tenant, changed.ID, changed.Provider, changed.Name, changed.Secret.Reveal(), changed.PreviousSecret.Reveal()})
		require.Equal(t, hook.StatusAt, changed.StatusAt)
		require.Nil(t, changed.Headers)

		paused, err := w.store.UpdateWebhook(t.Context(), byTest, "acme", hook.ID, func(h *models.Webhook) error {
			h.Status = models.StatusPaused
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, paused.UpdatedAt, paused.StatusAt)

		sentinel := errors.New("no")
		_, err = w.store.UpdateWebhook(t.Context(), byTest, "acme", hook.ID, func(h *models.Webhook) error {
			h.Name = "lost"
			return errs.Wrap(sentinel, errs.Invalid, "refused")
		})
		require.ErrorIs(t, err, sentinel)
		requireCode(t, errs.Invalid, err)

		_, err = w.store.UpdateWebhook(t.Context(), byTest, "acme", hook.ID, func(h *models.Webhook) error {
			h.URL, h.Events = other.URL, other.Events
			return nil
		})
		requireCode(t, errs.Conflict, err)
		require.Equal(t, paused, w.webhookNow(hook), "a refused change leaves nothing behind")
	})
}

// Changes that come at once must all be seen: each one reads what the one
// before it wrote.
func TestUpdatesDoNotOverwriteEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		const changes = 10
		failures := make(chan error, changes)
		for range changes {
			go func() {
				_, err := w.store.UpdateWebhook(t.Context(), byTest, "acme", hook.ID, func(h *models.Webhook) error {
					h.TimeoutSeconds++
					return nil
				})
				failures <- err
			}()
		}
		for range changes {
			require.NoError(t, <-failures)
		}
		require.Equal(t, changes, w.webhookNow(hook).TimeoutSeconds)
	})
}

func TestDeleteLeavesNoRow(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, d := w.delivery("acme")
		w.record(d, models.StepFailRetry)
		d, _ = w.reload(d)
		w.record(d, models.StepDeliver)
		kept, keptDelivery := w.delivery("acme")
		w.record(keptDelivery, models.StepDeliver)

		require.NoError(t, w.store.DeleteWebhook(t.Context(), byTest, "acme", hook.ID))
		for _, table := range []string{"deliveries", "attempts"} {
			require.Zero(t, w.count("SELECT COUNT(*) FROM "+table+" WHERE webhook_id = ?", hook.ID), table)
			require.Equal(t, 1, w.count("SELECT COUNT(*) FROM "+table+" WHERE webhook_id = ?", kept.ID), table)
		}
		require.Zero(t, w.count("SELECT COUNT(*) FROM webhooks WHERE id = ?", hook.ID))
		_, err := w.store.Event(t.Context(), "acme", d.EventID)
		require.NoError(t, err, "events stay")
		requireCode(t, errs.NotFound, w.store.DeleteWebhook(t.Context(), byTest, "acme", hook.ID))
		_, err = w.store.History(t.Context(), models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID})
		requireCode(t, errs.NotFound, err)
	})
}

// A long history takes several transactions; in the end it is all gone.
func TestDeleteOfALongHistory(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, kept := w.webhook("acme"), w.webhook("zeta")
		w.deliveryTo(kept)
		for range 3 {
			var events []models.Event
			for range 850 {
				events = append(events, w.event("acme"))
			}
			w.resolve(events...)
		}
		w.record(w.deliveryTo(hook), models.StepFailRetry)
		requireCode(t, errs.NotFound, w.store.DeleteWebhook(t.Context(), byTest, "zeta", hook.ID))
		require.Equal(t, 2552, w.count("SELECT COUNT(*) FROM deliveries"))
		require.NoError(t, w.store.DeleteWebhook(t.Context(), byTest, "acme", hook.ID))
		require.Equal(t, 1, w.count("SELECT COUNT(*) FROM deliveries"))
		require.Zero(t, w.count("SELECT COUNT(*) FROM attempts"))
		require.Equal(t, 1, w.count("SELECT COUNT(*) FROM webhooks"))
	})
}

func TestListWebhooks(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		var ids []string
		for i := range 7 {
			hook := w.webhook("acme", func(h *models.Webhook) {
				h.ID = models.NewID(now().Add(time.Duration(i) * time.Second))
				if i%2 == 0 {
					h.Provider = "akol"
				}
				if i == 6 {
					h.Status = models.StatusBroken
				}
			})
			ids = append([]string{hook.ID}, ids...)
		}
		w.webhook("zeta")

		var seen []string
		filter := models.WebhookFilter{Tenant: "acme", Limit: 3}
		for {
			page, err := w.store.Webhooks(t.Context(), filter)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Items), 3)
			for _, hook := range page.Items {
				seen = append(seen, hook.ID)
				require.Equal(t, "whsec_first", hook.Secret.Reveal())
			}
			if filter.Cursor = page.NextCursor; filter.Cursor == "" {
				break
			}
		}
		require.Equal(t, ids, seen, "newest first, each one once")

		for _, test := range []struct {
			give models.WebhookFilter
			want int
		}{
			{models.WebhookFilter{Tenant: "acme", Provider: "akol"}, 4},
			{models.WebhookFilter{Tenant: "acme", Provider: "standard"}, 3},
			{models.WebhookFilter{Tenant: "acme", Status: models.StatusBroken}, 1},
			{models.WebhookFilter{Tenant: "acme", Status: models.StatusActive, Provider: "akol"}, 3},
			{models.WebhookFilter{Tenant: "nobody"}, 0},
			{models.WebhookFilter{Tenant: "acme", Limit: 7}, 7},
		} {
			page, err := w.store.Webhooks(t.Context(), test.give)
			require.NoError(t, err)
			require.Len(t, page.Items, test.want, "%+v", test.give)
			require.Empty(t, page.NextCursor)
		}
	})
}
