package webhook_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"posthaste/webhook"
	"posthaste/webhook/payload"
)

// TestJSONSurvivesEncodingJSON sends canonical text through encoding/json, as
// it travels through Temporal, and expects the same bytes.
func TestJSONSurvivesEncodingJSON(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, give string }{
		{"plain", `{"b":1,"a":[true,false,"x"]}`},
		{"html", `"<a href='/?a=1&b=2'>"`},
		{"line separators", "\"\u2028\u2029\""},
		{"an escape that is text", `"\\u003c"`},
		{"text that ends in a backslash", `"\\"`},
		{"a backslash before a raw character", `"\\<\\&"`},
		{"many backslashes", `"\\\\u0026\\\\\\u2028"`},
		{"quote and escape", `"\"\\u003e\">"`},
		{"control characters", `"\u0000\u001f\n\t"`},
		{"lone surrogates", `"\ud800 \udfff"`},
		{"in keys", "{\"<\":1,\"&\u2028\":2,\"\\\\u003c\":3}"},
		{"astral", `"😀"`},
		{"empty", `""`},
		{"number", `1e+21`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			roundTrip(t, webhook.JSON(tt.give))
		})
	}
	require.NotContains(t, mustMarshal(t, webhook.Event{Data: webhook.JSON(`"<"`)}), "<", "encoding/json does rewrite; otherwise this test shows nothing")
}

func TestAnyCanonicalJSONSurvivesEncodingJSON(t *testing.T) {
	t.Parallel()
	piece := rapid.SampledFrom([]string{
		"<", ">", "&", "\u2028", "\u2029", `\\`, `\"`, `\n`, `\u0000`, `\u003c`, `\u2028`, "u003c", "u2029", "u", "0026", "é", "😀", `\ud800`, `\/`,
	})
	rapid.Check(t, func(t *rapid.T) {
		text := `{"` + strings.Join(rapid.SliceOf(piece).Draw(t, "key"), "") + `":"` + strings.Join(rapid.SliceOf(piece).Draw(t, "value"), "") + `"}`
		canonical, err := payload.Canonical("data", []byte(text))
		require.NoError(t, err)
		roundTrip(t, canonical)
	})
}

// roundTrip marshals twice over: an event within an event's transport.
func roundTrip(t require.TestingT, give webhook.JSON) {
	sent, err := json.Marshal(webhook.Event{Data: give, CustomData: give})
	require.NoError(t, err)
	var got webhook.Event
	require.NoError(t, json.Unmarshal(sent, &got))
	require.Equal(t, string(give), string(got.Data))
	require.Equal(t, string(give), string(got.CustomData))
	again, err := json.Marshal(got)
	require.NoError(t, err)
	require.Equal(t, string(sent), string(again))
}

func TestEventWithoutData(t *testing.T) {
	t.Parallel()
	sent := mustMarshal(t, webhook.Event{ID: "e"})
	require.Contains(t, sent, `"data":null`)
	require.NotContains(t, sent, "customData")
	require.NotContains(t, sent, "attributes")
	got := webhook.Event{Data: webhook.JSON(`1`), CustomData: webhook.JSON(`2`)}
	require.NoError(t, json.Unmarshal([]byte(`{"data":null,"customData":null}`), &got))
	require.Nil(t, got.Data)
	require.Nil(t, got.CustomData)
}

// TestEventTravelsWhole sets every field of an event, so that one without a
// place on the wire is noticed.
func TestEventTravelsWhole(t *testing.T) {
	t.Parallel()
	give := webhook.Event{
		ID: "e", Tenant: "acme", Provider: "shop", Type: "order.paid", Source: webhook.SourceAPI,
		Data: webhook.JSON(`{"a":"<"}`), CustomData: webhook.JSON(`{"b":2}`),
		Attributes: webhook.Attributes{
			CampaignID: "c", ListIDs: []string{"1", "2"}, SchemaID: "s", Bulk: true, CampaignTrigger: "manual", InitiatedBy: "who",
		},
		OccurredAt: time.Date(2026, 5, 30, 10, 0, 0, 123e6, time.UTC), AcceptedAt: time.Date(2026, 5, 30, 10, 0, 1, 0, time.UTC),
		BodyHash: "ab", WebhookID: "w", Test: true,
	}
	for _, v := range []reflect.Value{reflect.ValueOf(give), reflect.ValueOf(give.Attributes)} {
		for i := range v.NumField() {
			require.False(t, v.Field(i).IsZero(), "%s is not set by this test", v.Type().Field(i).Name)
		}
	}
	var got webhook.Event
	require.NoError(t, json.Unmarshal([]byte(mustMarshal(t, give)), &got))
	require.Equal(t, give, got)
}

func TestUnmarshalJSONKeepsACopy(t *testing.T) {
	t.Parallel()
	text := []byte(`{"a":1}`)
	var j webhook.JSON
	require.NoError(t, j.UnmarshalJSON(text))
	text[2] = 'x'
	require.Equal(t, `{"a":1}`, string(j))
}

func TestSourcesAreDistinct(t *testing.T) {
	t.Parallel()
	require.Equal(t, []webhook.Source{"public", "admin", "api", "system"}, webhook.Sources())
}

func mustMarshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
