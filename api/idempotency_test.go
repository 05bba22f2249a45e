package api

import (
	"testing"

	"posthaste/webhook"

	"github.com/stretchr/testify/require"
)

func TestKeyedIDs(t *testing.T) {
	t.Parallel()
	id := func(tenant, key string) string {
		event := webhook.Event{Tenant: tenant, Type: "a", Data: webhook.JSON(`{}`)}
		event, err := identified(event, event, key, "")
		require.NoError(t, err)
		return event.ID
	}
	// This id is a promise: a key sent again after an upgrade must meet it.
	require.Equal(t, "22984e5d-8c1b-5d26-a45b-1419c56d74f4", id("acme", "order-1042"))
	require.NotEqual(t, id("acme", "order-1042"), id("globex", "order-1042"), "a key belongs to a tenant")
	require.NotEqual(t, id("acme", "order-1042"), id("acme", "order-1043"))
	require.NotEqual(t, id("acme", ""), id("acme", ""), "without a key, every event is another")
}

func TestBodyHash(t *testing.T) {
	t.Parallel()
	base := webhook.Event{Type: "a", Provider: "standard", Data: webhook.JSON(`{"x":1}`)}
	hash := func(occurredAt string, change func(*webhook.Event)) string {
		event := base
		change(&event)
		text, err := bodyHash(event, occurredAt)
		require.NoError(t, err)
		return text
	}
	same := hash("", func(*webhook.Event) {})
	require.Equal(t, same, hash("", func(e *webhook.Event) { e.Source = webhook.SourceSystem }), "a default spelled out")
	seen := map[string]bool{same: true}
	for name, other := range map[string]string{
		"type":       hash("", func(e *webhook.Event) { e.Type = "b" }),
		"provider":   hash("", func(e *webhook.Event) { e.Provider = "akol" }),
		"source":     hash("", func(e *webhook.Event) { e.Source = webhook.SourceAPI }),
		"data":       hash("", func(e *webhook.Event) { e.Data = webhook.JSON(`{"x":2}`) }),
		"customData": hash("", func(e *webhook.Event) { e.CustomData = webhook.JSON(`{}`) }),
		"attributes": hash("", func(e *webhook.Event) { e.Attributes.Bulk = true }),
		"occurredAt": hash("2026-05-30T10:00:00Z", func(*webhook.Event) {}),
		"neighbours": hash("", func(e *webhook.Event) { e.Type, e.Provider = "as", "tandard" }),
	} {
		require.False(t, seen[other], "%s makes no difference", name)
		seen[other] = true
	}
}
