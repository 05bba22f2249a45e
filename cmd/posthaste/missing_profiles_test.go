package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/keyset"
	"posthaste/models"
	"posthaste/models/modelstest"
	"posthaste/webhook/provider"
)

// profileFolder has the profile of a provider called parcels.
func profileFolder(t *testing.T) string {
	t.Helper()
	shipped, err := os.ReadFile("../../webhook/provider/profiles/actiwapi.yaml")
	require.NoError(t, err)
	dir := t.TempDir()
	profile := strings.Replace(string(shipped), "name: actiwapi", "name: parcels", 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "parcels.yaml"), []byte(profile), 0o600))
	return dir
}

func addWebhookOf(t *testing.T, store *models.Store, name string) {
	t.Helper()
	hook := models.Webhook{Tenant: "acme", Provider: name, URL: "https://hooks.acme.dev/" + name, Events: []string{"a.b"}, Secret: "whsec_first"}
	require.NoError(t, store.CreateWebhook(t.Context(), models.Actor{Kind: models.ActorToken, Name: "ann"}, &hook))
}

func TestProvidersWithoutProfileAreNamed(t *testing.T) {
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) {
		t.Helper()
		warned := func(dir string) string {
			known, err := provider.Load(dir)
			require.NoError(t, err)
			var lines strings.Builder
			s := &system{store: store, providers: known, logger: slog.New(slog.NewTextHandler(&lines, nil))}
			s.warnOfMissingProfiles(t.Context())
			return lines.String()
		}
		require.Empty(t, warned(""), "no webhooks")
		addWebhookOf(t, store, "standard")
		require.Empty(t, warned(""), "a shipped one")

		addWebhookOf(t, store, "parcels")
		addWebhookOf(t, store, "mine")
		line := warned("")
		require.Equal(t, 1, strings.Count(line, "\n"), line)
		for _, part := range []string{"level=WARN", "POSTHASTE_PROVIDERS_DIR", `providers="[mine parcels]"`} {
			require.Contains(t, line, part)
		}
		require.Contains(t, warned(profileFolder(t)), `providers=[mine]`)

		require.NoError(t, store.Close())
		require.Contains(t, warned(""), "cannot look", "a database that is away is no failure")
	})
}

// TestServeNamesProvidersWithoutProfile starts a process as far as it comes
// without Temporal.
func TestServeNamesProvidersWithoutProfile(t *testing.T) {
	t.Parallel()
	line, err := keyset.Generate()
	require.NoError(t, err)
	keys, err := keyset.Parse(line)
	require.NoError(t, err)
	env := map[string]string{
		"POSTHASTE_DATABASE_URL": "sqlite://" + filepath.Join(t.TempDir(), "posthaste.db"), "POSTHASTE_ENCRYPTION_KEYSET": line,
		"POSTHASTE_JWT_SECRET": testSecret, "POSTHASTE_TEMPORAL_ADDRESS": "127.0.0.1:1", "POSTHASTE_HTTP_ADDR": "127.0.0.1:0",
	}
	up := call(t, env, "migrate", "up", "--skip-temporal")
	require.Equal(t, exitOK, up.code, up.errors)
	store, err := models.Open(t.Context(), models.Options{URL: env["POSTHASTE_DATABASE_URL"], Sealer: keys, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	addWebhookOf(t, store, "parcels")
	require.NoError(t, store.Close())

	for _, role := range []string{"all", "api", "worker"} {
		got := call(t, env, "serve", "--role", role)
		require.Equal(t, exitFailure, got.code)
		require.Equal(t, 1, strings.Count(got.errors, `"providers":["parcels"]`), got.errors)
		require.Contains(t, got.errors, "Temporal")
	}
	env["POSTHASTE_PROVIDERS_DIR"] = profileFolder(t)
	require.NotContains(t, call(t, env, "serve").errors, "parcels")
}
