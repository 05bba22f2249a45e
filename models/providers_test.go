package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

func TestProvidersInUseAreThoseOfAllTenants(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		names, err := w.store.ProvidersInUse(t.Context())
		require.NoError(t, err)
		require.Empty(t, names)

		for _, one := range []struct{ tenant, provider, status string }{
			{"acme", "standard", models.StatusActive},
			{"acme", "parcels", models.StatusPaused},
			{"zeta", "parcels", models.StatusActive},
			{"zeta", "akol", models.StatusGone},
		} {
			w.webhook(one.tenant, func(h *models.Webhook) { h.Provider, h.Status = one.provider, one.status })
		}
		names, err = w.store.ProvidersInUse(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"akol", "parcels", "standard"}, names)
	})
}
