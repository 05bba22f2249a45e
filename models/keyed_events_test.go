package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// Of a keyed event no more is read than its hash, and none of another tenant's.
func TestKeyedEventsAreFoundByItsTenantAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		event := w.event("acme", func(e *models.Event) { e.ID = "0b5c8e0e-2f5e-5d7a-9a52-6a8c4f1b2d3e" })
		w.webhook("acme")
		w.resolve(event)
		found, err := w.store.KeyedEvents(t.Context(), "acme", []string{event.ID, "0b5c8e0e-2f5e-5d7a-9a52-000000000000"})
		require.NoError(t, err)
		require.Equal(t, map[string]models.Event{event.ID: {Tenant: "acme", ID: event.ID, BodyHash: "hash"}}, found)
		for _, tenant := range []string{"zeta", "*", ""} {
			found, err := w.store.KeyedEvents(t.Context(), tenant, []string{event.ID})
			require.NoError(t, err)
			require.Empty(t, found)
		}
	})
}
