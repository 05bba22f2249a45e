package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

func TestReopen(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		for _, state := range models.States() {
			d := w.in(state, hook)
			reopened, err := w.store.Reopen(t.Context(), "acme", d.ID, "resend/1")
			if !state.Settled() {
				requireCode(t, errs.Conflict, err)
				continue
			}
			require.NoError(t, err, state)
			again, _ := w.reload(d)
			require.Equal(t, again, reopened)
			require.Equal(t, models.StatePending, reopened.State)
			require.Equal(t, d.Attempts, reopened.RoundStart)
			require.Nil(t, reopened.SettledAt)

			repeated, err := w.store.Reopen(t.Context(), "acme", d.ID, "resend/1")
			require.NoError(t, err, "the same workflow asks again after a crash")
			require.Equal(t, reopened, repeated)
			_, err = w.store.Reopen(t.Context(), "acme", d.ID, "resend/2")
			requireCode(t, errs.Conflict, err)

			w.record(reopened, models.StepDeliver)
			final, attempts := w.reload(d)
			require.Equal(t, d.Attempts+1, final.Attempts, "numbers go on over the rounds")
			require.Len(t, attempts, d.Attempts+1)
		}
	})
}

func TestCancel(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		byState := map[models.State]models.Delivery{}
		ids := []string{models.NewID(now())} // of no delivery (any more)
		for _, state := range models.States() {
			byState[state] = w.in(state, hook)
			ids = append(ids, byState[state].ID, byState[state].ID)
		}
		require.NoError(t, w.store.Cancel(t.Context(), "acme", nil))
		require.NoError(t, w.store.Cancel(t.Context(), "acme", ids))
		for state, before := range byState {
			after, _ := w.reload(before)
			if state == models.StatePending || state == models.StateRetrying {
				require.Equal(t, models.StateCancelled, after.State)
				require.NotNil(t, after.SettledAt)
				require.Nil(t, after.NextAttemptAt)
				continue
			}
			require.Equal(t, before, after, state)
		}
		require.NoError(t, w.store.Cancel(t.Context(), "acme", ids), "again")
	})
}

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
