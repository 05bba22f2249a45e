package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

func TestDueDeliveries(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, d := w.delivery("acme")
		due, err := w.store.DueDelivery(t.Context(), "acme", d.ID)
		require.NoError(t, err)
		require.Equal(t, d, due.Delivery)
		require.Equal(t, hook, due.Webhook)
		require.Equal(t, d.EventID, due.Event.ID)

		other := w.deliveryTo(hook)
		list, err := w.store.DueDeliveries(t.Context(), "acme", []string{other.ID, "absent", d.ID, d.ID})
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, models.Due{Delivery: d, Webhook: hook}, list[0], "without the event")
		require.Equal(t, other.ID, list[1].Delivery.ID)

		_, err = w.store.UpdateWebhook(t.Context(), byTest, "acme", hook.ID, func(h *models.Webhook) error {
			h.Status, h.Secret = models.StatusPaused, "whsec_rotated"
			return nil
		})
		require.NoError(t, err)
		due, err = w.store.DueDelivery(t.Context(), "acme", d.ID)
		require.NoError(t, err)
		require.Equal(t, []string{models.StatusPaused, "whsec_rotated"}, []string{due.Webhook.Status, due.Webhook.Secret.Reveal()})
	})
}

func TestDeliveriesOfAnEvent(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		for range 7 {
			w.webhook("acme")
		}
		e := w.event("acme")
		plan := w.resolve(e, w.event("acme"))[0]
		var seen []models.Delivery
		cursor := ""
		for {
			page, err := w.store.DeliveriesOf(t.Context(), "acme", e.ID, 3, cursor)
			require.NoError(t, err)
			seen = append(seen, page.Items...)
			if cursor = page.NextCursor; cursor == "" {
				break
			}
			require.Len(t, page.Items, 3)
		}
		require.Equal(t, plan.Deliveries, seen)

		lonely := w.event("acme", func(e *models.Event) { e.WebhookID = "deleted" })
		w.resolve(lonely)
		page, err := w.store.DeliveriesOf(t.Context(), "acme", lonely.ID, 0, "")
		require.NoError(t, err)
		require.Empty(t, page.Items)
	})
}
