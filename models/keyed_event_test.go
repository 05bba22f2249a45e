package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

// Of a keyed event no more is read than its hash, and none of another tenant's.
func TestKeyedEventIsFoundByItsTenantAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		event := w.event("acme", func(e *models.Event) { e.ID = "0b5c8e0e-2f5e-5d7a-9a52-6a8c4f1b2d3e" })
		w.webhook("acme")
		w.resolve(event)
		found, err := w.store.KeyedEvent(t.Context(), "acme", event.ID)
		require.NoError(t, err)
		require.Equal(t, models.Event{Tenant: "acme", ID: event.ID, BodyHash: "hash"}, found)
		for _, tenant := range []string{"zeta", "*", ""} {
			requireCode(t, errs.NotFound, second(w.store.KeyedEvent(t.Context(), tenant, event.ID)))
		}
	})
}
