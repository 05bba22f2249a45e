package api

import (
	"context"
	"errors"
	"net/http"
	"posthaste/models"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

func serviceScenarios() []scenario {
	public := map[string]string{"Authorization": "-"}
	signed := func(claims jwt.MapClaims) map[string]string {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(testSecret))
		if err != nil {
			panic(err) // an HMAC key of any length signs
		}
		return map[string]string{"Authorization": "Bearer " + token}
	}
	return []scenario{
		{name: "alive", url: "/healthz", headers: public, status: 200, want: []string{`{"success":true,"data":{"status":"ok"}}`}},
		{name: "ready", url: "/readyz", headers: public, status: 200, want: []string{`"checks":{"database":"ok","temporal":"ok"}`}},
		{
			name: "not ready", url: "/readyz", headers: public, status: 503, want: []string{`"message":"Not ready: temporal, worker"`}, mustNot: []string{"10.1.2.3"},
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				down := func(context.Context) error { return errors.New("dial tcp 10.1.2.3:7233: refused") }
				w.deps.Checks = []Check{w.deps.Checks[0], {"temporal", down}, {"worker", down}}
				w.build(t)
			},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Contains(t, w.logs.String(), "10.1.2.3")
			},
		},
		{name: "metrics", url: "/metrics", headers: public, status: 200, want: []string{"posthaste_events_total 1"}},
		{name: "the specification", url: "/api/openapi.yaml", headers: public, status: 200, want: []string{"openapi: 3.0.3"}, header: map[string]string{"Content-Type": "application/yaml; charset=utf-8"}},

		{name: "no such route", url: "/api/nothing", status: 404, want: []string{`"success":false,"code":"NOT_FOUND"`}},
		{name: "no such route, and nobody", url: "/wp-login.php", headers: public, status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "a slash too many", url: "/api/webhooks/", status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "no such method", method: "PUT", url: "/api/webhooks", body: "{}", status: 404, want: []string{"does not answer to PUT"}, header: map[string]string{"Allow": "GET, HEAD, POST"}},
		{name: "no preflight", method: "OPTIONS", url: "/api/webhooks", headers: map[string]string{"Origin": "https://evil.dev"}, status: 404, header: map[string]string{"Access-Control-Allow-Origin": ""}},

		{name: "a request id is echoed", url: "/healthz", headers: map[string]string{"X-Request-Id": "trace-42.a_B"}, status: 200, header: map[string]string{"X-Request-Id": "trace-42.a_B"}},
		{
			name: "a strange request id is replaced", url: "/api/nothing", headers: map[string]string{"X-Request-Id": `"><script>`}, status: 404, mustNot: []string{"script"},
			after: func(t *testing.T, _ *world, got answer) {
				t.Helper()
				require.Contains(t, got.body, `"requestId":"`+got.header.Get("X-Request-Id")+`"`)
			},
		},
		{
			name: "the log has no query", url: "/api/events?cursor=secret-of-the-query", status: 400,
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.NotContains(t, w.logs.String(), "secret-of-the-query")
				require.Contains(t, w.logs.String(), "path=/api/events status=400")
				require.Contains(t, w.logs.String(), "tenant="+w.tenant)
			},
		},

		{name: "nobody", url: "/api/webhooks", headers: public, status: 401, want: []string{`"success":false,"code":"UNAUTHORIZED"`}, header: map[string]string{"WWW-Authenticate": `Bearer realm="posthaste"`}},
		{name: "nobody enqueues", method: "POST", url: "/api/events", body: orderPaid, headers: public, status: 401},
		{name: "an expired token", url: "/api/webhooks", headers: signed(with("exp", testNow.Unix()-60)), status: 401, want: []string{"expired"}, header: map[string]string{"WWW-Authenticate": `Bearer realm="posthaste", error="invalid_token"`}},
		{name: "a token without an end", url: "/api/webhooks", headers: signed(with("exp", nil)), status: 401, want: []string{"needs exp"}},
		{name: "a token of nobody", url: "/api/webhooks", headers: signed(with("tenant", nil)), status: 401, want: []string{"tenant claim"}},
		{name: "an unsigned token", url: "/api/webhooks", headers: map[string]string{"Authorization": "Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ0ZW5hbnQiOiJhY21lIiwiZXhwIjo5OTk5OTk5OTk5fQ."}, status: 401},
		{name: "a token that is none", url: "/api/webhooks", headers: map[string]string{"Authorization": "Bearer a.b.c"}, status: 401},
		{name: "another scheme", url: "/api/webhooks", headers: map[string]string{"Authorization": "Basic YTpi"}, status: 401, want: []string{"Bearer"}},
	}
}

// tenantScenarios ask for what a neighbour has, on every route that names
// something: it does not exist.
func tenantScenarios() []scenario {
	var list []scenario
	for _, row := range []struct{ method, url, body string }{
		{"GET", "/api/webhooks/{other.webhook}", ""},
		{"PATCH", "/api/webhooks/{other.webhook}", `{"name":"mine"}`},
		{"DELETE", "/api/webhooks/{other.webhook}", ""},
		{"POST", "/api/webhooks/{other.webhook}/rotate-secret", ""},
		{"POST", "/api/webhooks/{other.webhook}/test", ""},
		{"GET", "/api/webhooks/{other.webhook}/history", ""},
		{"GET", "/api/webhooks/{other.webhook}/deliveries", ""},
		{"GET", "/api/webhooks/{other.webhook}/stats", ""},
		{"GET", "/api/webhooks/{other.webhook}/audit", ""},
		{"GET", "/api/events/{other.event}", ""},
		{"GET", "/api/deliveries/{other.delivery}", ""},
		{"POST", "/api/deliveries/{other.delivery}/retry", ""},
		{"POST", "/api/webhooks/{other.webhook}/replay", `{"since":"2026-01-01T00:00:00Z"}`},
		{"GET", "/api/webhooks/{other.webhook}/replays", ""},
		{"GET", "/api/replays/{other.replay}", ""},
		{"DELETE", "/api/replays/{other.replay}", ""},
		{"DELETE", "/api/api-keys/{other.key}", ""},
	} {
		list = append(list, scenario{
			name: "a neighbour's: " + row.method + " " + row.url, method: row.method, url: row.url, body: row.body, status: 404,
			arrange: addReplay(models.ReplayRunning),
			want:    []string{`"code":"NOT_FOUND"`}, mustNot: []string{"hooks.acme.dev", "order.paid"},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				mine := w.tenant
				w.tenant += "-neighbour"
				require.Equal(t, 200, w.send(t, http.MethodGet, w.fill("/api/webhooks/{other.webhook}"), "", nil).status, "it is still there")
				w.tenant = mine
			},
		})
	}
	return list
}

// TestEveryNamedResourceHasATenantScenario keeps tenantScenarios complete.
func TestEveryNamedResourceHasATenantScenario(t *testing.T) {
	t.Parallel()
	asked := map[string]bool{}
	for _, s := range tenantScenarios() {
		asked[s.method+" "+specificationPath(s.url)] = true
	}
	for _, row := range table(t) {
		if row.Auth == authPublic || row.Auth == authAdmin || specificationPath(row.Path) == row.Path {
			continue // an operator may name any tenant
		}
		found := false
		for _, kind := range []string{"{other.webhook}", "{other.event}", "{other.delivery}", "{other.replay}", "{other.key}"} {
			found = found || asked[row.Method+" "+replaceID(row.Path, kind)]
		}
		require.True(t, found, "%s %s", row.Method, row.Path)
	}
}
