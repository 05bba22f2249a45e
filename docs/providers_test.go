package docs

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
