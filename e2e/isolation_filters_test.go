package e2e

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// filters are what the lists of the isolation test are narrowed down with, by
// route.
func filters() map[string][]string {
	times := []string{"since=2026-01-01T00:00:00Z", "until=2099-01-01T00:00:00Z"}
	return map[string][]string{
		"GET /api/webhooks":                 {"provider=standard", "provider=operations", "status=active", "status=paused"},
		"GET /api/events":                   append(times, "provider=standard", "type=order.paid", "type=webhook.disabled"),
		"GET /api/webhooks/{id}/history":    append(times, "event=order.paid", "success=true", "success=false"),
		"GET /api/webhooks/{id}/deliveries": {"state=delivered", "state=pending,sending,retrying"},
	}
}

// A filter that is added to a list is drawn in the isolation test too.
func TestEveryFilterIsDrawn(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../api/openapi.yaml")
	require.NoError(t, err)
	type parameter struct {
		Ref  string `yaml:"$ref"`
		Name string `yaml:"name"`
		In   string `yaml:"in"`
	}
	var specification struct {
		Paths map[string]struct {
			Get struct {
				Parameters []parameter `yaml:"parameters"`
			} `yaml:"get"`
		} `yaml:"paths"`
	}
	require.NoError(t, yaml.Unmarshal(text, &specification))
	lists := 0
	for path, at := range specification.Paths {
		route := "GET " + path
		if !slices.ContainsFunc(at.Get.Parameters, func(p parameter) bool { return strings.HasSuffix(p.Ref, "/Cursor") }) {
			continue
		}
		lists++
		for _, p := range at.Get.Parameters {
			name := p.Name
			if p.Ref != "" {
				name = strings.ToLower(p.Ref[strings.LastIndex(p.Ref, "/")+1:])
			}
			if p.In == "path" || slices.Contains([]string{"limit", "cursor", "webhookid", "id"}, name) {
				continue
			}
			require.True(t, slices.ContainsFunc(filters()[route], func(f string) bool { return strings.HasPrefix(f, name+"=") }),
				"%s can be narrowed down with %s", route, name)
		}
	}
	require.GreaterOrEqual(t, lists, 7)
}
