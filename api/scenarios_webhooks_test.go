package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

func eventTypeScenarios() []scenario {
	public := map[string]string{"Authorization": "-"}
	return []scenario{
		{
			name: "ActiWAPI's event types, as documented", url: "/api/webhooks/events?provider=actiwapi", headers: public, status: 200,
			want: []string{`{"success":true,"data":["message.received","message.sent","session.connected","session.disconnected","campaign.completed"]}`},
		},
		{name: "event types of the default provider", url: "/api/webhooks/events", headers: public, status: 200, want: []string{`"order.paid"`}},
		{
			name: "event types in detail", url: "/api/webhooks/events?provider=actiwapi&detail=true", headers: public, status: 200,
			want: []string{`"type":"message.received","version":null,"category":"Messages"`, `<today>`},
		},
		{
			name: "event types in detail, with attributes", url: "/api/webhooks/events?provider=aktify&detail=true", headers: public, status: 200,
			want: []string{`"attributes":{"campaignId":"abc456xyz"}`, `"customData":{`}, mustNot: []string{`"source":`},
		},
		{
			name: "event types in detail, with sources", url: "/api/webhooks/events?provider=activecampaign&detail=true", headers: public, status: 200,
			want: []string{`"source":"public","attributes":{"listIds":["3","5"]}`}, mustNot: []string{`"source":"system"`, `"customData":`, `"attributes":{}`},
		},
		{name: "event types of nobody", url: "/api/webhooks/events?provider=nobody", headers: public, status: 400, want: []string{`"errors":{"provider":`}},
		{name: "detail is true or false", url: "/api/webhooks/events?detail=yes", headers: public, status: 400, want: []string{`"detail":"must be one of true, false"`}},
	}
}

func webhookScenarios() []scenario {
	return []scenario{
		{
			name: "list webhooks", url: "/api/webhooks", status: 200,
			want:    []string{`"id":"{webhook}"`, `"isActive":true`, `"X-Api-Key":"••••"`, `"X-Team":"blue"`, `"pagination":{"limit":20,"nextCursor":null}`},
			mustNot: []string{seededSecret, seededCredential, "{other.webhook}", `"secret"`},
		},
		{name: "list webhooks by status", url: "/api/webhooks?status=paused", status: 200, want: []string{`"data":[]`}},
		{name: "list webhooks by provider", url: "/api/webhooks?provider=actiwapi", status: 200, want: []string{`"data":[]`}},
		{name: "list pages", url: "/api/webhooks?limit=2", status: 200, arrange: manyWebhooks, after: followPages("/api/webhooks?limit=2", 5)},
		{
			name: "get a webhook", url: "/api/webhooks/{webhook}", status: 200,
			want:    []string{`"id":"{webhook}"`, `"retry":null`, `"timeoutSeconds":30`, `"sources":[]`, `"version":null`, `"statusReason":null,"previousSecretUntil":null`},
			mustNot: []string{seededSecret, seededCredential, `"secret"`},
		},
		{
			name: "get a webhook with two secrets", url: "/api/webhooks/{webhook}", status: 200, arrange: oldSecretSignsUntil(testNow.Add(time.Hour)),
			want: []string{`"previousSecretUntil":"2026-05-30T11:00:00.000Z"`}, mustNot: []string{seededSecret, olderSecret, `"secret"`},
		},
		{
			name: "get a webhook whose overlap is over", url: "/api/webhooks/{webhook}", status: 200, arrange: oldSecretSignsUntil(testNow),
			want: []string{`"previousSecretUntil":null`},
		},
		{
			name: "list a webhook with two secrets", url: "/api/webhooks", status: 200, arrange: oldSecretSignsUntil(testNow.Add(time.Hour)),
			want: []string{`"previousSecretUntil":"2026-05-30T11:00:00.000Z"`, `"previousSecretUntil":null`}, mustNot: []string{seededSecret, olderSecret},
		},
		{name: "ids are read in any case", url: "/api/webhooks/{WEBHOOK}", status: 200, arrange: upperCaseID, want: []string{`"id":"{webhook}"`}},
		{
			name: "create as ActiWAPI documents it", method: "POST", url: "/api/webhooks", status: 201,
			body: `{"provider":"actiwapi","url":"https://api.yourapp.com/webhooks/actiwapi","events":["message.received","session.disconnected"],"secret":"your-signing-secret"}`,
			want: []string{`"success":true`, `"isActive":true`, `"status":"active"`, `"secret":"your-signing-secret"`, `"name":"api.yourapp.com"`},
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				id := fmt.Sprint(got.data(t)["id"])
				require.Equal(t, "/api/webhooks/"+id, got.header.Get("Location"))
				again := w.send(t, http.MethodGet, "/api/webhooks/"+id, "", nil)
				require.NotContains(t, again.body, "your-signing-secret")
				stored, err := w.store.Webhook(t.Context(), w.tenant, id)
				require.NoError(t, err)
				require.Equal(t, "your-signing-secret", stored.Secret.Reveal())
			},
		},
		{
			name: "create generates a secret and shows it once", method: "POST", url: "/api/webhooks", status: 201,
			body: `{"url":"https://hooks.acme.dev/new","events":["*"]}`, want: []string{`"secret":"whsec_`, `"provider":"standard"`},
		},
		{
			name: "create without a secret where none is due", method: "POST", url: "/api/webhooks", status: 201,
			body: `{"provider":"actiwapi","url":"https://hooks.acme.dev/new","events":["message.sent"]}`, want: []string{`"secret":null`},
		},
		{
			name: "create with everything", method: "POST", url: "/api/webhooks", status: 201,
			body: `{"name":"ERP","url":"https://hooks.acme.dev/all","events":["order.paid"],"headers":{"authorization":"Bearer abc","x-team":"red"},
				"retry":{"mode":"exponential","initialSeconds":5,"factor":2,"maxSeconds":3600,"maxAttempts":8},"timeoutSeconds":7,"isActive":false}`,
			want:    []string{`"Authorization":"••••"`, `"X-Team":"red"`, `"maxAttempts":8`, `"timeoutSeconds":7`, `"isActive":false`, `"status":"paused"`},
			mustNot: []string{"Bearer abc"},
		},
		{
			name: "create with nulls means the defaults", method: "POST", url: "/api/webhooks", status: 201,
			body: `{"url":"https://hooks.acme.dev/nulls","events":["order.paid"],"name":null,"retry":null,"headers":null,"filters":null,"sources":null,"version":null,"timeoutSeconds":null,"secret":null}`,
			want: []string{`"retry":null`, `"timeoutSeconds":30`, `"secret":"whsec_`},
		},
		{
			name: "delete a webhook with all it has", method: "DELETE", url: "/api/webhooks/{webhook}", status: 200, want: []string{`"deleted":true`},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				for _, url := range []string{"/api/webhooks/{webhook}", "/api/webhooks/{webhook}/history", "/api/webhooks/{webhook}/deliveries", "/api/deliveries/{delivery}"} {
					require.Equal(t, 404, w.send(t, http.MethodGet, w.fill(url), "", nil).status, url)
				}
			},
		},
	}
}

func manyWebhooks(t *testing.T, w *world) {
	t.Helper()
	for _, path := range []string{"1", "2", "3", "4"} {
		w.addWebhook(t, w.tenant, models.Webhook{URL: "https://hooks.acme.dev/" + path})
	}
}

func upperCaseID(_ *testing.T, w *world) { w.ids["WEBHOOK"] = strings.ToUpper(w.ids["webhook"]) }

// followPages reads a list to its end and counts different ids.
func followPages(url string, total int) func(*testing.T, *world, answer) {
	return func(t *testing.T, w *world, got answer) {
		t.Helper()
		seen := map[string]bool{}
		for pages := 0; ; pages++ {
			require.LessOrEqual(t, pages, total, "the list does not end")
			items, next := got.list(t)
			for _, item := range items {
				seen[fmt.Sprint(item["id"])] = true
			}
			if next == "" {
				break
			}
			got = w.send(t, http.MethodGet, w.fill(url)+"&cursor="+next, "", nil)
			require.Equal(t, 200, got.status)
		}
		require.Len(t, seen, total)
	}
}

func webhookRefusals() []scenario {
	list := []scenario{
		{name: "create the same twice", method: "POST", url: "/api/webhooks", status: 409, body: `{"url":"https://hooks.acme.dev/in","events":["order.refunded","order.paid"]}`, want: []string{`"code":"CONFLICT"`}},
		{name: "create without a body", method: "POST", url: "/api/webhooks", status: 400, want: []string{"JSON object"}},
		{name: "create with a form", method: "POST", url: "/api/webhooks", status: 415, body: `url=x`, headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, want: []string{`"code":"UNSUPPORTED_MEDIA_TYPE"`}},
		{name: "create with a body that is too large", method: "POST", url: "/api/webhooks", status: 413, body: `{"name":"` + strings.Repeat("x", maxResourceBytes) + `"}`, want: []string{`"code":"PAYLOAD_TOO_LARGE"`}},
		{name: "a page of nobody's", url: "/api/webhooks?cursor=nonsense", status: 400, want: []string{`"errors":{"cursor":`}},
		{name: "a limit of none", url: "/api/webhooks?limit=0", status: 400, want: []string{`"limit":"must be a whole number between 1 and 100"`}},
		{name: "a limit of too many", url: "/api/webhooks?limit=101", status: 400, want: []string{`"errors":{"limit":`}},
		{name: "a limit in words", url: "/api/webhooks?limit=all", status: 400, want: []string{`"errors":{"limit":`}},
		{name: "a limit given twice", url: "/api/webhooks?limit=1&limit=2", status: 400, want: []string{`"limit":"is given more than once"`}},
		{name: "a status that is none", url: "/api/webhooks?status=dead", status: 400, want: []string{`"errors":{"status":`}},
		{name: "a zero byte in the query", url: "/api/webhooks?provider=%00", status: 400, want: []string{`"errors":{"provider":`}},
		{name: "a broken query", url: "/api/webhooks?limit=%zz", status: 400, want: []string{"not properly encoded"}},
		{name: "an id that is none", url: "/api/webhooks/1", status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "an id in another notation", url: "/api/webhooks/urn:uuid:0197214e-8a1c-7cc2-9f0e-7a1b5d2c9e44", status: 404},
		{name: "an id of nothing", url: "/api/webhooks/{missing}", status: 404},
		{name: "delete nothing", method: "DELETE", url: "/api/webhooks/{missing}", status: 404},
	}
	for _, bad := range []struct{ name, body, want string }{
		{"an unknown event", `{"provider":"actiwapi","url":"https://a.dev/x","events":["message.received","message.lost"]}`, `"errors":{"events[1]":`},
		{"no events", `{"url":"https://a.dev/x"}`, `"events":"is required"`},
		{"an empty list of events", `{"url":"https://a.dev/x","events":[]}`, `"errors":{"events":`},
		{"a URL without https", `{"provider":"actiwapi","url":"http://a.dev/x","events":["message.sent"]}`, `"errors":{"url":"must use https"}`},
		{"a URL with a password", `{"url":"https://user:pw@a.dev/x","events":["a"]}`, `"errors":{"url":`},
		{"a URL of another scheme", `{"url":"ftp://a.dev/x","events":["a"]}`, `"errors":{"url":`},
		{"a URL with port 0", `{"url":"https://a.dev:0/x","events":["a"]}`, `"errors":{"url":`},
		{"a URL to a private address", `{"url":"https://169.254.169.254/x","events":["a"]}`, `"errors":{"url":`},
		{"no URL at all", `{"events":["a"]}`, `"url":"is required"`},
		{"an unknown provider", `{"provider":"nobody","url":"https://a.dev/x","events":["a"]}`, `"errors":{"provider":`},
		{"an unknown field", `{"url":"https://a.dev/x","events":["a"],"secrets":"x"}`, `"secrets":"is not a known field"`},
		{"a field of the wrong type", `{"url":["https://a.dev/x"],"events":["a"]}`, `"url":"must be a string"`},
		{"a field given twice", `{"url":"https://a.dev/x","url":"https://b.dev/x","events":["a"]}`, `"url":"is given twice"`},
		{"a tenant", `{"tenant":"other","url":"https://a.dev/x","events":["a"]}`, `"tenant":"is not a known field"`},
		{"a retry policy of no mode", `{"url":"https://a.dev/x","events":["a"],"retry":{"mode":"often"}}`, `"errors":{"retry.mode":`},
		{"a retry policy past its limits", `{"url":"https://a.dev/x","events":["a"],"retry":{"mode":"schedule","delaysSeconds":[5,0]}}`, `"errors":{"retry.delaysSeconds[1]":`},
		{"a timeout past its limit", `{"url":"https://a.dev/x","events":["a"],"timeoutSeconds":31}`, `"errors":{"timeoutSeconds":`},
		{"a timeout of nothing", `{"url":"https://a.dev/x","events":["a"],"timeoutSeconds":0}`, `"errors":{"timeoutSeconds":`},
		{"a header that is ours", `{"url":"https://a.dev/x","events":["a"],"headers":{"webhook-id":"1"}}`, `"errors":{"headers.webhook-id":`},
		{"a header with a line break", `{"url":"https://a.dev/x","events":["a"],"headers":{"X-A":"1\r\nX-B: 2"}}`, `"errors":{"headers.X-A":`},
		{"a header that is a mask", `{"url":"https://a.dev/x","events":["a"],"headers":{"X-Api-Key":"••••"}}`, `"errors":{"headers.X-Api-Key":`},
		{"two broken JSON values", `{} {}`, "not valid JSON, at byte 4"},
		{"broken JSON", `{"url":`, "not valid JSON"},
		{"invalid UTF-8", "{\"url\":\"\xff\"}", "not valid UTF-8"},
		{"JSON that nests too deep", `{"filters":` + strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat(`}`, 70) + `}`, `"filters":"nests deeper than 64 levels"`},
	} {
		list = append(list, scenario{
			name: "create with " + bad.name, method: "POST", url: "/api/webhooks", status: 400,
			body: bad.body, want: []string{`"code":"VALIDATION_ERROR"`, bad.want},
		})
	}
	return list
}

func updateScenarios() []scenario {
	patch := func(name, body string, want ...string) scenario {
		return scenario{name: name, method: "PATCH", url: "/api/webhooks/{webhook}", body: body, status: 200, want: want, mustNot: []string{seededSecret, seededCredential}}
	}
	refuse := func(name string, status int, body string, want ...string) scenario {
		return scenario{name: name, method: "PATCH", url: "/api/webhooks/{webhook}", body: body, status: status, want: want}
	}
	after := func(s scenario, status, reason string) scenario {
		s.arrange = setSeededStatus(status, reason)
		return s
	}
	final := refuse("gone for good stays gone", 409, `{"isActive":true}`, `"code":"CONFLICT"`)
	final.arrange = goneForGood
	finalEdit := patch("an edit of what is gone for good leaves it gone", `{"name":"Other"}`, `"status":"gone"`, `"name":"Other"`)
	finalEdit.arrange = goneForGood
	healed := patch("an edit heals a broken webhook", `{"name":"Other"}`, `"status":"active"`, `"statusReason":null`)
	healed.arrange = brokenUntilEdited
	keep := patch("a mask keeps the header it stands for", `{"headers":{"x-api-key":"••••","X-Team":"green"}}`, `"X-Api-Key":"••••"`, `"X-Team":"green"`)
	keep.after = func(t *testing.T, w *world, _ answer) {
		t.Helper()
		stored, err := w.store.Webhook(t.Context(), w.tenant, w.ids["webhook"])
		require.NoError(t, err)
		require.Equal(t, map[string]string{"X-Api-Key": seededCredential, "X-Team": "green"}, stored.Headers)
	}
	resumed := after(patch("resume a paused webhook", `{"isActive":true}`, `"isActive":true`, `"status":"active"`), models.StatusPaused, "")
	resumed.after = func(t *testing.T, w *world, _ answer) {
		t.Helper()
		stored, err := w.store.Webhook(t.Context(), w.tenant, w.ids["webhook"])
		require.NoError(t, err)
		require.Zero(t, stored.FailedInARow, "what failed before is forgiven")
		require.Nil(t, stored.FailingSince)
	}
	forbidden := func(t *testing.T, w *world) {
		t.Helper()
		w.ids["webhook"] = w.addWebhook(t, w.tenant, models.Webhook{URL: "http://10.0.0.1/now-forbidden"}).ID
		w.ids["fingerprint"] = w.fingerprint(t)
	}
	pauseForbidden := patch("pause what could no longer be created", `{"isActive":false}`, `"status":"paused"`)
	pauseForbidden.arrange = forbidden
	resumeForbidden := refuse("resume what could no longer be created", 400, `{"isActive":true}`, `"errors":{"url":`)
	resumeForbidden.arrange = forbidden
	return []scenario{
		pauseForbidden, resumeForbidden,
		patch("change one field", `{"name":"ERP"}`, `"name":"ERP"`, `"url":"https://hooks.acme.dev/in"`, `"X-Team":"blue"`),
		patch("change nothing", `{}`, `"name":"CRM"`),
		patch("change several fields", `{"url":"https://b.dev/y","events":["user.created"],"retry":{"mode":"never"},"timeoutSeconds":3}`, `"url":"https://b.dev/y"`, `"events":["user.created"]`, `"retry":{"mode":"never"}`, `"timeoutSeconds":3`),
		patch("null takes a setting back", `{"name":null,"headers":null,"retry":null}`, `"name":"hooks.acme.dev"`, `"headers":{}`, `"retry":null`),
		keep,
		patch("pause", `{"isActive":false}`, `"isActive":false`, `"status":"paused"`),
		resumed,
		after(patch("resume what is gone, where one may", `{"isActive":true}`, `"status":"active"`, `"statusReason":null`), models.StatusGone, "410"),
		after(patch("an edit leaves what is gone", `{"name":"Other"}`, `"status":"gone"`, `"statusReason":"answered 410"`), models.StatusGone, "answered 410"),
		after(patch("an edit leaves what is paused", `{"name":"Other"}`, `"status":"paused"`), models.StatusPaused, ""),
		final, finalEdit, healed,

		refuse("change the provider", 400, `{"provider":"actiwapi"}`, `"errors":{"provider":`),
		refuse("change the secret", 400, `{"secret":"another-secret-of-mine"}`, "rotate-secret"),
		refuse("set the status", 400, `{"status":"active"}`, `"status":"cannot be set"`),
		refuse("set the end of an overlap", 400, `{"previousSecretUntil":null}`, `"previousSecretUntil":"cannot be set"`),
		refuse("set the id", 400, `{"id":"{missing}"}`, `"id":"cannot be set"`),
		refuse("a URL of null", 400, `{"url":null}`, `"url":"cannot be null"`),
		refuse("a switch of null", 400, `{"isActive":null}`, `"isActive":"cannot be null"`),
		refuse("a switch of text", 400, `{"isActive":"yes"}`, `"isActive":"must be true or false"`),
		refuse("a mask of nothing", 400, `{"headers":{"X-Other-Key":"••••"}}`, `"errors":{"headers.X-Other-Key":`),
		refuse("a bad URL leaves all else as it was", 400, `{"name":"New","url":"https://10.0.0.1/"}`, `"errors":{"url":`),
		refuse("events that are none", 400, `{"events":["not an event"]}`, `"errors":{"events[0]":`),
		{name: "change nobody's", method: "PATCH", url: "/api/webhooks/{missing}", body: `{"name":"x"}`, status: 404},
		{name: "change into the twin of another", method: "PATCH", url: "/api/webhooks/{webhook}", body: `{"url":"https://hooks.acme.dev/1"}`, status: 409, arrange: func(t *testing.T, w *world) {
			t.Helper()
			manyWebhooks(t, w)
			w.ids["fingerprint"] = w.fingerprint(t)
		}},
	}
}

// giveToProvider makes {webhook} one of the strict provider.
func giveToProvider(t *testing.T, w *world, status, reason string) {
	t.Helper()
	w.deps.Providers, w.deps.DefaultProvider = testProviders(t), "standard"
	w.build(t)
	hook := w.addWebhook(t, w.tenant, models.Webhook{Provider: "strict", Status: status, StatusReason: reason, URL: "https://hooks.acme.dev/strict"})
	w.ids["webhook"] = hook.ID
	w.ids["fingerprint"] = w.fingerprint(t)
}

func goneForGood(t *testing.T, w *world) { giveToProvider(t, w, models.StatusGone, "answered 410") }
func brokenUntilEdited(t *testing.T, w *world) {
	giveToProvider(t, w, models.StatusBroken, "5 in a row")
}

func secretScenarios() []scenario {
	rotate := "/api/webhooks/{webhook}/rotate-secret"
	stored := func(check func(t *testing.T, w *world, hook models.Webhook, shown string)) func(*testing.T, *world, answer) {
		return func(t *testing.T, w *world, got answer) {
			t.Helper()
			hook, err := w.store.Webhook(t.Context(), w.tenant, w.ids["webhook"])
			require.NoError(t, err)
			check(t, w, hook, fmt.Sprint(got.data(t)["secret"]))
		}
	}
	return []scenario{
		{
			name: "rotate without a body", method: "POST", url: rotate, status: 200, want: []string{`"secret":"whsec_`}, mustNot: []string{seededSecret},
			after: stored(func(t *testing.T, _ *world, hook models.Webhook, shown string) {
				t.Helper()
				require.Equal(t, shown, hook.Secret.Reveal())
				require.NotEqual(t, seededSecret, shown)
				require.Empty(t, hook.PreviousSecret, "the old secret stops at once")
				require.Nil(t, hook.PreviousSecretUntil)
			}),
		},
		{
			name: "rotate ends an overlap under way", method: "POST", url: rotate, body: `{"overlapSeconds":0}`, status: 200,
			arrange: oldSecretSignsUntil(testNow.Add(time.Hour)), want: []string{`"previousSecretUntil":null`}, mustNot: []string{seededSecret, olderSecret},
			after: stored(func(t *testing.T, _ *world, hook models.Webhook, _ string) {
				t.Helper()
				require.Empty(t, hook.PreviousSecret)
				require.Nil(t, hook.PreviousSecretUntil)
			}),
		},
		{
			name: "rotate with an overlap", method: "POST", url: rotate, body: `{"overlapSeconds":3600}`, status: 200,
			want: []string{`"previousSecretUntil":"2026-05-30T11:00:00.000Z"`}, mustNot: []string{seededSecret},
			after: stored(func(t *testing.T, _ *world, hook models.Webhook, _ string) {
				t.Helper()
				require.Equal(t, seededSecret, hook.PreviousSecret.Reveal())
				require.Equal(t, testNow.Add(3600e9), hook.PreviousSecretUntil.UTC())
			}),
		},
		{
			name: "another overlap while one is running", method: "POST", url: rotate, body: `{"overlapSeconds":60}`, status: 409, arrange: oldSecretSignsUntil(testNow.Add(time.Microsecond)),
			want:    []string{`"code":"CONFLICT"`, "still signs until 2026-05-30T10:00:00.000Z", "or with overlapSeconds: 0, which stops all old secrets at once"},
			mustNot: []string{seededSecret, olderSecret, `"secret"`},
			after: stored(func(t *testing.T, w *world, hook models.Webhook, _ string) {
				t.Helper()
				require.Equal(t, []string{seededSecret, olderSecret}, []string{hook.Secret.Reveal(), hook.PreviousSecret.Reveal()})
				require.Equal(t, testNow.Add(time.Microsecond), hook.PreviousSecretUntil.UTC())
				require.Equal(t, models.AuditCreated, w.lastAudit(t, hook.ID).Action, "a refused request leaves no entry")
			}),
		},
		{
			name: "an overlap as soon as the one before is over", method: "POST", url: rotate, body: `{"overlapSeconds":60}`, status: 200, arrange: oldSecretSignsUntil(testNow),
			want: []string{`"previousSecretUntil":"2026-05-30T10:01:00.000Z"`}, mustNot: []string{seededSecret, olderSecret},
			after: stored(func(t *testing.T, _ *world, hook models.Webhook, _ string) {
				t.Helper()
				require.Equal(t, seededSecret, hook.PreviousSecret.Reveal())
			}),
		},
		{
			name: "rotate to a given secret", method: "POST", url: rotate, body: `{"secret":"whsec_YW5vdGhlciBzZWNyZXQgb2Ygb3VyIG93biBtYWtpbmc="}`, status: 200,
			want: []string{`"secret":"whsec_YW5vdGhlciBzZWNyZXQgb2Ygb3VyIG93biBtYWtpbmc="`},
		},
		{name: "rotate with an overlap of too long", method: "POST", url: rotate, body: `{"overlapSeconds":604801}`, status: 400, want: []string{`"errors":{"overlapSeconds":`}},
		{name: "rotate with an overlap below nothing", method: "POST", url: rotate, body: `{"overlapSeconds":-1}`, status: 400, want: []string{`"errors":{"overlapSeconds":`}},
		{name: "rotate to a bad secret", method: "POST", url: rotate, body: `{"secret":"x"}`, status: 400, want: []string{`"errors":{"secret":`}},
		{name: "rotate with an unknown field", method: "POST", url: rotate, body: `{"overlap":1}`, status: 400, want: []string{`"overlap":"is not a known field"`}},
		{name: "rotate nobody's", method: "POST", url: "/api/webhooks/{missing}/rotate-secret", status: 404},
		{name: "rotate where nothing is signed", method: "POST", url: rotate, status: 409, arrange: goneForGood, want: []string{"signs nothing"}},
		{name: "rotate where only callers give secrets", method: "POST", url: rotate, status: 400, arrange: actiwapiWebhook, want: []string{`"errors":{"secret":`}},
		{name: "an overlap where one signature is sent", method: "POST", url: rotate, body: `{"overlapSeconds":1,"secret":"a-secret-of-actiwapi"}`, status: 400, arrange: actiwapiWebhook, want: []string{`"errors":{"overlapSeconds":`}},
	}
}

// olderSecret is the one that an overlap under way keeps alive.
const olderSecret = "whsec_dGhlIHNlY3JldCBiZWZvcmUgdGhlIHNlZWRlZCBvbmUu"

// oldSecretSignsUntil makes {webhook} one whose older secret signs until a time.
func oldSecretSignsUntil(until time.Time) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		w.ids["webhook"] = w.addWebhook(t, w.tenant, models.Webhook{
			URL: "https://hooks.acme.dev/overlap", PreviousSecret: olderSecret, PreviousSecretUntil: &until,
		}).ID
		w.ids["fingerprint"] = w.fingerprint(t)
	}
}

func actiwapiWebhook(t *testing.T, w *world) {
	t.Helper()
	hook := w.addWebhook(t, w.tenant, models.Webhook{Provider: "actiwapi", Events: []string{"message.sent", "message.received"}})
	w.ids["webhook"] = hook.ID
	w.ids["fingerprint"] = w.fingerprint(t)
}
