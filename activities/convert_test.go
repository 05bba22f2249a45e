package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/send"
)

func TestEventSurvivesTheLedger(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 12, 0, 0, 123e6, time.UTC)
	want := Event{
		ID: "e1", Tenant: "acme", Provider: "aktify", Type: "dnc.created", Source: webhook.SourceAPI,
		Data: webhook.JSON(`{"a":"<&> "}`), CustomData: webhook.JSON(`{"k":"v"}`),
		Attributes: webhook.Attributes{
			CampaignID: "c", ListIDs: []string{"1", "2"}, SchemaID: "s", Bulk: true, CampaignTrigger: "manual", InitiatedBy: "admin",
		},
		OccurredAt: at, AcceptedAt: at, BodyHash: "h", WebhookID: "w", Test: true,
	}
	row, err := ledgerEvent(want, "wf", "run")
	require.NoError(t, err)
	require.Equal(t, []string{"wf", "run"}, []string{row.WorkflowID, row.RunID})
	got, err := eventOf(row)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestSecretsThatSignNow(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	soon, past := now.Add(time.Hour), now.Add(-time.Second)
	for _, tc := range []struct {
		name string
		give models.Webhook
		want []webhook.Secret
	}{
		{"none", models.Webhook{}, nil},
		{"one", models.Webhook{Secret: "new"}, []webhook.Secret{"new"}},
		{"overlap", models.Webhook{Secret: "new", PreviousSecret: "old", PreviousSecretUntil: &soon}, []webhook.Secret{"new", "old"}},
		{"overlap over", models.Webhook{Secret: "new", PreviousSecret: "old", PreviousSecretUntil: &past}, []webhook.Secret{"new"}},
		{"no overlap", models.Webhook{Secret: "new", PreviousSecret: "old"}, []webhook.Secret{"new"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := subscriptionOf(&tc.give, now)
			require.NoError(t, err)
			require.Equal(t, tc.want, got.Secrets)
		})
	}
}

func TestCredentialsAreHiddenFromTheHistory(t *testing.T) {
	t.Parallel()
	sent := []send.Header{
		{Name: "Content-Type", Value: "application/json"}, {Name: "webhook-signature", Value: "v1,abc"},
		{Name: "Authorization", Value: "Bearer canary"}, {Name: "X-Api-Key", Value: "canary"}, {Name: "X-Team", Value: "blue"},
	}
	custom := map[string]string{"Authorization": "Bearer canary", "X-API-Key": "canary", "X-Team": "blue"}
	require.Equal(t, [][2]string{
		{"Content-Type", "application/json"}, {"webhook-signature", "v1,abc"},
		{"Authorization", hiddenValue}, {"X-Api-Key", hiddenValue}, {"X-Team", "blue"},
	}, shownHeaders(sent, custom))
}
