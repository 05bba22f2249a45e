package api

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// addHostile records an answer that tries to break out of the page, cut short.
func (w *world) addHostile(t *testing.T) string {
	t.Helper()
	delivery := w.addEvent(t, w.tenant, 3)
	status := http.StatusTeapot
	require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: delivery, Step: models.StepFailFinal, Reason: "client_error", Attempt: &models.Attempt{
		ID: models.NewID(testNow.Add(time.Second)), StatusCode: &status, StartedAt: testNow.Add(time.Second), DurationMS: 1234, Reason: "client_error",
		Detail: "<i>detail</i>", RequestURL: "https://hooks.acme.dev/in?<u>",
		RequestHeaders:  [][2]string{{"Webhook-Signature", "v1,abc"}, {"X-<b>", "<b>"}},
		RequestBody:     []byte(`{"html":"<em>"}`),
		ResponseHeaders: [][2]string{{"X-Evil", `"><script>alert(1)</script>`}},
		ResponseBody:    []byte("</pre><script>alert(2)</script>\xff\x00\u202eevil"), ResponseTruncated: true,
	}}))
	return delivery.ID
}

func TestDeliveryPageEscapesWhatCameBack(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		id := w.addHostile(t)
		b := signedIn(t, w)
		got := b.get(t, "/deliveries/"+id)
		require.Equal(t, http.StatusOK, got.status)
		checkPagePolicy(t, "/deliveries", got)
		for _, raw := range []string{"<script>alert", "<em>", "<i>detail", "<u>", "X-<b>", "\u202e", "\x00"} {
			require.NotContains(t, got.body, raw)
		}
		text := html.UnescapeString(got.body)
		for _, shown := range []string{
			"</pre><script>alert(2)</script>\ufffd\ufffd\ufffdevil", `"><script>alert(1)</script>`, `{"html":"<em>"}`, "https://hooks.acme.dev/in?<u>",
			"Cut here: only the first", "<i>detail</i>", "I'm a teapot", "v1,abc", "1.23", "Send again",
		} {
			require.Contains(t, text, shown)
		}
		require.Regexp(t, `Webhook-Signature\s*<span class="tag">signature</span>`, got.body)
		require.NotContains(t, b.get(t, "/webhooks/"+w.ids["webhook"]+"/attempts").body, "<script>alert")
	})
}

func TestDeliveryPageShowsTheAttemptAskedFor(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		settleSeeded(t, w)
		b, path := signedIn(t, w), "/deliveries/"+w.ids["waiting"]
		require.Contains(t, b.get(t, path).body, "No answer came: Timeout.")
		first := b.get(t, path+"?attempt=1").body
		require.Contains(t, first, "Service Unavailable")
		require.Contains(t, first, `?attempt=1" aria-current`)
	})
}

func TestDeliveryPageShowsAnAttemptThatThereWasNoRoomFor(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		addLongAttempts(4)(t, w)
		shown := signedIn(t, w).get(t, "/deliveries/"+w.ids["waiting"]+"?attempt=2").body
		require.Contains(t, shown, `?attempt=2" aria-current`)
		require.Contains(t, html.UnescapeString(shown), "<html>xxx")
	})
}

// TestDeliveryPageTellsOfARoundThatCameToNothing sends a delivery again whose
// webhook is paused before that happens.
func TestDeliveryPageTellsOfARoundThatCameToNothing(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		d, err := w.store.Reopen(t.Context(), w.tenant, w.ids["delivery"], "resend/1")
		require.NoError(t, err)
		require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: d, Step: models.StepSkip, Reason: "webhook_paused"}))
		shown := signedIn(t, w).get(t, "/deliveries/"+w.ids["delivery"]).body
		require.Contains(t, shown, `badge good">delivered<`)
		require.Contains(t, shown, "It was to be sent again, but its webhook was not active then.")
	})
}

func TestRetryByForm(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		require.Contains(t, b.get(t, "/deliveries/"+w.ids["waiting"]).body, "Retry now")
		require.Contains(t, b.get(t, "/deliveries/"+w.ids["delivery"]).body, "Send again")
		shown := b.follow(t, b.post(t, "/deliveries/"+w.ids["waiting"]+"/retry", nil))
		require.Contains(t, shown.body, "It is being sent.")
		b.post(t, "/deliveries/"+w.ids["delivery"]+"/retry", nil)
		require.Len(t, w.starter.retries, 1)
		require.Equal(t, []string{w.ids["delivery"]}, w.starter.resends)
		require.Equal(t, http.StatusNotFound, b.post(t, "/deliveries/"+w.ids["other.delivery"]+"/retry", nil).status)

		setSeededStatus(models.StatusPaused, "by ann")(t, w)
		require.NotContains(t, b.get(t, "/deliveries/"+w.ids["waiting"]).body, "Retry now")
		require.Contains(t, b.follow(t, b.post(t, "/deliveries/"+w.ids["waiting"]+"/retry", nil)).body, "The webhook is paused (by ann)")
		require.Len(t, w.starter.accepted(), 2)
	})
}

var attemptRow = regexp.MustCompile(`<tr id="attempt-([^"]+)"`)

// rowsOf lists the attempts of a page of the log.
func rowsOf(page answer) (ids []string) {
	for _, found := range attemptRow.FindAllStringSubmatch(page.body, -1) {
		ids = append(ids, found[1])
	}
	return ids
}

func TestLogPageByPage(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		for i := range 60 {
			delivery, _, err := w.store.Delivery(t.Context(), w.tenant, w.ids["waiting"])
			require.NoError(t, err)
			status, next := http.StatusBadGateway, testNow.Add(time.Hour)
			require.NoError(t, w.store.Record(t.Context(), models.Record{
				Delivery: delivery, Step: models.StepFailRetry, NextAttemptAt: &next,
				Attempt: &models.Attempt{ID: models.NewID(testNow.Add(time.Duration(i+10) * time.Second)), StatusCode: &status, StartedAt: testNow.Add(time.Duration(i+10) * time.Second)},
			}))
		}
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]+"/attempts"
		first := b.get(t, path)
		require.Contains(t, first.body, `hx-trigger="every 4s"`)
		second := b.get(t, nextOf(t, first))
		require.NotContains(t, second.body, "hx-trigger", "a page further down stays as it is")
		require.Contains(t, second.body, ">First page<")
		all := append(rowsOf(first), rowsOf(second)...)
		require.Len(t, rowsOf(first), 50)
		require.Len(t, all, 62)
		require.IsDecreasing(t, all)

		count := func(query url.Values) int { return len(rowsOf(b.get(t, path+"?"+query.Encode()))) }
		require.Equal(t, 1, count(url.Values{"result": {"delivered"}}))
		require.Equal(t, 50, count(url.Values{"result": {"failed"}}))
		require.Equal(t, 0, count(url.Values{"event": {"ship.sent"}}))
		at := func(after time.Duration) []string {
			return []string{testNow.Add(after).UTC().Format("2006-01-02T15:04:05")}
		}
		require.Equal(t, 5, count(url.Values{"since": at(20 * time.Second), "until": at(25 * time.Second)}))
		require.Equal(t, 50, count(url.Values{"within": {"hour"}, "event": {"order.paid"}}))
		require.Equal(t, http.StatusBadRequest, b.get(t, path+"?since=yesterday").status)
		require.Contains(t, b.get(t, path+"?event=ship.sent").body, "No attempt matches")
		require.NotContains(t, b.get(t, path+"?live=off").body, "hx-trigger")
	})
}

var nextLink = regexp.MustCompile(`rel="next" href="([^"]+)"`)

func nextOf(t *testing.T, page answer) string {
	t.Helper()
	found := nextLink.FindStringSubmatch(page.body)
	require.NotNil(t, found, "there is no next page")
	return html.UnescapeString(found[1])
}

func TestEventsPageByPage(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		for i := range 60 {
			w.addEvent(t, w.tenant, i+10)
		}
		b := signedIn(t, w)
		count := func(page answer) int { return strings.Count(page.body, `<a class="mono breaks" href="/events/`) }
		first := b.get(t, "/events?type=order.paid")
		require.Equal(t, 50, count(first))
		require.Equal(t, 12, count(b.get(t, nextOf(t, first))))
		require.Equal(t, 0, count(b.get(t, "/events?type=order.lost")))
		require.Equal(t, 0, count(b.get(t, "/events?provider=akol")))
		require.Contains(t, b.get(t, "/events?provider=akol").body, "No event matches")
		require.Equal(t, http.StatusBadRequest, b.get(t, "/events?cursor=nonsense").status)
		until := url.QueryEscape(testNow.Add(5 * time.Second).UTC().Format("2006-01-02T15:04:05"))
		require.Equal(t, 2, count(b.get(t, "/events?until="+until)))

		nobody := newBrowser(w)
		nobody.signIn(t, w.token(t, w.tenant+"-nobody"), http.StatusSeeOther)
		require.Contains(t, nobody.get(t, "/events").body, "No events yet")
		require.Contains(t, nobody.get(t, "/").body, "Create a webhook")
	})
}

func TestEventPage(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		got := signedIn(t, w).get(t, "/events/"+w.ids["event"])
		text := html.UnescapeString(got.body)
		require.Contains(t, text, "{\n  \"html\": \"<b>&</b>\",\n  \"line\": \"\u2028\",\n  \"n\": 1\n}")
		require.NotContains(t, got.body, "<b>")
		require.Contains(t, got.body, `href="/deliveries/`+w.ids["delivery"]+`"`)
		require.Contains(t, got.body, "delivered")
		require.Contains(t, text, `"listIds": [`)
	})
}

// TestWorkflowIsLinkedForOperators has the same event be looked at with and
// without scope admin: Temporal Web UI is no place of tenants.
func TestWorkflowIsLinkedForOperators(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		ui := strings.TrimRight(w.deps.TemporalUIURL, "/") + "/namespaces/"
		tenant := signedIn(t, w).get(t, "/events/"+w.ids["event"])
		require.Equal(t, http.StatusOK, tenant.status)
		require.NotContains(t, html.UnescapeString(tenant.body), ui)
		require.NotContains(t, tenant.body, PathCodec)

		token, err := MintToken(TokenRules{Secret: testSecret}, Grant{Tenant: w.tenant, Admin: true, TTL: time.Hour}, testNow)
		require.NoError(t, err)
		b := newBrowser(w)
		b.signIn(t, token, http.StatusSeeOther)
		operator := b.get(t, "/events/"+w.ids["event"])
		require.Contains(t, html.UnescapeString(operator.body), ui)
		require.Contains(t, operator.body, `href="`+PathCodec+`"`)
	})
}

func TestCatalogue(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		for _, name := range w.deps.Providers.Names() {
			got := b.get(t, "/catalogue?provider="+name)
			require.Equal(t, http.StatusOK, got.status, name)
			checkPagePolicy(t, name, got)
			profile, err := w.deps.Providers.Profile(name)
			require.NoError(t, err)
			for _, one := range profile.EventTypes() {
				require.Contains(t, got.body, "<code>"+one.Type+"</code>")
			}
		}
		require.Contains(t, b.get(t, "/catalogue?provider=akol").body, "No time is sent")
		require.Contains(t, b.get(t, "/catalogue?provider=activecampaign").body, "This provider signs nothing")
		require.Contains(t, html.UnescapeString(b.get(t, "/catalogue?provider=aktify").body), "/^t=([0-9]{1,15}),v2=(.+?)$/")
	})
}

func TestChartsOfWebhookAndTenant(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		for _, path := range []string{"/", "/webhooks/" + w.ids["webhook"] + "/charts"} {
			for _, span := range []string{"", "?span=week", "?span=month"} {
				got := b.get(t, path+span)
				require.Equal(t, http.StatusOK, got.status)
				require.Contains(t, got.body, `role="img" aria-label="2 attempts in`, "%s: %s", path+span, got.body)
				require.Contains(t, got.body, ` settled in`)
				require.Contains(t, got.body, "1 of them failed")
				require.Contains(t, got.body, "The same as a table")
			}
		}
		setSeededStatus(models.StatusBroken, "too many failures")(t, w)
		require.Contains(t, b.get(t, "/").body, "Look at these webhooks")
	})
}

// TestOverviewFindsTroubleBehindManyWebhooks has the webhooks in trouble be the
// oldest, a page and more behind those that are well.
func TestOverviewFindsTroubleBehindManyWebhooks(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		for i, hook := range []models.Webhook{
			{Name: "Is broken", Status: models.StatusBroken}, {Name: "Has gone", Status: models.StatusGone},
			{Name: "Is failing", FailingSince: new(testNow)}, {Name: "Is paused", Status: models.StatusPaused, FailingSince: new(testNow)},
		} {
			hook.URL = fmt.Sprintf("https://old.acme.dev/%d", i)
			w.addWebhook(t, w.tenant, hook)
		}
		for i := range models.MaxPage + 1 {
			w.addWebhook(t, w.tenant, models.Webhook{URL: fmt.Sprintf("https://new.acme.dev/%d", i)})
		}
		got := signedIn(t, w).get(t, "/")
		require.Equal(t, http.StatusOK, got.status)
		_, found, _ := strings.Cut(got.body, "Look at these webhooks")
		found, _, _ = strings.Cut(found, "</section>")
		for _, name := range []string{"Is broken", "Has gone", "Is failing"} {
			require.Equal(t, 1, strings.Count(found, name), name)
		}
		require.Equal(t, 3, strings.Count(found, `class="row-link"`))
	})
}
