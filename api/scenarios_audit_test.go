package api

import (
	"net/http"
	"testing"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

func auditScenarios() []scenario {
	audit := "/api/webhooks/{webhook}/audit"
	return []scenario{
		{
			name: "who created a webhook", url: audit, status: 200,
			want: []string{
				`"actor":{"kind":"token","name":"seed"},"action":"created","changes":{`, `"requestId":"req-seed"`,
				`"headers":{"from":null,"to":["X-Api-Key","X-Team"]}`, `"secret":{"from":null,"to":"[hidden]"}`,
				`"pagination":{"limit":20,"nextCursor":null}`,
			},
			mustNot: []string{seededSecret, seededCredential, `"blue"`, "{other.webhook}"},
		},
		{name: "the audit log in pages", url: audit + "?limit=2", status: 200, arrange: renameOften, after: followPages(audit+"?limit=2", 5)},
		{
			name: "a change by token", url: audit, status: 200,
			arrange: call(http.MethodPatch, "/api/webhooks/{webhook}", `{"name":"ERP","maxPerSecond":5}`, map[string]string{"X-Request-Id": "my-request"}),
			want: []string{`"actor":{"kind":"token","name":"ann@{tenant}"},"action":"updated",` +
				`"changes":{"maxPerSecond":{"from":null,"to":5},"name":{"from":"CRM","to":"ERP"}},"requestId":"my-request"`},
		},
		{
			name: "a change by API key", url: audit, status: 200,
			arrange: call(http.MethodPatch, "/api/webhooks/{webhook}", `{"isActive":false}`, map[string]string{"Authorization": "-", "X-API-Key": "{key.text}"}),
			want:    []string{`"actor":{"kind":"api-key","name":"{key}"},"action":"paused","changes":{"status":{"from":"active","to":"paused"}}`},
			mustNot: []string{"{key.text}"},
		},
		{
			name: "a secret that was rotated", url: audit, status: 200,
			arrange: call(http.MethodPost, "/api/webhooks/{webhook}/rotate-secret", `{"secret":"whsec_YW5vdGhlciBzZWNyZXQgb2Ygb3VyIG93biBtYWtpbmc="}`, nil),
			want:    []string{`"action":"secret-rotated","changes":{"secret":{"from":"[hidden]","to":"[hidden]"}}`},
			mustNot: []string{"whsec_"},
		},
		{
			name: "a webhook that was deleted", url: audit, status: 200,
			arrange: call(http.MethodDelete, "/api/webhooks/{webhook}", "", nil),
			want:    []string{`"action":"deleted"`, `"action":"created"`},
		},
		{
			name: "what was no change", url: audit, status: 200, mustNot: []string{`"updated"`},
			arrange: call(http.MethodPatch, "/api/webhooks/{webhook}", `{"name":"CRM","headers":{"X-Api-Key":"••••","X-Team":"blue"}}`, nil),
		},
		{name: "the audit log of another tenant's webhook", url: "/api/webhooks/{other.webhook}/audit", status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "the audit log of nothing", url: "/api/webhooks/{missing}/audit", status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "the audit log of what is no id", url: "/api/webhooks/1/audit", status: 404},
		{name: "the audit log with another list's cursor", url: audit + "?cursor=MQp3CgowMTk3MjE0ZS04YTFjLTdjYzItOWYwZS03YTFiNWQyYzllNDQ", status: 400, want: []string{`"errors":{"cursor":`}},
		{name: "the audit log with a bad limit", url: audit + "?limit=0", status: 400, want: []string{`"errors":{"limit":`}},
	}
}

// call makes a request of the world's tenant before the scenario's own.
func call(method, url, body string, headers map[string]string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		filled := map[string]string{}
		for name, value := range headers {
			filled[name] = w.fill(value)
		}
		got := w.send(t, method, w.fill(url), body, filled)
		require.Less(t, got.status, 300, got.body)
	}
}

// renameOften changes {webhook} four times.
func renameOften(t *testing.T, w *world) {
	t.Helper()
	for _, name := range []string{"A", "B", "C", "D"} {
		_, err := w.store.UpdateWebhook(t.Context(), byTest, w.tenant, w.ids["webhook"], func(hook *models.Webhook) error {
			hook.Name = name
			return nil
		})
		require.NoError(t, err)
	}
}

// rateScenarios are those of maxPerSecond.
func rateScenarios() []scenario {
	limited := func(t *testing.T, w *world) {
		t.Helper()
		_, err := w.store.UpdateWebhook(t.Context(), byTest, w.tenant, w.ids["webhook"], func(hook *models.Webhook) error {
			hook.MaxPerSecond = 7
			return nil
		})
		require.NoError(t, err)
		w.ids["fingerprint"] = w.fingerprint(t)
	}
	list := []scenario{
		{
			name: "create with a rate limit", method: "POST", url: "/api/webhooks", status: 201,
			body: `{"url":"https://a.dev/x","events":["a"],"maxPerSecond":1000}`, want: []string{`"maxPerSecond":1000`},
		},
		{name: "no rate limit", url: "/api/webhooks/{webhook}", status: 200, want: []string{`"maxPerSecond":null`}},
		{name: "a patch keeps the rate limit", method: "PATCH", url: "/api/webhooks/{webhook}", body: `{"name":"x"}`, status: 200, arrange: limited, want: []string{`"maxPerSecond":7`}},
		{name: "a patch changes the rate limit", method: "PATCH", url: "/api/webhooks/{webhook}", body: `{"maxPerSecond":1}`, status: 200, arrange: limited, want: []string{`"maxPerSecond":1,`}},
		{name: "null takes the rate limit away", method: "PATCH", url: "/api/webhooks/{webhook}", body: `{"maxPerSecond":null}`, status: 200, arrange: limited, want: []string{`"maxPerSecond":null`}},
	}
	for _, bad := range []string{"0", "-1", "1001", "1.5", `"5"`} {
		list = append(list,
			scenario{
				name: "create with a rate limit of " + bad, method: "POST", url: "/api/webhooks", status: 400,
				body: `{"url":"https://a.dev/x","events":["a"],"maxPerSecond":` + bad + `}`, want: []string{`"errors":{"maxPerSecond":"must be`},
			},
			scenario{
				name: "patch with a rate limit of " + bad, method: "PATCH", url: "/api/webhooks/{webhook}", status: 400,
				body: `{"maxPerSecond":` + bad + `}`, want: []string{`"errors":{"maxPerSecond":"must be`}, arrange: limited,
			},
		)
	}
	return list
}
