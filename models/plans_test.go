package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// SQLite, which keeps no statistics here, looks for deliveries by their ids, and
// never reads all that a tenant has: however many that are, an attempt costs the
// same.
func TestDeliveriesAreLookedForByID(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		if w.store.OnPostgres() {
			return // which keeps statistics; there the benchmarks tell
		}
		hook := w.webhook("acme")
		var ids []string
		for range 25 {
			ids = append(ids, w.deliveryTo(hook).ID)
		}
		plans, err := w.store.Plans("deliveries", func() {
			due, err := w.store.DueDeliveries(t.Context(), "acme", ids)
			require.NoError(t, err)
			require.Len(t, due, 25)
			_, err = w.store.DueDelivery(t.Context(), "acme", ids[0])
			require.NoError(t, err)
			require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: due[0].Delivery, Step: models.StepSkip}))
			_, err = w.store.Hold(t.Context(), due[1].Delivery, 0, false)
			require.NoError(t, err)
			require.NoError(t, w.store.Cancel(t.Context(), "acme", ids[2:]))
		})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(plans), 5)
		for sql, plan := range plans {
			require.Regexp(t, `SEARCH (d|deliveries) USING (COVERING )?INDEX sqlite_autoindex_deliveries_1 \(id=\?\)`, plan, sql)
			require.NotContains(t, plan, "(tenant=?)", sql)
			require.NotRegexp(t, `SCAN (d|deliveries)\b`, plan, sql)
		}
	})
}

// A list of a webhook's deliveries, and their count, are a stretch of the index
// that has them in order: none of another webhook is read, and nothing is sorted.
func TestDeliveriesOfAWebhookAreReadInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		if w.store.OnPostgres() {
			return
		}
		hook, d := w.delivery("acme")
		plans, err := w.store.Plans("deliveries", func() {
			for _, states := range [][]models.State{nil, {models.StatePending}, models.WaitingStates()} {
				f := models.DeliveryFilter{Tenant: "acme", WebhookID: hook.ID, States: states}
				page, err := w.store.WebhookDeliveries(t.Context(), f)
				require.NoError(t, err)
				require.Equal(t, d.ID, page.Items[0].ID)
				_, _, err = w.store.CountDeliveries(t.Context(), f)
				require.NoError(t, err)
			}
		})
		require.NoError(t, err)
		require.Len(t, plans, 7, "three lists, their edge, and three counts")
		for sql, plan := range plans {
			require.Regexp(t, `SEARCH (d|deliveries) USING (COVERING )?INDEX deliveries_of_webhook \(webhook_id=\?`, plan, sql)
			require.NotContains(t, plan, "TEMP B-TREE", sql)
			require.NotRegexp(t, `SCAN (d|deliveries)\b`, plan, sql)
		}
	})
}
