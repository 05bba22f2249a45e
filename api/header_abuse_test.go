package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"posthaste/models/modelstest"

	"github.com/stretchr/testify/require"
)

// forbiddenHeaders are names that no webhook may send, in any spelling.
var forbiddenHeaders = strings.Fields(`
	Host host HOST Content-Length content-length Content_Length Content-Type Content-Encoding Transfer-Encoding
	transfer_encoding Connection connection Keep-Alive Proxy-Connection Proxy-Authorization Proxy-Authenticate
	proxy-anything TE te Trailer Upgrade HTTP2-Settings Expect Accept-Encoding User-Agent
	webhook-id webhook-timestamp webhook-signature Webhook-Anything webhook_id WEBHOOK_SIGNATURE
	X-Delivery-Id x-delivery-id X_Delivery_Id`)

// TestHeadersThatAreRefused creates and changes webhooks with headers that could
// break a request, or pass for one of ours.
func TestHeadersThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, modelstest.Open(t, modelstest.SQLite), "acme")
	refused := func(headers map[string]string, fields ...string) {
		t.Helper()
		text, err := json.Marshal(headers)
		require.NoError(t, err)
		w.refusesHeaders(t, string(text), "standard", fields...)
	}
	for _, name := range forbiddenHeaders {
		refused(map[string]string{name: "x"}, "headers."+name)
	}
	for _, name := range []string{
		"", " ", "X Team", "X-Team ", " X-Team", "X-Team:", "X-Team\r\nHost", "X-Team\n", "X\tTeam", "X-Team\x00", "X-Täam", "Ｘ-Team",
		"X\u2028Team", "(X)", "X/Y", "X@Y", "X,Y", `X"Y`, ":method", ":authority", strings.Repeat("x", 129),
	} {
		refused(map[string]string{name: "x"}, "headers."+name)
	}
	for _, value := range []string{
		"a\nb", "a\rb", "a\r\nHost: evil.example", "a\r\n\r\n{}", "a\x00b", "a\x01b", "a\x1bb", "a\x7fb", "a\tb", "a\u0085b", "a\u009fb",
		"\n", strings.Repeat("x", 4097), strings.Repeat("ü", 2049),
	} {
		refused(map[string]string{"X-Team": value}, "headers.X-Team")
	}
	refused(map[string]string{"X-Team": "a", "x-team": "b"}, "headers.x-team")
	refused(map[string]string{"X-Team": "a", "X-TEAM": "b", "x-team": "c"}, "headers.X-Team", "headers.x-team")
	many := map[string]string{}
	for i := range 21 {
		many[fmt.Sprint("X-", i)] = "x"
	}
	refused(many, "headers")
	for text, field := range map[string]string{
		`{"X-Team":"a","X-Team":"b"}`: "headers.X-Team", `{"X-Team":1}`: "headers.X-Team", `{"X-Team":null}`: "headers.X-Team",
		`{"X-Team":["a","b"]}`: "headers.X-Team", `["X-Team: a"]`: "headers", `"X-Team: a"`: "headers",
	} {
		w.refusesHeaders(t, text, "standard", field)
	}
	w.refusesHeaders(t, `{"X-Webhook-Signature":"x"}`, "actiwapi", "headers.X-Webhook-Signature") // its provider signs with it
}

// refusesHeaders holds create and change to a 400 that names exactly these
// fields, and to having stored nothing.
func (w *world) refusesHeaders(t *testing.T, headers, provider string, fields ...string) {
	t.Helper()
	secret := ""
	if provider != "standard" {
		secret = `,"secret":"a-secret-of-tests"`
	}
	create := fmt.Sprintf(`{"url":"https://hooks.acme.dev/new","events":["message.received"],"provider":%q%s,"headers":%s}`, provider, secret, headers)
	calls := [][3]string{{http.MethodPost, "/api/webhooks", create}}
	if provider == "standard" {
		calls = append(calls, [3]string{http.MethodPatch, "/api/webhooks/" + w.ids["webhook"], `{"headers":` + headers + `}`})
	}
	for _, call := range calls {
		got := w.send(t, call[0], call[1], call[2], nil)
		require.Equal(t, http.StatusBadRequest, got.status, "%q: %s", headers, got.body)
		var envelope struct {
			Errors map[string]string `json:"errors"`
		}
		require.NoError(t, json.Unmarshal([]byte(got.body), &envelope))
		slices.Sort(fields)
		require.Equal(t, fields, slices.Sorted(maps.Keys(envelope.Errors)), "%q: %s", headers, got.body)
	}
	w.leftNothingBehind(t)
}
