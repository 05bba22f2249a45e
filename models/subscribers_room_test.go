package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// Tenants without webhooks may be many: what is kept of each must count, or the
// bound on what a process keeps would not hold for them.
func TestATenantWithoutWebhooksTakesRoom(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		before := 0
		for _, tenant := range []string{"acme", "globex", "initech"} {
			w.resolve(w.event(tenant, func(*models.Event) {}))
			after := w.store.KeptBytes()
			require.Greater(t, after, before+100)
			before = after
		}
	})
}
