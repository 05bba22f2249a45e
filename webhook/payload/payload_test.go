package payload_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/payload"
)

var update = flag.Bool("update", false, "write the golden files anew")

// specs holds one Spec for each format, as a profile would have it.
var specs = map[string]string{
	"json": `
format: json
envelope:
  metadata:
    apiVersion: "2026-02-09"
    eventType: $event.type
    campaignId: $event.attributes.campaignId
    eventTime: $event.occurredAt
  businessId: biz_${event.tenant}
  data: $event.data
  customData: $event.customData?
`,
	"standard":    `format: standard`,
	"cloudevents": "format: cloudevents\nenvelope: {source: 'urn:shop:${event.tenant}', subject: '$data.id?'}",
	"form": `
format: form
form:
  groups:
    head:
      - {key: url, value: $webhook.url}
      - {key: type, value: $event.type}
      - {key: date_time, value: $event.occurredAt.offset}
      - {key: initiated_from, value: $event.source, map: {api: admin}}
      - {key: initiated_by, value: $event.attributes.initiatedBy ?? $event.source}
  fields:
    - group: head
    - {key: list, value: 0}
    - contact[email]
    - {key: "contact[tags]", join: ", "}
    - contact[fields][*]
`,
}

func parseSpec(tb testing.TB, text string) payload.Spec {
	tb.Helper()
	var spec payload.Spec
	require.NoError(tb, yaml.UnmarshalWithOptions([]byte(text), &spec, yaml.DisallowUnknownField()))
	return spec
}

func compile(tb testing.TB, text string) *payload.Renderer {
	tb.Helper()
	renderer, err := payload.Compile(parseSpec(tb, text))
	require.NoError(tb, err)
	return renderer
}

func render(tb testing.TB, spec string, event webhook.Event) string {
	tb.Helper()
	body, err := compile(tb, spec).Render(input(event))
	require.NoError(tb, err)
	return string(body.Bytes)
}

// input is what every test renders from, but for the event.
func input(event webhook.Event) payload.Input {
	return payload.Input{
		Event: event,
		Subscription: webhook.Subscription{
			ID: "0197b1a4-0000-7000-8000-0000000000aa", Tenant: "acme", Provider: "shop", Name: "Orders & more",
			URL: "https://example.com/hook?a=1&b=2", Version: "v2",
			Filters: webhook.Filters{CampaignID: "c7", ListID: "5", SchemaID: "s1"},
		},
		DeliveryID: "0197b1a4-0000-7000-8000-0000000000dd",
		Now:        time.Date(2026, 5, 30, 10, 0, 5, 250e6, time.UTC),
	}
}

// event is an event with the given data, canonical.
func event(tb testing.TB, data string) webhook.Event {
	tb.Helper()
	canonical, err := payload.Canonical("data", []byte(data))
	require.NoError(tb, err)
	return webhook.Event{
		ID: "0197b1a4-7c00-7000-8000-000000000001", Tenant: "acme", Provider: "shop", Type: "order.paid",
		Source: webhook.SourceAPI, Data: canonical,
		OccurredAt: time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC),
		AcceptedAt: time.Date(2026, 5, 30, 10, 0, 1, 7e6, time.UTC),
	}
}

// messages are the five that every format renders.
func messages(tb testing.TB) map[string]webhook.Event {
	tb.Helper()
	nested := event(tb, `{"id":"o-1","contact":{"email":"ada@example.com","tags":["vip","early adopter"],
		"fields":{"39":"yes","7":null,"Job Title":"CTO"}},"lines":[{"sku":"a","n":2},{"sku":"b","n":0.5,"opts":[[1,2],[]]}],
		"paid":true,"refunded":false,"note":null,"empty":{}}`)
	nested.CustomData = webhook.JSON(`{"k":"v"}`)
	nested.Attributes = webhook.Attributes{CampaignID: "c7", ListIDs: []string{"1", "2"}, InitiatedBy: "importer"}
	unicode := event(tb, `{"emoji":"😀","html":"<a href=\"/?a=1&b=2\">x</a>","ls":"\u2028\u2029","lone":"\ud800","ctl":"\u0001\n\\",
		"漢字":{"ключ é":"ß ~*-_."},"del":"\u007f"}`)
	return map[string]webhook.Event{
		"minimal": event(tb, `{"a":1}`),
		"nested":  nested,
		"unicode": unicode,
		"empty":   event(tb, `{}`),
		"large":   event(tb, largeData()),
	}
}

// largeData is just below the 256 KiB that an event may have.
func largeData() string {
	var rows []string
	for size := 0; size < 256<<10-400; size += len(rows[len(rows)-1]) + 1 {
		i := len(rows)
		rows = append(rows, fmt.Sprintf(`{"id":%d,"email":"reader%d@example.com","score":%d.25,"tags":["t%d","<&>"],"ok":%t}`, i, i, i, i%7, i%2 == 0))
	}
	return `{"rows":[` + strings.Join(rows, ",") + `],"count":` + fmt.Sprint(len(rows)) + `}`
}

func TestEveryFormat(t *testing.T) {
	t.Parallel()
	contentTypes := map[string]string{
		"json": "application/json", "standard": "application/json", "cloudevents": "application/cloudevents+json",
		"form": "application/x-www-form-urlencoded; charset=utf-8",
	}
	for _, format := range payload.Formats() {
		require.Contains(t, specs, format, "every format has a Spec in this test")
		require.Contains(t, contentTypes, format)
		for name, event := range messages(t) {
			t.Run(format+"/"+name, func(t *testing.T) {
				t.Parallel()
				renderer := compile(t, specs[format])
				in := input(event)
				body, err := renderer.Render(in)
				require.NoError(t, err)
				require.Equal(t, contentTypes[format], body.ContentType)
				for range 100 {
					again, err := renderer.Render(in)
					require.NoError(t, err)
					require.True(t, bytes.Equal(body.Bytes, again.Bytes), "rendered twice, two bodies")
				}
				want := body.Bytes
				if name == "large" { // a fingerprint will do
					want = fmt.Appendf(nil, "%d bytes, SHA-256 %x\n", len(want), sha256.Sum256(want))
				}
				golden(t, filepath.Join("testdata", "golden", format, name+".golden"), want)
				if format == "form" {
					return
				}
				canonical, err := payload.Canonical("body", body.Bytes)
				require.NoError(t, err)
				require.Equal(t, string(canonical), string(body.Bytes), "a JSON body is what JSON.stringify gives")
				require.True(t, bytes.Contains(body.Bytes, event.Data), "the data is in it, byte for byte")
			})
		}
	}
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "go test -update writes it")
	require.Equal(t, string(want), string(got))
}

func TestCloudEventsSDKReadsTheBody(t *testing.T) {
	t.Parallel()
	for name, give := range messages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got cloudevents.Event
			require.NoError(t, json.Unmarshal([]byte(render(t, "format: cloudevents", give)), &got))
			require.NoError(t, got.Validate())
			require.Equal(t, "1.0", got.SpecVersion())
			require.Equal(t, give.ID, got.ID())
			require.Equal(t, "/shop/acme", got.Source())
			require.Equal(t, give.Type, got.Type())
			require.True(t, give.OccurredAt.Equal(got.Time()))
			require.Equal(t, "application/json", got.DataContentType())
			require.Equal(t, string(give.Data), string(got.Data()))
		})
	}
}

func TestCloudEventsAttributes(t *testing.T) {
	t.Parallel()
	want := `{"specversion":"1.0","id":"0197b1a4-7c00-7000-8000-000000000001","source":"/shop/acme","type":"com.shop.order.paid",` +
		`"time":"2026-05-30T10:00:00.000Z","datacontenttype":"application/json","subject":"x","partition":7,"data":{"id":"x"}}`
	require.Equal(t, want, render(t, "format: cloudevents\nenvelope: {type: 'com.shop.${event.type}', subject: $data.id, partition: 7, gone: $data.no?}", event(t, `{"id":"x"}`)))
}

func TestRenderRefusesDataThatIsNotJSON(t *testing.T) {
	t.Parallel()
	for _, data := range []string{`{"a":`, `{"a":1`, `"`, `{"a"1}`, `[1`, `{a:1}`, ``, `{}x`, `[,]`} {
		e := event(t, `{}`)
		e.Data = webhook.JSON(data)
		for _, spec := range []string{specs["form"], "format: json\nenvelope: {a: $data.a, b: '${data}', c: $data.b}"} {
			_, err := compile(t, spec).Render(input(e))
			if data == "" {
				require.NoError(t, err, "no data at all is null")
				continue
			}
			require.True(t, errs.Is(err, errs.Internal), "%s with %s: %v", data, spec, err)
		}
	}
}
