package docs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/webhook/provider"
)

// TestEventCatalogueIsFresh holds docs/events.md to the profiles. `go test
// ./docs -update` writes it.
func TestEventCatalogueIsFresh(t *testing.T) {
	t.Parallel()
	registry, err := provider.Load("")
	require.NoError(t, err)
	var page strings.Builder
	page.WriteString("# Every event type\n\nWhat each provider can send, with sample data: the same that test sends use and " +
		"that `GET /api/webhooks/events?provider=NAME&detail=true` answers. Made from the profiles by `make golden`.\n")
	for _, name := range registry.Names() {
		profile, err := registry.Profile(name)
		require.NoError(t, err)
		fmt.Fprintf(&page, "\n## %s\n\n%s Documentation: <%s>\n", profile.Title(), profile.Description(), profile.Docs())
		for _, event := range profile.EventTypes() {
			writeEvent(t, &page, event)
		}
		if profile.AnyEvent() {
			page.WriteString("\nAny well-formed name is an event type.\n")
		}
	}
	if *update {
		require.NoError(t, os.WriteFile("events.md", []byte(page.String()), 0o600))
		return
	}
	require.Equal(t, page.String(), read(t, "docs/events.md"), "run: go test ./docs -update")
}

func writeEvent(t *testing.T, page *strings.Builder, event provider.EventType) {
	t.Helper()
	fmt.Fprintf(page, "\n### `%s`", event.Type)
	if event.Version != "" {
		fmt.Fprintf(page, " (%s)", event.Version)
	}
	fmt.Fprintf(page, "\n\n%s: %s.\n\n", event.Category, strings.TrimSuffix(event.Description, "."))
	var sample bytes.Buffer
	require.NoError(t, json.Indent(&sample, event.Sample, "", "  "))
	fmt.Fprintf(page, "```json\n%s\n```\n", sample.String())
}
