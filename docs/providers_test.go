package docs

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/payload"
	"posthaste/webhook/provider"
)

func TestEveryKeyOfAProfileIsDocumented(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/providers.md")
	keys := map[string]bool{}
	collectKeys(reflect.TypeFor[provider.Schema](), keys)
	collectKeys(reflect.TypeFor[payload.Field](), keys)
	require.Greater(t, len(keys), 60)
	for key := range keys {
		named := strings.Contains(text, "`"+key+"`") || strings.Contains(text, "`"+key+": ")
		require.True(t, named, "docs/providers.md does not name the key %s", key)
	}
}

// collectKeys adds the YAML keys of a struct and of all that it holds.
func collectKeys(of reflect.Type, keys map[string]bool) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		collectKeys(of.Elem(), keys)
	case reflect.Struct:
		for field := range of.Fields() {
			if key, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); key != "" {
				keys[key] = true
				collectKeys(field.Type, keys)
			}
		}
	}
}

func TestExampleOfAProviderLoads(t *testing.T) {
	t.Parallel()
	_, example, _ := strings.Cut(read(t, "docs/recipes.md"), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "acme.yaml"), []byte(example), 0o600))
	registry, err := provider.Load(folder)
	require.NoError(t, err)
	require.Contains(t, registry.Names(), "acme")
}

// TestWalkThroughBuildsTheProvider follows docs/providers.md as its reader does:
// the profile of step 2 into a folder, the registry loaded from there, and the
// request of step 5 out of it.
func TestWalkThroughBuildsTheProvider(t *testing.T) {
	t.Parallel()
	page := read(t, "docs/providers.md")
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "parcels.yaml"), []byte(block(t, page, "yaml")), 0o600))
	registry, err := provider.Load(folder)
	require.NoError(t, err)
	profile, err := registry.Profile("parcels")
	require.NoError(t, err)

	at := time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)
	sample, ok := profile.Sample("parcel.labelled", "")
	require.True(t, ok)
	request, err := profile.Request(provider.RequestInput{
		Event: webhook.Event{
			ID: "019712a4-0000-7000-8000-00000000000e", Tenant: "acme", Provider: "parcels", Type: "parcel.labelled",
			Source: webhook.SourceSystem, Data: sample.Sample, OccurredAt: at, AcceptedAt: at,
		},
		Subscription: webhook.Subscription{
			ID: "019712a4-0000-7000-8000-00000000000f", Tenant: "acme", Provider: "parcels",
			URL: "https://shop.example.com/hooks", Events: []string{"*"}, Secrets: []webhook.Secret{"pcl_0123456789abcdef"},
		},
		DeliveryID: "019712a4-0000-7000-8000-00000000000d", Now: at, UserAgent: "Posthaste/1.0",
	})
	require.NoError(t, err)
	sent := "POST " + request.URL + "\n"
	for _, header := range request.Header {
		sent += header.Name + ": " + header.Value + "\n"
	}
	require.Equal(t, block(t, page, "http"), sent+"\n"+string(request.Body)+"\n")

	t.Run("and a mistake says where it is", func(t *testing.T) {
		t.Parallel()
		wrong := t.TempDir()
		text := strings.Replace(block(t, page, "yaml"), "digest: sha256", "digest: sha265", 1)
		require.NoError(t, os.WriteFile(filepath.Join(wrong, "parcels.yaml"), []byte(text), 0o600))
		_, err := provider.Load(wrong)
		require.ErrorContains(t, err, "parcels.yaml:")
		require.ErrorContains(t, err, "sha265")
		require.ErrorContains(t, err, "sha256")
	})
}

// block returns the first code block of a language inside the walk-through,
// without the list's indentation.
func block(t *testing.T, page, language string) string {
	t.Helper()
	_, text, found := strings.Cut(page, "   ```"+language+"\n")
	require.True(t, found)
	text, _, found = strings.Cut(text, "   ```\n")
	require.True(t, found)
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimPrefix(line, "   "))
	}
	return strings.Join(lines, "")
}
