package api

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// hookFields is a form that makes a good webhook.
func hookFields(change url.Values) url.Values {
	fields := url.Values{
		"provider": {"standard"}, "url": {"https://new.acme.dev/in"}, "name": {"New"}, "every": {"no"},
		"events": {"order.paid"}, "moreEvents": {"ship.sent\r\nship.lost, ship.sent"}, "mode": {""},
		"headerName": {"X-Team", "", ""}, "headerValue": {"red", "", ""},
	}
	for name, values := range change {
		fields[name] = values
	}
	return fields
}

func TestCreateWebhookByForm(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		b.get(t, "/webhooks/new")
		made := b.post(t, "/webhooks", hookFields(url.Values{
			"mode": {"schedule"}, "delaysSeconds": {"5, 300; 1800"}, "onCrash": {"unknown"}, "timeoutSeconds": {"12"}, "maxPerSecond": {"40"},
			"factor": {"3"}, // of another mode: the form keeps it, the policy does not get it
		}))
		shown := b.follow(t, made)
		require.Equal(t, http.StatusOK, shown.status)
		id := strings.TrimPrefix(made.header.Get("Location"), "/webhooks/")
		stored, err := w.store.Webhook(t.Context(), w.tenant, id)
		require.NoError(t, err)
		require.Contains(t, shown.body, stored.Secret.Reveal(), "shown once")
		require.NotContains(t, b.get(t, "/webhooks/"+id).body, stored.Secret.Reveal(), "and only once")
		require.Equal(t, []string{"order.paid", "ship.sent", "ship.lost"}, stored.Events)
		require.JSONEq(t, `{"mode":"schedule","delaysSeconds":[5,300,1800],"onCrash":"unknown"}`, string(stored.Retry))
		require.Equal(t, []int{12, 40}, []int{stored.TimeoutSeconds, stored.MaxPerSecond})
		require.Equal(t, map[string]string{"X-Team": "red"}, stored.Headers)
		require.Equal(t, "ann@"+w.tenant, w.lastAudit(t, id).Actor.Name)
	})
}

// lastAudit is the newest entry of a webhook's audit log.
func (w *world) lastAudit(t *testing.T, id string) models.AuditEntry {
	t.Helper()
	found, err := w.store.Audit(t.Context(), models.AuditFilter{Tenant: w.tenant, WebhookID: id, Limit: 1})
	require.NoError(t, err)
	return found.Items[0]
}

// TestFormTellsWhatTheAPITells sends what is wrong to the API and to the form:
// each message of the one stands in the other, and what was typed stays.
func TestFormTellsWhatTheAPITells(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		b.get(t, "/webhooks/new")
		got := b.post(t, "/webhooks", hookFields(url.Values{
			"url": {"ftp://acme.dev"}, "name": {"<b>bold</b>"}, "mode": {"exponential"}, "initialSeconds": {"soon"}, "factor": {"0.5"},
			"timeoutSeconds": {"99"}, "maxPerSecond": {"-1"}, "secret": {"short"}, "moreEvents": {"order.paid\nno good!"},
			"headerName": {"Content-Length", "X-Bad Name"}, "headerValue": {"1", "2"},
		}))
		require.Equal(t, http.StatusUnprocessableEntity, got.status)
		told := w.send(t, "POST", "/api/webhooks", `{"provider":"standard","url":"ftp://acme.dev","name":"<b>bold</b>","events":["order.paid","no","good!"],
			"retry":{"mode":"exponential","initialSeconds":"soon","factor":0.5},"timeoutSeconds":99,"maxPerSecond":-1,"secret":"short",
			"headers":{"Content-Length":"1","X-Bad Name":"2"}}`, nil)
		var envelope struct{ Errors map[string]string }
		require.NoError(t, json.Unmarshal([]byte(told.body), &envelope))
		require.Greater(t, len(envelope.Errors), 6)
		text := html.UnescapeString(got.body)
		for field, fault := range envelope.Errors {
			require.Contains(t, text, fault[1:], field)
		}
		for _, typed := range []string{`value="soon"`, `value="0.5"`, `value="99"`, `value="ftp://acme.dev"`, "no good!", `value="Content-Length"`} {
			require.Contains(t, got.body, typed)
		}
		require.NotContains(t, got.body, "<b>bold</b>")
		require.Contains(t, got.body, "&lt;b&gt;bold&lt;/b&gt;")
		require.Contains(t, got.body, `aria-invalid="true" aria-describedby="url-fault"`)
	})
}

func TestEditWebhookByForm(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]
		shown := b.get(t, path+"/edit")
		for _, part := range []string{`value="https://hooks.acme.dev/in"`, `value="order.paid" checked`, `value="order.refunded" checked`, `value="••••"`, `value="blue"`} {
			require.Contains(t, shown.body, part)
		}
		before := w.lastAudit(t, w.ids["webhook"])
		fields := hookFields(url.Values{
			"url": {"https://hooks.acme.dev/in"}, "name": {"CRM"}, "events": {"order.paid", "order.refunded"}, "moreEvents": {""},
			"headerName": {"X-Api-Key", "X-Team", ""}, "headerValue": {"••••", "blue", ""},
		})
		require.Contains(t, b.follow(t, b.post(t, path+"/edit", fields)).body, "Saved.")
		require.Equal(t, before, w.lastAudit(t, w.ids["webhook"]), "a form that was sent as it was shown changes nothing")

		fields.Set("name", "<script>alert(1)</script>")
		fields["events"] = []string{"order.paid"}
		page := b.follow(t, b.post(t, path+"/edit", fields))
		require.NotContains(t, page.body, "<script>alert(1)")
		require.Contains(t, page.body, "&lt;script&gt;alert(1)&lt;/script&gt;")
		require.NotContains(t, b.get(t, "/webhooks").body, "<script>alert(1)")
		stored, err := w.store.Webhook(t.Context(), w.tenant, w.ids["webhook"])
		require.NoError(t, err)
		require.Equal(t, map[string]string{"X-Api-Key": seededCredential, "X-Team": "blue"}, stored.Headers)
		require.Equal(t, []string{"order.paid"}, stored.Events)
	})
}

func TestWebhookActionsByForm(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]
		b.get(t, path)
		require.Contains(t, b.follow(t, b.post(t, path+"/pause", nil)).body, "is paused")
		require.Equal(t, models.AuditPaused, w.lastAudit(t, w.ids["webhook"]).Action)
		require.Contains(t, b.follow(t, b.post(t, path+"/resume", nil)).body, "is active again")

		require.Contains(t, b.follow(t, b.post(t, path+"/test", url.Values{"event": {"order.paid"}})).body, "1 test delivery is under way")
		require.Contains(t, b.follow(t, b.post(t, path+"/test", nil)).body, "2 test deliveries are under way")
		require.Contains(t, b.follow(t, b.post(t, path+"/test", url.Values{"event": {"user.created"}})).body, "is not an event that this webhook subscribes to")
		require.Len(t, w.starter.tests, 3)

		page := b.post(t, path+"/rotate", url.Values{"overlapSeconds": {"99999999"}})
		require.Equal(t, http.StatusUnprocessableEntity, page.status)
		require.Contains(t, page.body, "Must be between 0 and 604800.")
		page = b.follow(t, b.post(t, path+"/rotate", url.Values{"overlapSeconds": {"3600"}}))
		stored, err := w.store.Webhook(t.Context(), w.tenant, w.ids["webhook"])
		require.NoError(t, err)
		require.NotEqual(t, seededSecret, stored.Secret.Reveal())
		require.Equal(t, seededSecret, stored.PreviousSecret.Reveal())
		require.Contains(t, page.body, stored.Secret.Reveal())
		require.NotContains(t, b.get(t, path).body, stored.Secret.Reveal())

		require.Contains(t, b.get(t, path+"/audit").body, "Secret rotated")
		require.Contains(t, b.follow(t, b.post(t, path+"/delete", nil)).body, "was deleted")
		require.Equal(t, http.StatusNotFound, b.get(t, path).status)
	})
}

func TestFormsObeyTheTenantsLimits(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		setTenant(models.TenantActive, models.Limits{Webhooks: 1, EventsPerMinute: 1})(t, w)
		b := signedIn(t, w)
		b.get(t, "/webhooks/new")
		got := b.post(t, "/webhooks", hookFields(nil))
		require.Equal(t, http.StatusUnprocessableEntity, got.status)
		told := w.send(t, "POST", "/api/webhooks", `{"url":"https://new.acme.dev/in","events":["*"]}`, nil)
		require.Equal(t, http.StatusForbidden, told.status)
		var envelope struct{ Message string }
		require.NoError(t, json.Unmarshal([]byte(told.body), &envelope))
		require.Contains(t, html.UnescapeString(got.body), envelope.Message)
	})
}

func TestWebhooksPageByPage(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		for i := range 30 {
			w.addWebhook(t, w.tenant, models.Webhook{URL: "https://many.acme.dev/" + string(rune('a'+i))})
		}
		b := signedIn(t, w)
		first := b.get(t, "/webhooks?status=active")
		require.Equal(t, 25, strings.Count(first.body, `class="row-link"`))
		next := html.UnescapeString(first.body[strings.Index(first.body, `rel="next" href="`)+len(`rel="next" href="`):])
		next = next[:strings.Index(next, `"`)]
		second := b.get(t, next)
		require.Equal(t, 6, strings.Count(second.body, `class="row-link"`))
		require.Contains(t, second.body, `href="/webhooks?status=active">First page`)
		require.Equal(t, http.StatusBadRequest, b.get(t, "/webhooks?cursor=nonsense").status)
		require.Contains(t, b.get(t, "/webhooks?status=gone").body, "No webhook matches")
	})
}

func TestNoWebhooksYet(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := newBrowser(w)
		b.signIn(t, w.token(t, w.tenant+"-nobody"), http.StatusSeeOther)
		require.Contains(t, b.get(t, "/webhooks").body, "No webhooks yet")
	})
}
