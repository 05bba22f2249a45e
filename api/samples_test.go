package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"posthaste/models"
	"posthaste/webhook"

	"github.com/stretchr/testify/require"
)

// TestEverySampleCanBeEnqueued makes events of nothing but what the catalogue
// answers, as a reader of it would.
func TestEverySampleCanBeEnqueued(t *testing.T) {
	t.Parallel()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		t.Helper()
		w := newWorld(t, store, "reader")
		for _, name := range w.deps.Providers.Names() {
			types, _ := w.send(t, http.MethodGet, "/api/webhooks/events?detail=true&provider="+name, "", noToken()).list(t)
			require.NotEmpty(t, types, name)
			for _, one := range types {
				event := map[string]any{"provider": name, "type": one["type"], "data": one["sample"]}
				for _, member := range []string{"source", "attributes", "customData"} {
					if value, given := one[member]; given {
						event[member] = value
					}
				}
				body, err := json.Marshal(event)
				require.NoError(t, err)
				got := w.send(t, http.MethodPost, "/api/events", string(body), nil)
				if profile, err := w.deps.Providers.Profile(name); err == nil && profile.Internal() {
					require.Equal(t, http.StatusBadRequest, got.status, got.body)
					require.Contains(t, got.body, `"provider":"its events are made by Posthaste alone"`)
					continue
				}
				require.Equal(t, http.StatusAccepted, got.status, "%s: %s\n%s", name, body, got.body)
				requireSame(t, one, w.starter.events[len(w.starter.events)-1])
			}
		}
	})
}

// requireSame holds the enqueued event to the catalogue's entry: nothing of the
// sample was dropped on the way.
func requireSame(t *testing.T, entry map[string]any, got webhook.Event) {
	t.Helper()
	for member, text := range map[string]webhook.JSON{"sample": got.Data, "customData": got.CustomData} {
		want, err := json.Marshal(entry[member])
		require.NoError(t, err)
		sent, err := text.MarshalJSON()
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(sent), "%s of %s", member, got.Type)
	}
	if source, given := entry["source"]; given {
		require.EqualValues(t, source, got.Source, got.Type)
	} else {
		require.Equal(t, webhook.SourceSystem, got.Source, got.Type)
	}
}

// TestSamplesOfTheCatalogueStayAsTheyAre tests webhooks with filters, whose
// samples are changed, and wants the shared ones untouched.
func TestSamplesOfTheCatalogueStayAsTheyAre(t *testing.T) {
	t.Parallel()
	profile, err := shippedProviders(t).Profile("activecampaign")
	require.NoError(t, err)
	entry, known := profile.Sample("unsubscribe", "")
	require.True(t, known)
	before := entry.SampleAttributes
	require.Equal(t, []string{"3", "5"}, before.ListIDs)
	changed := attributesFor(&models.Webhook{Filters: models.Filters{ListID: "99", CampaignID: "c", SchemaID: "s"}}, entry)
	require.Equal(t, webhook.Attributes{ListIDs: []string{"99"}, CampaignID: "c", SchemaID: "s", CampaignTrigger: before.CampaignTrigger}, changed)
	again, _ := profile.Sample("unsubscribe", "")
	require.Equal(t, before, again.SampleAttributes)
	require.Equal(t, before, attributesFor(&models.Webhook{Filters: models.Filters{ListID: "5"}}, again), "what passes is left alone")
}
