package models_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// audit returns the whole audit of a webhook, oldest first.
func (w world) audit(hook models.Webhook) []models.AuditEntry {
	w.t.Helper()
	page, err := w.store.Audit(w.t.Context(), models.AuditFilter{Tenant: hook.Tenant, WebhookID: hook.ID, Limit: models.MaxPage})
	require.NoError(w.t, err)
	slices.Reverse(page.Items)
	return page.Items
}

func (w world) update(hook models.Webhook, change func(*models.Webhook)) models.Webhook {
	w.t.Helper()
	after, err := w.store.UpdateWebhook(w.t.Context(), byTest, hook.Tenant, hook.ID, func(h *models.Webhook) error {
		change(h)
		return nil
	})
	require.NoError(w.t, err)
	return after
}

func TestAuditTellsEveryChange(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme", func(h *models.Webhook) {
			h.Name, h.URL, h.Headers = "CRM", "https://a.example/hook", map[string]string{"X-Key": "canary-1", "X-Team": "canary-2"}
			h.Secret = "canary-3"
		})
		until := now().Add(time.Hour)
		steps := []struct {
			change func(*models.Webhook)
			action string
			want   string
		}{
			{func(h *models.Webhook) { h.Name = "ERP" }, models.AuditUpdated, `{"name":{"from":"CRM","to":"ERP"}}`},
			{func(h *models.Webhook) {
				h.Events, h.Sources, h.Version = []string{"a", "b"}, []string{"api"}, "v2"
				h.Filters.ListID, h.TimeoutSeconds, h.MaxPerSecond = "7", 9, 10
				h.Retry = json.RawMessage(`{"mode":"never"}`)
			}, models.AuditUpdated, `{"events":{"from":["order.paid"],"to":["a","b"]},"filters":{"from":null,"to":{"listId":"7"}},` +
				`"maxPerSecond":{"from":null,"to":10},"retry":{"from":null,"to":{"mode":"never"}},"sources":{"from":null,"to":["api"]},` +
				`"timeoutSeconds":{"from":null,"to":9},"version":{"from":null,"to":"v2"}}`},
			{func(h *models.Webhook) { h.Headers = map[string]string{"X-Key": "canary-4", "X-New": "canary-5"} }, models.AuditUpdated,
				`{"headers":{"from":["X-Key","X-Team"],"to":["X-Key","X-New"],"changed":["X-Key"]}}`},
			{func(h *models.Webhook) { h.Status, h.Name = models.StatusPaused, "HR" }, models.AuditPaused,
				`{"name":{"from":"ERP","to":"HR"},"status":{"from":"active","to":"paused"}}`},
			{func(h *models.Webhook) { h.Status = models.StatusActive }, models.AuditResumed, `{"status":{"from":"paused","to":"active"}}`},
			{func(h *models.Webhook) {
				h.PreviousSecret, h.PreviousSecretUntil, h.Secret = h.Secret, &until, "canary-6"
			}, models.AuditSecretRotated, `{"previousSecretUntil":{"from":null,"to":"` + until.Format(time.RFC3339) + `"},` +
				`"secret":{"from":"[hidden]","to":"[hidden]"}}`},
		}
		for _, step := range steps {
			w.update(hook, step.change)
		}
		require.NoError(t, w.store.DeleteWebhook(t.Context(), byTest, "acme", hook.ID))

		entries := w.audit(hook)
		require.Len(t, entries, len(steps)+2, "the log outlives the webhook")
		require.Equal(t, models.AuditCreated, entries[0].Action)
		require.JSONEq(t, `{"events":{"from":null,"to":["order.paid"]},"headers":{"from":null,"to":["X-Key","X-Team"]},
			"name":{"from":null,"to":"CRM"},"provider":{"from":null,"to":"standard"},"secret":{"from":null,"to":"[hidden]"},
			"status":{"from":null,"to":"active"},"url":{"from":null,"to":"https://a.example/hook"}}`, string(entries[0].Changes))
		for i, step := range steps {
			require.Equal(t, step.action, entries[i+1].Action)
			require.Equal(t, step.want, string(entries[i+1].Changes))
		}
		last := entries[len(entries)-1]
		require.Equal(t, models.AuditDeleted, last.Action)
		require.Contains(t, string(last.Changes), `"url":{"from":"https://a.example/hook","to":null}`)
		for i, e := range entries {
			require.Equal(t, []any{"acme", hook.ID, byTest}, []any{e.Tenant, e.WebhookID, e.Actor})
			require.False(t, i > 0 && e.At.Before(entries[i-1].At))
			require.NotContains(t, string(e.Changes), "canary")
		}
	})
}

// A change that is undone, refused or no change at all leaves no entry.
func TestAuditOfWhatDidNotHappen(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, other := w.webhook("acme"), w.webhook("acme")
		for _, change := range []func(*models.Webhook) error{
			func(*models.Webhook) error { return nil },
			func(h *models.Webhook) error {
				h.Retry, h.Headers = nil, map[string]string{"X-Team": "blue"}
				return nil
			},
			func(h *models.Webhook) error { h.Name = "lost"; return errors.New("no") },
			func(h *models.Webhook) error { h.URL, h.Events = other.URL, other.Events; return nil },
		} {
			_, _ = w.store.UpdateWebhook(t.Context(), byTest, "acme", hook.ID, change)
		}
		twin := models.Webhook{Tenant: "acme", Provider: "standard", URL: other.URL, Events: other.Events}
		requireCode(t, errs.Conflict, w.store.CreateWebhook(t.Context(), byTest, &twin))
		requireCode(t, errs.NotFound, w.store.DeleteWebhook(t.Context(), byTest, "zeta", hook.ID))
		require.Len(t, w.audit(hook), 1)
		require.Equal(t, 2, w.count("SELECT COUNT(*) FROM audit"), "two webhooks were created, and that is all")
	})
}

func TestAuditPages(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		w.webhook("acme")
		for range 6 {
			hook = w.update(hook, func(h *models.Webhook) { h.TimeoutSeconds++ })
		}
		var seen []string
		filter := models.AuditFilter{Tenant: "acme", WebhookID: hook.ID, Limit: 3}
		for {
			page, err := w.store.Audit(t.Context(), filter)
			require.NoError(t, err)
			for _, e := range page.Items {
				seen = append(seen, string(e.Changes))
			}
			if filter.Cursor = page.NextCursor; filter.Cursor == "" {
				break
			}
			require.Len(t, page.Items, 3)
		}
		require.Len(t, seen, 7)
		require.Equal(t, `{"timeoutSeconds":{"from":5,"to":6}}`, seen[0], "newest first")
		require.Equal(t, `{"timeoutSeconds":{"from":null,"to":1}}`, seen[5])

		requireNoAudit := func(tenant, id string) {
			_, err := w.store.Audit(t.Context(), models.AuditFilter{Tenant: tenant, WebhookID: id})
			requireCode(t, errs.NotFound, err)
		}
		requireNoAudit("zeta", hook.ID)
		requireNoAudit("acme", models.NewID(now()))
		_, err := w.store.Audit(t.Context(), models.AuditFilter{Tenant: "acme", WebhookID: hook.ID, Cursor: "nonsense"})
		requireCode(t, errs.Invalid, err)

		require.NoError(t, w.store.Exec("DELETE FROM audit WHERE webhook_id = ?", hook.ID))
		require.Empty(t, w.audit(hook), "a webhook from before there was an audit log")
	})
}

// What the system does to a webhook is in the log with its reason.
func TestAuditOfTheSystem(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		failed := true
		gone, broken := w.webhook("acme"), w.webhook("zeta")
		records := []models.Record{{
			Delivery: w.deliveryTo(gone), Step: models.StepFailFinal, Attempt: attempt(410),
			WebhookFailed: &failed, WebhookStatus: models.StatusGone, StatusReason: "answered 410",
		}}
		for range 3 {
			records = append(records, models.Record{
				Delivery: w.deliveryTo(broken), Step: models.StepFailFinal, Attempt: attempt(500), WebhookFailed: &failed, BrokenAfter: 2,
			})
		}
		for _, err := range w.recordAll(records) {
			require.NoError(t, err)
		}
		for _, want := range []struct {
			hook            models.Webhook
			action, changes string
		}{
			{gone, models.AuditGone, `{"status":{"from":"active","to":"gone"},"statusReason":{"from":null,"to":"answered 410"}}`},
			{broken, models.AuditBroken, `{"status":{"from":"active","to":"broken"},"statusReason":{"from":null,"to":"2 attempts in a row failed"}}`},
		} {
			entries := w.audit(want.hook)
			require.Len(t, entries, 2)
			require.Equal(t, models.Actor{Kind: models.ActorSystem}, entries[1].Actor)
			require.Equal(t, []string{want.action, want.changes}, []string{entries[1].Action, string(entries[1].Changes)})
			require.Equal(t, w.webhookNow(want.hook).StatusAt, entries[1].At)
		}
	})
}

// A webhook is broken after a span of nothing but failures, however many.
func TestBrokenAfterSpan(t *testing.T) {
	const span = 120 * time.Hour
	tests := []struct {
		name       string
		give       []int           // the statuses that are answered
		after      []time.Duration // the time before each
		wantStatus string
		wantReason string
	}{
		{"long enough", []int{500, 500, 404}, []time.Duration{0, time.Hour, 119 * time.Hour}, models.StatusBroken, "nothing but failures for 120h0m0s: 3 attempts since "},
		{"not yet", []int{500, 500}, []time.Duration{0, span - time.Microsecond}, models.StatusActive, ""},
		{"one failure is no span", []int{200, 500}, []time.Duration{0, 2 * span}, models.StatusActive, ""},
		{"a success ends the span", []int{500, 200, 500, 500}, []time.Duration{0, span - time.Microsecond, time.Hour, time.Hour}, models.StatusActive, ""},
		{"a span after a success", []int{500, 200, 500, 500}, []time.Duration{0, time.Hour, time.Hour, span}, models.StatusBroken, "nothing but failures for 120h0m0s: 2 attempts since "},
	}
	onBothURLs(t, func(t *testing.T, url string) {
		for _, test := range tests {
			at := now()
			w := world{t, modelstest.OpenWith(t, models.Options{URL: url, Now: func() time.Time { return at }})}
			hook := w.webhook("acme")
			var since time.Time
			for i, status := range test.give {
				at = at.Add(test.after[i])
				failed := status != 200
				step := models.StepDeliver
				if failed {
					step = models.StepFailFinal
				}
				if before := w.webhookNow(hook); failed && before.FailingSince == nil {
					since = at
				}
				require.NoError(t, w.store.Record(t.Context(), models.Record{
					Delivery: w.deliveryTo(hook), Step: step, Attempt: attempt(status), WebhookFailed: &failed, BrokenAfterSpan: span,
				}))
			}
			after := w.webhookNow(hook)
			require.Equal(t, test.wantStatus, after.Status, test.name)
			require.Equal(t, since, *after.FailingSince, test.name)
			if test.wantReason != "" {
				require.Equal(t, test.wantReason+since.Format(time.RFC3339), after.StatusReason, test.name)
				require.Equal(t, at, after.StatusAt, test.name)
			}
		}
	})
}
