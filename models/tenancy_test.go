package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

// ofAnother lists every method that takes ids, called by tenant zeta with the
// ids of tenant acme, and by acme with ids that cannot exist.
func ofAnother(w world, tenant string, hook, event, delivery, key string) map[string]error {
	ctx, s := w.t.Context(), w.store
	calls := map[string]error{}
	_, calls["Webhook"] = s.Webhook(ctx, tenant, hook)
	_, calls["UpdateWebhook"] = s.UpdateWebhook(ctx, byTest, tenant, hook, func(h *models.Webhook) error {
		h.Name = "stolen"
		return nil
	})
	calls["DeleteAPIKey"] = s.DeleteAPIKey(ctx, tenant, key)
	calls["DeleteWebhook"] = s.DeleteWebhook(ctx, byTest, tenant, hook)
	_, calls["History"] = s.History(ctx, models.HistoryFilter{Tenant: tenant, WebhookID: hook})
	if hook != "" { // which stands for all
		_, calls["Stats"] = s.Stats(ctx, models.StatsFilter{Tenant: tenant, WebhookID: hook})
	}
	_, calls["Audit"] = s.Audit(ctx, models.AuditFilter{Tenant: tenant, WebhookID: hook})
	_, calls["Event"] = s.Event(ctx, tenant, event)
	_, calls["DeliveriesOf"] = s.DeliveriesOf(ctx, tenant, event, 0, "")
	_, _, calls["Delivery"] = s.Delivery(ctx, tenant, delivery)
	_, calls["DueDelivery"] = s.DueDelivery(ctx, tenant, delivery)
	_, calls["Adopt"] = s.Adopt(ctx, tenant, delivery, "event/x", "resend/1")
	_, calls["Lose"] = s.Lose(ctx, models.Delivery{Tenant: tenant, ID: delivery, State: models.StateSending}, "worker_lost")
	_, calls["Reopen"] = s.Reopen(ctx, tenant, delivery, "resend/1")
	span := models.Replayable{Tenant: tenant, WebhookID: hook, Since: now().Add(-time.Hour), Until: now().Add(time.Hour), States: models.States()}
	_, _, calls["CountReplayable"] = s.CountReplayable(ctx, span)
	_, calls["WebhookDeliveries"] = s.WebhookDeliveries(ctx, models.DeliveryFilter{Tenant: tenant, WebhookID: hook})
	_, _, calls["CountDeliveries"] = s.CountDeliveries(ctx, models.DeliveryFilter{Tenant: tenant, WebhookID: hook})
	_, calls["ReopenSome"] = s.ReopenSome(ctx, span, []string{delivery}, "replay/1")
	calls["BeginReplay"] = s.BeginReplay(ctx, byTest, models.Replay{ID: models.NewID(now()), Tenant: tenant, WebhookID: hook})
	_, calls["Replays"] = s.Replays(ctx, models.ReplayFilter{Tenant: tenant, WebhookID: hook})
	_, calls["Replay"] = s.Replay(ctx, tenant, delivery)
	_, calls["Pace"] = s.Pace(ctx, models.Delivery{Tenant: tenant, ID: delivery, State: models.StatePending}, hook, 1)
	stolen := models.Delivery{Tenant: tenant, ID: delivery, State: models.StatePending, WebhookID: hook}
	calls["Claim"] = s.Claim(ctx, stolen, 0)
	failed := true
	calls["Record"] = s.Record(ctx, models.Record{
		Delivery: stolen, Step: models.StepFailFinal, Attempt: attempt(500), WebhookFailed: &failed, BrokenAfter: 1,
	})
	return calls
}

func TestTenantsAreApart(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, d := w.delivery("acme")
		w.delivery("zeta")
		key := w.apiKey("acme")
		for name, err := range ofAnother(w, "zeta", hook.ID, d.EventID, d.ID, key.ID) {
			require.Error(t, err, name)
			require.Equal(t, errs.NotFound, errs.CodeOf(err), "%s: %v", name, err)
		}
		require.NoError(t, w.store.Cancel(t.Context(), "zeta", []string{d.ID}))
		list, err := w.store.EventDeliveries(t.Context(), "zeta", d.EventID, "", 0)
		require.NoError(t, err)
		require.Empty(t, list)
		due, err := w.store.DueDeliveries(t.Context(), "zeta", []string{d.ID})
		require.NoError(t, err)
		require.Empty(t, due)
		events, err := w.store.Events(t.Context(), models.EventFilter{Tenant: "zeta"})
		require.NoError(t, err)
		require.Len(t, events.Items, 1)
		require.NotEqual(t, d.EventID, events.Items[0].ID)

		keys, err := w.store.APIKeys(t.Context(), models.APIKeyFilter{Tenant: "zeta"})
		require.NoError(t, err)
		require.Empty(t, keys.Items)
		kept, err := w.store.APIKeyByHash(t.Context(), key.Hash)
		require.NoError(t, err)
		require.Equal(t, key, kept)

		after, attempts := w.reload(d)
		require.Equal(t, d, after, "nothing that zeta tried had an effect")
		require.Empty(t, attempts)
		require.Equal(t, hook, w.webhookNow(hook))
	})
}

func TestIDsThatCannotExist(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		long := string(make([]byte, 10_000))
		for _, id := range []string{"", "x", "\x00", "a\x00b", "\xff\xfe", long, "' OR 1=1 --", "%", "🧾"} {
			for name, err := range ofAnother(w, "acme", id, id, id, id) {
				require.Error(t, err, name)
				require.Equal(t, errs.NotFound, errs.CodeOf(err), "%s with %q: %v", name, id, err)
			}
		}
	})
}

// An event is one per tenant: the same id elsewhere is another event.
func TestSameEventIDInTwoTenants(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		w.webhook("acme")
		w.webhook("zeta")
		ours := w.event("acme")
		theirs := w.event("zeta", func(e *models.Event) { e.ID, e.RunID = ours.ID, "run-2" })
		plans := w.resolve(ours, theirs)
		for i, plan := range plans {
			require.False(t, plan.Duplicate)
			require.Equal(t, 1, plan.Total, i)
		}
		require.Equal(t, []string{"acme", "zeta"}, []string{plans[0].Deliveries[0].Tenant, plans[1].Deliveries[0].Tenant})
	})
}
