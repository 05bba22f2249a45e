package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/payload"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// readEvent reads a request of POST /api/events as the route does, up to the
// point where the event would be handed on.
func readEvent(s *events, body, key string) (webhook.Event, error) {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodPost, "/api/events", strings.NewReader(body))
	c.Request.Header.Set("Content-Type", "application/json")
	c.Request.Header.Set(headerIdempotencyKey, key)
	object, err := readBody(c, bodyRule{maxBytes: DefaultMaxEventBytes, around: 1})
	if err != nil {
		return webhook.Event{}, err
	}
	if key, err = idempotencyKey(c.Request.Header); err != nil {
		return webhook.Event{}, err
	}
	return s.read(object, "acme", key)
}

// asBody writes an event as the request that would enqueue it.
func asBody(t *testing.T, e webhook.Event) string {
	t.Helper()
	members := map[string]any{
		"type": e.Type, "provider": e.Provider, "source": e.Source, "data": json.RawMessage(e.Data),
		"occurredAt": timestamp(e.OccurredAt),
		"attributes": map[string]any{
			"campaignId": e.Attributes.CampaignID, "listIds": orEmpty(e.Attributes.ListIDs), "schemaId": e.Attributes.SchemaID,
			"bulk": e.Attributes.Bulk, "campaignTrigger": e.Attributes.CampaignTrigger, "initiatedBy": e.Attributes.InitiatedBy,
		},
	}
	if e.CustomData != nil {
		members["customData"] = json.RawMessage(e.CustomData)
	}
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text)
}

// FuzzEventBody: no body crashes the reading of an event. What is refused is
// refused as the caller's fault, in texts that can be shown. What is accepted is
// canonical, and accepted again as it is, to the same effect.
func FuzzEventBody(f *testing.F) {
	for _, e := range []string{
		`{"type":"order.paid","data":{"id":"1"}}`,
		`{"type":"order.paid","data":{"a":1.50e2,"b":[{}],"a":2},"occurredAt":"2026-05-30T12:00:00.123456+02:00"}`,
		`{"type":"message.received","provider":"actiwapi","data":{"from":"1"}}`,
		`{"type":"contact_tag_added","provider":"activecampaign","source":"api","data":{"contact":{"id":1},"list":["1"]},"attributes":{"listIds":["1","2"],"campaignId":"3"}}`,
		`{"type":"CONTACT_ADD","provider":"aktify","data":{"n":9007199254740993},"customData":{"k":"v","l":1}}`,
		`{"type":"note.created","provider":"akol","data":{"schemaId":"s"},"attributes":{"bulk":true,"schemaId":"s","initiatedBy":"u"}}`,
		`{"type":"x","data":{"n":1e400}}`, `{"type":"x","data":{"s":"\ud800"}}`, `{"type":"x","data":{"__proto__":{"a":1},"2":0,"1":0}}`,
		`{"type":"x","data":` + strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat("}", 71),
		`{"type":"x","data":null}`, `{"type":1,"data":[]}`, "\ufeff{}", "{\"type\":\"a\xff\"}", "", "null", `{"type":"x","data":{},"data":{}}`,
		`{"type":"x","data":{},"occurredAt":"9999-12-31T23:59:59-14:00"}`, `{"type":"x\u0000","data":{}}`,
	} {
		f.Add(e, "key-1")
		f.Add(e, "")
	}
	registry, err := loadShipped()
	require.NoError(f, err)
	s := &events{profiles: profiles{registry: registry, otherwise: "standard"}, now: clock}
	f.Fuzz(func(t *testing.T, body, key string) {
		event, err := readEvent(s, body, key)
		if err != nil {
			requireFaultOfCaller(t, err)
			return
		}
		for name, text := range map[string]webhook.JSON{"data": event.Data, "customData": event.CustomData} {
			if text == nil {
				continue
			}
			again, err := payload.CanonicalObject(name, text)
			require.NoError(t, err)
			require.Equal(t, string(again), string(text), "what is accepted is canonical")
		}
		same, err := readEvent(s, body, key)
		require.NoError(t, err)
		if key != "" {
			require.Equal(t, event, same, "a key stands for one event")
		}
		rewritten, err := readEvent(s, asBody(t, event), key)
		require.NoError(t, err, "%s", asBody(t, event))
		event.BodyHash, rewritten.BodyHash, event.ID, rewritten.ID = "", "", "", ""
		require.Equal(t, asBody(t, event), asBody(t, rewritten))
	})
}

// requireFaultOfCaller holds a refusal to a 4xx whose texts can be shown.
func requireFaultOfCaller(t *testing.T, err error) {
	t.Helper()
	coded := coerce(err)
	require.Contains(t, []errs.Code{errs.Invalid, errs.TooLarge, errs.UnsupportedMedia, errs.NotFound}, coded.Code, "%v", err)
	require.True(t, utf8.ValidString(coded.Message), coded.Message)
	for field, message := range coded.Fields {
		require.True(t, utf8.ValidString(field) && utf8.ValidString(message), "%q: %q", field, message)
		require.NotEmpty(t, message)
	}
}
