package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// TestEventCatalogueIsFresh holds docs/events.md to the profiles. `go test
// ./docs -update` writes it.
func TestEventCatalogueIsFresh(t *testing.T) {
	t.Parallel()
	registry, err := provider.Load("")
	require.NoError(t, err)
	var page strings.Builder
	page.WriteString("# Every event type\n\nWhat each provider can send, with a sample that `POST /api/events` takes as it stands: the same that " +
		"test sends use and that `GET /api/webhooks/events?provider=NAME&detail=true` answers in parts. Made from the profiles by `make golden`.\n")
	for _, name := range registry.Names() {
		profile, err := registry.Profile(name)
		require.NoError(t, err)
		fmt.Fprintf(&page, "\n## %s\n\n%s Documentation: <%s>\n", profile.Title(), profile.Description(), profile.Docs())
		if profile.Internal() {
			page.WriteString("\nPosthaste makes these events itself; `POST /api/events` takes none of them.\n")
		}
		for _, event := range profile.EventTypes() {
			writeEvent(t, &page, profile, event)
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

// enqueued is an event as one POSTs it.
type enqueued struct {
	Provider   string             `json:"provider"`
	Type       string             `json:"type"`
	Source     webhook.Source     `json:"source,omitempty"`
	Data       webhook.JSON       `json:"data"`
	CustomData webhook.JSON       `json:"customData,omitempty"`
	Attributes webhook.Attributes `json:"attributes,omitzero"`
}

func writeEvent(t *testing.T, page *strings.Builder, profile *provider.Profile, event provider.EventType) {
	t.Helper()
	fmt.Fprintf(page, "\n### `%s`", event.Type)
	if event.Version != "" {
		fmt.Fprintf(page, " (%s)", event.Version)
	}
	fmt.Fprintf(page, "\n\n%s: %s.\n\n```json\n", event.Category, strings.TrimSuffix(event.Description, "."))
	sample := enqueued{
		Provider: profile.Name(), Type: event.Type,
		Data: event.Sample, CustomData: event.SampleCustomData, Attributes: event.SampleAttributes,
	}
	if event.SampleSource != webhook.SourceSystem { // the default
		sample.Source = event.SampleSource
	}
	encoder := json.NewEncoder(page)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(sample))
	page.WriteString("```\n")
}
