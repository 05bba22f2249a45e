package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// operations makes a webhook of the tenant that is told of the others.
func (w world) operations(tenant string) models.Webhook {
	w.t.Helper()
	return w.webhook(tenant, func(h *models.Webhook) { h.Provider, h.Events = models.OperationsProvider, []string{"*"} })
}

// told returns what is to be told, and drops it.
func (w world) told() []models.Notice {
	w.t.Helper()
	notices, err := w.store.Notices(w.t.Context(), 100)
	require.NoError(w.t, err)
	var ids []string
	for _, n := range notices {
		ids = append(ids, n.ID)
	}
	require.NoError(w.t, w.store.DeleteNotices(w.t.Context(), ids...))
	return notices
}

func (w world) fails(d models.Delivery, change ...func(*models.Record)) {
	w.t.Helper()
	failed := true
	r := models.Record{Delivery: d, Step: models.StepFailFinal, Attempt: attempt(503), Reason: "server_error", WebhookFailed: &failed}
	for _, c := range change {
		c(&r)
	}
	require.NoError(w.t, w.store.Record(w.t.Context(), r))
}

func TestWhatHappensToWebhooksIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		w.operations("acme")
		hook := w.webhook("acme")
		d := w.deliveryTo(hook)
		w.fails(d)
		got := w.told()
		require.Len(t, got, 1)
		status := 503
		require.Equal(t, models.Notice{
			ID: got[0].ID, Tenant: "acme", Type: models.NoticeExhausted, At: got[0].At, WebhookID: hook.ID, WebhookName: "Orders",
			Provider: "standard", Host: got[0].Host, Reason: "server_error", DeliveryID: d.ID, EventID: d.EventID,
			EventType: "order.paid", Attempts: 1, StatusCode: &status,
		}, got[0])
		require.Contains(t, hook.URL, got[0].Host)
		require.WithinDuration(t, now(), got[0].At, 1e10)

		w.fails(w.deliveryTo(hook), func(r *models.Record) {
			r.Step, r.BrokenAfter = models.StepFailRetry, 2
		})
		got = w.told()
		require.Len(t, got, 1)
		require.Equal(t, []string{models.NoticeBroken, "2 attempts in a row failed"}, []string{got[0].Type, got[0].Reason})

		other := w.webhook("acme")
		w.fails(w.deliveryTo(other), func(r *models.Record) {
			r.Step, r.WebhookStatus, r.StatusReason = models.StepFailRetry, models.StatusGone, "410"
		})
		got = w.told()
		require.Len(t, got, 1)
		require.Equal(t, []string{models.NoticeGone, "410", other.ID}, []string{got[0].Type, got[0].Reason, got[0].WebhookID})

		pause := func(h *models.Webhook) error { h.Status = models.StatusPaused; return nil }
		third := w.webhook("acme")
		for range 2 { // the second changes nothing
			_, err := w.store.UpdateWebhook(t.Context(), byTest, "acme", third.ID, pause)
			require.NoError(t, err)
		}
		got = w.told()
		require.Len(t, got, 1)
		require.Equal(t, models.NoticeDisabled, got[0].Type)
	})
}

func TestWhatIsNotTold(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		w.fails(w.deliveryTo(hook))
		require.Empty(t, w.told(), "nobody to tell")
		own := w.operations("acme")
		ofOwn := func(e *models.Event) { e.Provider = models.OperationsProvider }
		w.fails(w.deliveryTo(own, ofOwn))
		require.Empty(t, w.told(), "what happens to the one that would be told")
		w.fails(w.deliveryTo(own, ofOwn), func(r *models.Record) { r.BrokenAfter = 1 })
		require.Equal(t, models.StatusBroken, w.webhookNow(own).Status)
		require.Empty(t, w.told(), "what happens to the one that would be told")
		w.fails(w.deliveryTo(hook))
		require.Empty(t, w.told(), "the one to tell is broken")

		w.operations("acme")
		w.fails(w.deliveryTo(w.webhook("zeta")))
		require.Empty(t, w.told(), "of another tenant")
		w.fails(w.deliveryTo(hook, func(e *models.Event) { e.Test = true }), func(r *models.Record) { r.WebhookFailed = nil })
		require.Empty(t, w.told(), "a test send")
		w.fails(w.deliveryTo(hook), func(r *models.Record) { r.Step = models.StepFailRetry })
		w.record(w.deliveryTo(hook), models.StepDeliver)
		w.record(w.deliveryTo(hook), models.StepSkip)
		require.Empty(t, w.told(), "no end, or a good one")
		stale := w.deliveryTo(hook)
		w.record(stale, models.StepDeliver)
		require.Error(t, w.store.Record(t.Context(), models.Record{Delivery: stale, Step: models.StepFailFinal, Attempt: attempt(500)}))
		require.Empty(t, w.told(), "nothing was recorded")
	})
}
