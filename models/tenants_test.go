package models_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// withLimits runs a test on both databases, in stores with these default limits.
func withLimits(t *testing.T, limits models.Limits, run func(t *testing.T, w world)) {
	t.Helper()
	onBothURLs(t, func(t *testing.T, url string) {
		run(t, world{t, modelstest.OpenWith(t, models.Options{URL: url, DefaultLimits: limits})})
	})
}

func (w world) tenant(id string) models.Tenant {
	w.t.Helper()
	found, err := w.store.Tenant(w.t.Context(), id)
	require.NoError(w.t, err)
	return found
}

func (w world) allow(tenant string, limits models.Limits) models.Tenant {
	w.t.Helper()
	put := models.Tenant{ID: tenant, Status: models.TenantActive, Limits: limits}
	require.NoError(w.t, w.store.PutTenant(w.t.Context(), &put))
	return put
}

// oneMore tries to create another webhook.
func (w world) oneMore(tenant string) error {
	hook := models.Webhook{
		Tenant: tenant, Provider: "standard", URL: "https://" + models.NewID(now()) + ".example/", Events: []string{"a"},
	}
	return w.store.CreateWebhook(w.t.Context(), byTest, &hook)
}

func TestTenantRoundTrip(t *testing.T) {
	defaults := models.Limits{Webhooks: 50, EventsPerMinute: 6000}
	withLimits(t, defaults, func(t *testing.T, w world) {
		require.Equal(t, models.Tenant{ID: "acme", Status: models.TenantActive, Limits: defaults}, w.tenant("acme"))

		put := models.Tenant{ID: "acme", Status: models.TenantInactive, Limits: models.Limits{Webhooks: 3}}
		require.NoError(t, w.store.PutTenant(t.Context(), &put))
		require.WithinDuration(t, time.Now(), put.CreatedAt, time.Minute)
		require.Equal(t, put, w.tenant("acme"))

		again := models.Tenant{ID: "acme", Status: models.TenantActive, Limits: models.Limits{Webhooks: 4, EventsPerMinute: 60}}
		require.NoError(t, w.store.PutTenant(t.Context(), &again))
		require.Equal(t, put.CreatedAt, again.CreatedAt)
		require.False(t, again.UpdatedAt.Before(put.UpdatedAt))
		require.Equal(t, again, w.tenant("acme"))
		require.Equal(t, defaults, w.tenant("zeta").Limits, "another tenant's are its own")
	})
}

func TestTenantsThatCannotExist(t *testing.T) {
	withLimits(t, models.Limits{Webhooks: 5}, func(t *testing.T, w world) {
		for _, id := range []string{"", "\x00", "\xff"} {
			otherwise, err := w.store.Tenant(t.Context(), id)
			requireCode(t, errs.NotFound, err)
			require.Equal(t, 5, otherwise.Limits.Webhooks)
			requireCode(t, errs.NotFound, w.store.PutTenant(t.Context(), &models.Tenant{ID: id, Status: models.TenantActive}))
		}
		require.Zero(t, w.count("SELECT COUNT(*) FROM tenants"))
	})
}

// Who can do without the database may go on with the defaults.
func TestTenantWithoutADatabase(t *testing.T) {
	withLimits(t, models.Limits{Webhooks: 5, EventsPerMinute: 7}, func(t *testing.T, w world) {
		require.NoError(t, w.store.Exec("ALTER TABLE tenants RENAME TO elsewhere"))
		otherwise, err := w.store.Tenant(t.Context(), "acme")
		require.Error(t, err)
		require.Equal(t, models.Tenant{
			ID: "acme", Status: models.TenantActive, Limits: models.Limits{Webhooks: 5, EventsPerMinute: 7},
		}, otherwise)
	})
}

func TestWebhookLimit(t *testing.T) {
	withLimits(t, models.Limits{Webhooks: 2}, func(t *testing.T, w world) {
		first := w.webhook("acme")
		w.webhook("acme", func(h *models.Webhook) { h.Status = models.StatusPaused })
		requireCode(t, errs.LimitExceeded, w.oneMore("acme"))
		require.NoError(t, w.oneMore("zeta"), "another tenant has its own room")

		w.allow("acme", models.Limits{Webhooks: 3})
		require.NoError(t, w.oneMore("acme"))
		requireCode(t, errs.LimitExceeded, w.oneMore("acme"))

		w.allow("acme", models.Limits{Webhooks: 1})
		require.NoError(t, w.store.DeleteWebhook(t.Context(), byTest, "acme", first.ID))
		requireCode(t, errs.LimitExceeded, w.oneMore("acme"))
		require.Equal(t, 2, w.count("SELECT COUNT(*) FROM webhooks WHERE tenant = ?", "acme"), "a lower limit takes nothing away")

		w.allow("acme", models.Limits{})
		require.NoError(t, w.oneMore("acme"), "0 is no limit")
	})
}

// Many who come at once for the last places get those and no more.
func TestWebhookLimitIsExact(t *testing.T) {
	withLimits(t, models.Limits{Webhooks: 3}, func(t *testing.T, w world) {
		const callers = 12
		failures := make(chan error, callers)
		for range callers {
			go func() { failures <- w.oneMore("acme") }()
		}
		refused := 0
		for range callers {
			if err := <-failures; err != nil {
				requireCode(t, errs.LimitExceeded, err)
				refused++
			}
		}
		require.Equal(t, callers-3, refused)
		require.Equal(t, 3, w.count("SELECT COUNT(*) FROM webhooks"))
	})
}

func (w world) apiKey(tenant string, change ...func(*models.APIKey)) models.APIKey {
	w.t.Helper()
	id := models.NewID(now())
	key := models.APIKey{ID: id, Tenant: tenant, Name: "CI", Hash: "hash-of-" + id, Shown: "phk_abc"}
	for _, c := range change {
		c(&key)
	}
	require.NoError(w.t, w.store.CreateAPIKey(w.t.Context(), &key))
	return key
}

func TestAPIKeyRoundTrip(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		until := time.Now().Add(time.Hour)
		key := w.apiKey("acme", func(k *models.APIKey) { k.ID, k.Name, k.ExpiresAt = "", "Заказы 🧾", &until })
		require.NotEmpty(t, key.ID)
		found, err := w.store.APIKeyByHash(t.Context(), key.Hash)
		require.NoError(t, err)
		require.Equal(t, key, found)
		require.WithinDuration(t, until, *found.ExpiresAt, time.Microsecond)

		twin := models.APIKey{Tenant: "zeta", Name: "twin", Hash: key.Hash}
		requireCode(t, errs.Conflict, w.store.CreateAPIKey(t.Context(), &twin))
		for _, hash := range []string{"", "nothing", "\x00"} {
			_, err = w.store.APIKeyByHash(t.Context(), hash)
			requireCode(t, errs.NotFound, err)
		}

		require.NoError(t, w.store.DeleteAPIKey(t.Context(), "acme", key.ID))
		_, err = w.store.APIKeyByHash(t.Context(), key.Hash)
		requireCode(t, errs.NotFound, err)
		requireCode(t, errs.NotFound, w.store.DeleteAPIKey(t.Context(), "acme", key.ID))
	})
}

func TestListAPIKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		var want []string
		for i := range 5 {
			key := w.apiKey("acme", func(k *models.APIKey) {
				k.ID, k.Hash = models.NewID(now().Add(time.Duration(i)*time.Second)), fmt.Sprint(i)
			})
			want = append([]string{key.ID}, want...)
		}
		w.apiKey("zeta")
		var seen []string
		filter := models.APIKeyFilter{Tenant: "acme", Limit: 2}
		for {
			page, err := w.store.APIKeys(t.Context(), filter)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Items), 2)
			for _, key := range page.Items {
				seen = append(seen, key.ID)
			}
			if filter.Cursor = page.NextCursor; filter.Cursor == "" {
				break
			}
		}
		require.Equal(t, want, seen, "newest first, each one once")

		w.webhook("acme")
		w.webhook("acme")
		other, err := w.store.Webhooks(t.Context(), models.WebhookFilter{Tenant: "acme", Limit: 1})
		require.NoError(t, err)
		_, err = w.store.APIKeys(t.Context(), models.APIKeyFilter{Tenant: "acme", Cursor: other.NextCursor})
		requireCode(t, errs.Invalid, err)
	})
}

// The use of a key is noted at most once a minute, however many processes see
// it.
func TestTouchAPIKey(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		clock := now()
		w := world{t, modelstest.OpenWith(t, models.Options{URL: url, Now: func() time.Time { return clock }})}
		key := w.apiKey("acme")
		usedAt := func() *time.Time {
			found, err := w.store.APIKeyByHash(t.Context(), key.Hash)
			require.NoError(t, err)
			return found.LastUsedAt
		}
		touch := func(k models.APIKey) { require.NoError(t, w.store.TouchAPIKey(t.Context(), k)) }
		require.Nil(t, usedAt())

		first := clock
		touch(key)
		require.Equal(t, first, *usedAt())
		clock = clock.Add(59 * time.Second)
		touch(key) // as another process read it, before the first touch
		require.Equal(t, first, *usedAt())
		clock = clock.Add(time.Second)
		touch(key)
		require.Equal(t, clock, *usedAt())

		late := clock
		clock = clock.Add(time.Hour)
		touch(models.APIKey{ID: key.ID, Tenant: "zeta"})
		require.Equal(t, late, *usedAt(), "another tenant touches nothing")
	})
}

// A database of the release before keeps what it has and gets the new tables.
func TestMigrateWithData(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		require.NoError(t, models.MigrateTo(t.Context(), url, 1))
		_, err := models.Open(t.Context(), models.Options{URL: url, Sealer: modelstest.Sealer(), Now: time.Now})
		require.ErrorContains(t, err, "lacks migrations (it is at 1 of ")
		w := world{t, modelstest.OpenWith(t, models.Options{URL: url})}
		hook, d := w.delivery("acme")

		require.NoError(t, models.MigrateTo(t.Context(), url, 1))
		_, err = models.MigrateUp(t.Context(), url)
		require.NoError(t, err)
		require.Equal(t, hook, w.webhookNow(hook))
		again, _ := w.reload(d)
		require.Equal(t, d, again)
		require.Equal(t, models.TenantActive, w.tenant("acme").Status)
	})
}
