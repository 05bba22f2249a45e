package api

import (
	"net/http"
	"strings"
	"testing"

	"posthaste/errs"
	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// byKey sends a scenario with the tenant's API key instead of a token.
func byKey() map[string]string {
	return map[string]string{"Authorization": "-", "X-API-Key": "{key.text}"}
}

// asAdmin sends a scenario with the token of an operator.
func asAdmin() map[string]string { return map[string]string{"Authorization": "Bearer {admin}"} }

func apiKeyScenarios() []scenario {
	list := []scenario{
		{
			name: "make an API key", method: "POST", url: "/api/api-keys", body: `{"name":"shop backend","expiresAt":"2026-05-30T13:00:00+02:00"}`, status: 201,
			want:  []string{`"name":"shop backend"`, `"key":"phk_`, `"prefix":"phk_`, `"lastUsedAt":null`, `"expiresAt":"2026-05-30T11:00:00.000Z"`},
			after: keyIsShownOnce,
		},
		{name: "make an API key without an end", method: "POST", url: "/api/api-keys", body: `{"name":"CI","expiresAt":null}`, status: 201, want: []string{`"expiresAt":null`}},
		{
			name: "list API keys", url: "/api/api-keys", status: 200,
			want:    []string{`"id":"{key}"`, `"name":"CI"`, `"pagination":{"limit":20,"nextCursor":null}`},
			mustNot: []string{"{key.text}", "{other.key}", `"hash"`, `"key"`},
		},
		{name: "list API keys in pages", url: "/api/api-keys?limit=2", status: 200, arrange: func(t *testing.T, w *world) {
			t.Helper()
			for range 4 {
				w.addKey(t, w.tenant, nil)
			}
		}, after: followPages("/api/api-keys?limit=2", 5)},
		{
			name: "revoke an API key", method: "DELETE", url: "/api/api-keys/{key}", status: 200, want: []string{`{"id":"{key}","deleted":true}`},
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				require.Equal(t, 200, w.sendByKey(t, "{key.text}").status, "and so it is remembered")
			},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				got := w.sendByKey(t, "{key.text}")
				require.Equal(t, 401, got.status, "a revoked key stops at once")
				require.Contains(t, got.body, "revoked")
			},
		},
		{name: "revoke nothing", method: "DELETE", url: "/api/api-keys/{missing}", status: 404},
		{name: "revoke what is no id", method: "DELETE", url: "/api/api-keys/1", status: 404},

		{name: "read by key", url: "/api/webhooks", headers: byKey(), status: 200, want: []string{`"id":"{webhook}"`}, mustNot: []string{"{other.webhook}"}, after: func(t *testing.T, w *world, _ answer) {
			t.Helper()
			require.Contains(t, w.logs.String(), "tenant="+w.tenant+" apiKey="+w.ids["key"])
			keys, err := w.store.APIKeys(t.Context(), models.APIKeyFilter{Tenant: w.tenant})
			require.NoError(t, err)
			require.NotNil(t, keys.Items[0].LastUsedAt)
		}},
		{name: "enqueue by key", method: "POST", url: "/api/events", body: orderPaid, headers: byKey(), status: 202, after: func(t *testing.T, w *world, _ answer) {
			t.Helper()
			require.Equal(t, w.tenant, onlyEvent(t, w).Tenant)
		}},
		{name: "list API keys by key", url: "/api/api-keys", headers: byKey(), status: 200},
		{name: "a neighbour's key sees the neighbour's", url: "/api/webhooks/{webhook}", headers: map[string]string{"Authorization": "-", "X-API-Key": "{other.key.text}"}, status: 404},
		{name: "a key makes no keys", method: "POST", url: "/api/api-keys", body: `{"name":"CI"}`, headers: byKey(), status: 403, want: []string{`"code":"FORBIDDEN"`}},
		{name: "a key revokes no keys", method: "DELETE", url: "/api/api-keys/{key}", headers: byKey(), status: 403, want: []string{`"code":"FORBIDDEN"`}},
		{name: "a key is no operator", url: "/api/admin/tenants/{tenant}", headers: byKey(), status: 403, want: []string{`"code":"FORBIDDEN"`}},
		{name: "a token counts before a key", url: "/api/webhooks", headers: map[string]string{"X-API-Key": "{other.key.text}"}, status: 200, want: []string{`"id":"{webhook}"`}},
		{name: "a bad token is not saved by a key", url: "/api/webhooks", headers: map[string]string{"Authorization": "Bearer x", "X-API-Key": "{key.text}"}, status: 401},
		{
			name: "a key that has expired", url: "/api/webhooks", headers: byKey(), status: 401, want: []string{"expired"},
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				until := testNow // the first moment at which it is of no use
				_, w.ids["key.text"] = w.addKey(t, w.tenant, &until)
				w.ids["fingerprint"] = w.fingerprint(t)
			},
		},
	}
	for name, text := range map[string]string{
		"empty":          "",
		"a word":         "secret",
		"cut":            "phk_0000000000000000000000000000000000000000000",
		"a wrong sum":    "phk_" + strings.Repeat("0", keyDigits+keySumDigits),
		"unknown":        keyPrefix + strings.Repeat("0", keyDigits) + keySum(keyPrefix+strings.Repeat("0", keyDigits)),
		"text behind it": "{key.text}x",
	} {
		list = append(list, scenario{
			name: "a key that is none: " + name, url: "/api/webhooks", headers: map[string]string{"Authorization": "-", "X-API-Key": text},
			status: 401, want: []string{`"code":"UNAUTHORIZED"`}, header: map[string]string{"WWW-Authenticate": `Bearer realm="posthaste"`},
		})
	}
	for _, bad := range []struct{ name, body, want string }{
		{"no name", `{}`, `"name":"is required"`},
		{"an empty name", `{"name":""}`, `"name":"must not be empty"`},
		{"a name too long", `{"name":"` + strings.Repeat("ü", 201) + `"}`, `"name":"must have at most 200 characters"`},
		{"an end that has passed", `{"name":"a","expiresAt":"2026-05-30T10:00:00Z"}`, `"expiresAt":"must lie in the future"`},
		{"an end that is no time", `{"name":"a","expiresAt":"tomorrow"}`, `"expiresAt":"must be an RFC 3339 time`},
		{"a key of one's own", `{"name":"a","key":"phk_x"}`, `"key":"is not a known field"`},
		{"a tenant", `{"name":"a","tenant":"other"}`, `"tenant":"is not a known field"`},
	} {
		list = append(list, scenario{name: "make an API key with " + bad.name, method: "POST", url: "/api/api-keys", body: bad.body, status: 400, want: []string{bad.want}})
	}
	return list
}

// sendByKey lists webhooks with an API key.
func (w *world) sendByKey(t *testing.T, key string) answer {
	t.Helper()
	return w.send(t, http.MethodGet, "/api/webhooks", "", map[string]string{"Authorization": "-", "X-API-Key": w.fill(key)})
}

// keyIsShownOnce proves that a new key works, and that it is nowhere else.
func keyIsShownOnce(t *testing.T, w *world, got answer) {
	t.Helper()
	key, isText := got.data(t)["key"].(string)
	require.True(t, isText)
	require.Regexp(t, `^phk_[0-9A-Za-z]{49}$`, key)
	require.Equal(t, key[:10], got.data(t)["prefix"])
	require.Equal(t, 200, w.sendByKey(t, key).status)
	list := w.send(t, http.MethodGet, "/api/api-keys", "", nil)
	require.Contains(t, list.body, key[:10])
	require.NotContains(t, list.body, key)
	require.NotContains(t, w.logs.String(), key)
	stored, err := w.store.APIKeyByHash(t.Context(), keyHash(key))
	require.NoError(t, err)
	require.NotContains(t, stored.Hash+stored.Shown, key)
	require.Equal(t, w.tenant, stored.Tenant)
}

func adminScenarios() []scenario {
	set := `{"status":"inactive","limits":{"webhooks":3,"eventsPerMinute":0}}`
	list := []scenario{
		{
			name: "a tenant that was never set", url: "/api/admin/tenants/{tenant}", headers: asAdmin(), status: 200,
			want: []string{`{"success":true,"data":{"id":"{tenant}","status":"active","limits":{"webhooks":0,"eventsPerMinute":0},"retentionDays":null,"createdAt":null,"updatedAt":null}}`},
		},
		{
			name: "set a tenant", method: "PUT", url: "/api/admin/tenants/{tenant}", headers: asAdmin(), body: set, status: 200,
			want: []string{`"id":"{tenant}","status":"inactive","limits":{"webhooks":3,"eventsPerMinute":0}`},
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				require.Equal(t, 202, w.send(t, http.MethodPost, "/api/events", orderPaid, nil).status, "and so the tenant is remembered")
			},
			after: func(t *testing.T, w *world, put answer) {
				t.Helper()
				got := w.send(t, http.MethodPost, "/api/events", orderPaid, nil)
				require.Equal(t, 403, got.status, "it holds at once")
				got = w.send(t, http.MethodGet, w.fill("/api/admin/tenants/{tenant}"), "", map[string]string{"Authorization": w.fill("Bearer {admin}")})
				require.Equal(t, put.body, got.body)
			},
		},
		{
			name: "set a tenant's retention", method: "PUT", url: "/api/admin/tenants/{tenant}", headers: asAdmin(), status: 200,
			body: `{"status":"active","limits":{"webhooks":3,"eventsPerMinute":0},"retentionDays":90}`, want: []string{`"retentionDays":90,`},
		},
		{
			name: "set a tenant's retention to that of all", method: "PUT", url: "/api/admin/tenants/{tenant}", headers: asAdmin(), status: 200,
			body: `{"status":"active","limits":{"webhooks":3,"eventsPerMinute":0},"retentionDays":null}`, want: []string{`"retentionDays":null,`},
		},
		{name: "a tenant for all but operators", url: "/api/admin/tenants/{tenant}", status: 403, want: []string{`"code":"FORBIDDEN"`, "scope admin"}},
		{name: "a tenant sets itself", method: "PUT", url: "/api/admin/tenants/{tenant}", body: set, status: 403, want: []string{`"code":"FORBIDDEN"`}},
		{name: "a tenant that cannot exist", url: "/api/admin/tenants/-acme", headers: asAdmin(), status: 404},
		{name: "set a tenant that cannot exist", method: "PUT", url: "/api/admin/tenants/a:b", headers: asAdmin(), body: set, status: 404},
	}
	for _, bad := range []struct{ name, body, want string }{
		{"nothing", `{}`, `"limits":"is required","status":"is required"`},
		{"no limits", `{"status":"active"}`, `"limits":"is required"`},
		{"half the limits", `{"status":"active","limits":{"webhooks":1}}`, `"limits.eventsPerMinute":"is required"`},
		{"another status", `{"status":"on","limits":{"webhooks":1,"eventsPerMinute":1}}`, `"status":"must be one of active, inactive"`},
		{"limits below none", `{"status":"active","limits":{"webhooks":-1,"eventsPerMinute":1}}`, `"limits.webhooks":"must be between 0 and 100000; 0 is no limit"`},
		{"limits above all", `{"status":"active","limits":{"webhooks":1,"eventsPerMinute":100000001}}`, `"limits.eventsPerMinute":"must be between 0 and 100000000; 0 is no limit"`},
		{"limits in words", `{"status":"active","limits":{"webhooks":"many","eventsPerMinute":1}}`, `"limits.webhooks":"must be a whole number"`},
		{"limits that are none", `{"status":"active","limits":7}`, `"limits":"must be an object"`},
		{"an unknown limit", `{"status":"active","limits":{"webhooks":1,"eventsPerMinute":1,"bytes":1}}`, `"limits.bytes":"is not a known field"`},
		{"a retention below none", `{"status":"active","limits":{"webhooks":1,"eventsPerMinute":1},"retentionDays":-1}`, `"retentionDays":"must be between 0 and 3650; 0 keeps everything"`},
		{"a retention of words", `{"status":"active","limits":{"webhooks":1,"eventsPerMinute":1},"retentionDays":"long"}`, `"retentionDays":"must be a whole number"`},
		{"an id", `{"id":"other","status":"active","limits":{"webhooks":1,"eventsPerMinute":1}}`, `"id":"is not a known field"`},
	} {
		list = append(list, scenario{
			name: "set a tenant with " + bad.name, method: "PUT", url: "/api/admin/tenants/{tenant}", headers: asAdmin(),
			body: bad.body, status: 400, want: []string{`"code":"VALIDATION_ERROR"`, bad.want},
		})
	}
	return list
}

// inactiveScenarios ask for everything that makes or sends something, and for
// what an inactive tenant may do all the same.
func inactiveScenarios() []scenario {
	inactive := setTenant(models.TenantInactive, models.Limits{})
	var list []scenario
	for _, row := range []struct{ method, url, body string }{
		{"POST", "/api/webhooks", `{"url":"https://hooks.acme.dev/new","events":["a"]}`},
		{"PATCH", "/api/webhooks/{webhook}", `{"name":"x"}`},
		{"PATCH", "/api/webhooks/{webhook}", `{"isActive":true}`},
		{"PATCH", "/api/webhooks/{webhook}", `{"isActive":null}`},
		{"PATCH", "/api/webhooks/{webhook}", `{"isActive":false,"name":"x"}`},
		{"PATCH", "/api/webhooks/{webhook}", `{}`},
		{"POST", "/api/webhooks/{webhook}/test", ""},
		{"POST", "/api/events", orderPaid},
		{"POST", "/api/events/batch", `{"events":[` + orderPaid + `]}`},
		{"POST", "/api/deliveries/{delivery}/retry", ""},
	} {
		list = append(list, scenario{
			name: "inactive: " + row.method + " " + row.url + " " + row.body, method: row.method, url: row.url, body: row.body, arrange: inactive,
			status: 403, want: []string{`"success":false,"code":"SUBSCRIPTION_INACTIVE"`},
		})
	}
	for _, row := range []struct {
		method, url, body string
		status            int
	}{
		{"GET", "/api/webhooks", "", 200},
		{"GET", "/api/webhooks/{webhook}/history", "", 200},
		{"GET", "/api/stats", "", 200},
		{"GET", "/api/events/{event}", "", 200},
		{"GET", "/api/deliveries/{delivery}", "", 200},
		{"GET", "/api/api-keys", "", 200},
		{"POST", "/api/api-keys", `{"name":"to read with"}`, 201},
		{"DELETE", "/api/api-keys/{key}", "", 200},
		{"DELETE", "/api/webhooks/{webhook}", "", 200},
		{"PATCH", "/api/webhooks/{webhook}", `{"isActive":false}`, 200},
		{"POST", "/api/webhooks/{webhook}/rotate-secret", "", 200},
		{"POST", "/api/webhooks/{webhook}/rotate-secret", `{"overlapSeconds":60}`, 200},
	} {
		list = append(list, scenario{
			name: "inactive, and yet: " + row.method + " " + row.url + " " + row.body, method: row.method, url: row.url, body: row.body,
			arrange: inactive, status: row.status,
		})
	}
	return list
}

func limitScenarios() []scenario {
	active := func(limits models.Limits) func(*testing.T, *world) { return setTenant(models.TenantActive, limits) }
	newHook := `{"url":"https://hooks.acme.dev/new","events":["a"]}`
	refused := func(t *testing.T, w *world, url, retryAfter string) {
		t.Helper()
		got := w.send(t, http.MethodPost, w.fill(url), "", nil)
		require.Equal(t, 429, got.status, got.body)
		require.Contains(t, got.body, `"code":"RATE_LIMITED"`)
		require.Equal(t, retryAfter, got.header.Get("Retry-After"))
	}
	three := `{"events":[` + orderPaid + `,{"type":"a"},` + orderPaid + `]}`
	return []scenario{
		{name: "a webhook too many", method: "POST", url: "/api/webhooks", body: newHook, arrange: active(models.Limits{Webhooks: 1}), status: 403, want: []string{`"code":"LIMIT_EXCEEDED"`, "limit of webhooks is reached: 1"}},
		{name: "the last webhook", method: "POST", url: "/api/webhooks", body: newHook, arrange: active(models.Limits{Webhooks: 2}), status: 201},
		{name: "a change at the limit", method: "PATCH", url: "/api/webhooks/{webhook}", body: `{"name":"x"}`, arrange: active(models.Limits{Webhooks: 1}), status: 200},
		{
			name: "events up to the limit", method: "POST", url: "/api/events", body: orderPaid, arrange: active(models.Limits{EventsPerMinute: 2}), status: 202,
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Equal(t, 400, w.send(t, http.MethodPost, "/api/events", `{}`, nil).status, "a bad one counts too")
				got := w.send(t, http.MethodPost, "/api/events", orderPaid, nil)
				require.Equal(t, 429, got.status)
				require.Contains(t, got.body, `"code":"RATE_LIMITED"`)
				require.Equal(t, "30", got.header.Get("Retry-After"))
				require.Len(t, w.starter.events, 1)
				require.Equal(t, 200, w.send(t, http.MethodGet, "/api/webhooks", "", nil).status, "reading is not limited")
			},
		},
		{
			name: "duplicates count", method: "POST", url: "/api/events", body: orderPaid, headers: map[string]string{"Idempotency-Key": "k"},
			arrange: active(models.Limits{EventsPerMinute: 1}), status: 202,
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Equal(t, 429, w.send(t, http.MethodPost, "/api/events", orderPaid, map[string]string{"Idempotency-Key": "k"}).status)
			},
		},
		{
			name: "a batch over the limit is taken in part", method: "POST", url: "/api/events/batch", body: three, arrange: active(models.Limits{EventsPerMinute: 2}), status: 202,
			want: []string{`"status":"accepted"`, `{"status":"refused","code":"VALIDATION_ERROR"`, `{"status":"refused","code":"RATE_LIMITED"`},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Len(t, w.starter.events, 1, "the first one; the second was bad, the third too many")
				got := w.send(t, http.MethodPost, "/api/events/batch", three, nil)
				require.Equal(t, 429, got.status, "none at all")
				require.Equal(t, "30", got.header.Get("Retry-After"))
			},
		},
		{
			name: "a batch of which all would have to come later", method: "POST", url: "/api/events/batch", body: `{"events":[` + orderPaid + `,` + orderPaid + `]}`, status: 503,
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				active(models.Limits{EventsPerMinute: 1})(t, w)
				w.starter.refuse = errs.New(errs.Unavailable, "busy")
			},
		},
		{
			name: "a neighbour's events do not count", method: "POST", url: "/api/events", body: orderPaid, arrange: active(models.Limits{EventsPerMinute: 1}), status: 202,
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				w.tenant += "-neighbour"
				for range 20 {
					require.Equal(t, 202, w.send(t, http.MethodPost, "/api/events", orderPaid, nil).status)
				}
			},
		},
		{
			name: "samples count", method: "POST", url: "/api/webhooks/{webhook}/test", arrange: active(models.Limits{EventsPerMinute: 5}), status: 202,
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				test := w.fill("/api/webhooks/{webhook}/test")
				require.Equal(t, 202, w.send(t, http.MethodPost, test, "", nil).status)
				refused(t, w, test, "12") // for one that is lacking: all or none
				require.Len(t, w.starter.tests, 4)
				require.Equal(t, 202, w.send(t, http.MethodPost, test, `{"event":"order.paid"}`, nil).status, "there is one left")
				require.Equal(t, 429, w.send(t, http.MethodPost, "/api/events", orderPaid, nil).status, "samples and events are counted together")
			},
		},
		{
			name: "more samples than may come at once", method: "POST", url: "/api/webhooks/{webhook}/test", arrange: active(models.Limits{EventsPerMinute: 1}), status: 202,
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Len(t, w.starter.tests, 2)
				refused(t, w, "/api/webhooks/{webhook}/test", "120") // the second one is yet to be paid for
			},
		},
		{
			name: "retries count", method: "POST", url: "/api/deliveries/{delivery}/retry", arrange: active(models.Limits{EventsPerMinute: 2}), status: 202,
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Equal(t, 404, w.send(t, http.MethodPost, w.fill("/api/deliveries/{missing}/retry"), "", nil).status, "one of nothing counts too")
				refused(t, w, "/api/deliveries/{waiting}/retry", "30")
				require.Len(t, w.starter.resends, 1)
				require.Empty(t, w.starter.retries)
			},
		},
	}
}
