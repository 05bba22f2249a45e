package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

func TestFirst(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		w := models.Webhook{Tenant: "acme", Provider: "standard", Name: "n", URL: "https://a.example/x", Events: []string{"a", "b"}, Secret: "hush", Headers: map[string]string{"X": "y"}}
		require.NoError(t, store.CreateWebhook(t.Context(), &w))
		got, err := store.Webhook(t.Context(), "acme", w.ID)
		require.NoError(t, err)
		require.Equal(t, w, got)
		now := w.CreatedAt
		in := models.ResolveInput{Events: []models.Event{{Tenant: "acme", ID: models.NewID(now), Provider: "standard", Type: "a", Source: "system", Data: []byte(`{"a":1}`), OccurredAt: now, AcceptedAt: now, RunID: "r1"}},
			Match: func(e models.Event, ws []models.Webhook) []models.Match {
				return []models.Match{{WebhookID: ws[0].ID, State: models.StatePending}}
			}}
		plans, err := store.Resolve(t.Context(), in)
		require.NoError(t, err)
		require.Len(t, plans[0].Deliveries, 1)
		again, err := store.Resolve(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, plans, again)
		due, err := store.DueDelivery(t.Context(), "acme", plans[0].Deliveries[0].ID)
		require.NoError(t, err)
		require.Equal(t, in.Events[0], due.Event)
		require.Equal(t, got, due.Webhook)
		failed := true
		require.NoError(t, store.Record(t.Context(), models.Record{Delivery: due.Delivery, Step: models.StepFailRetry, Attempt: &models.Attempt{StartedAt: now, RequestHeaders: [][2]string{{"a", "b"}}}, WebhookFailed: &failed}))
		h, err := store.History(t.Context(), models.HistoryFilter{Tenant: "acme", WebhookID: w.ID})
		require.NoError(t, err)
		require.Len(t, h.Items, 1)
	})
}
