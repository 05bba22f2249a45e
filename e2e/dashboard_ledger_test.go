package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// ledgerPages lists the pages that read the ledger, in a world with an answer
// that tries to break out of its page and a replay.
func ledgerPages(sys *system, ids map[string]string) []string {
	t := sys.t
	hostile := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Evil", `"><script>alert(1)</script>`)
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("</pre><script>alert(2)</script> " + strings.Repeat("a long answer ", 40)))
	})
	hook := sys.createWebhook(hostile.URL+"/hooks", `"name":"Hostile","retry":{"mode":"never"}`)
	event := sys.enqueue(`{"type":"cart.left","data":{"cart":{"items":[1,2,3],"note":"<b>"},"customer":"Ada"},"attributes":{"listIds":["7"]}}`)
	hostile.await(1, 10*time.Second)
	deliveries := sys.awaitStates(event.ID, 10*time.Second, "failed", "delivered", "retrying", "skipped")
	shown := deliveries[slices.IndexFunc(deliveries, func(one seenDelivery) bool { return one.WebhookID == hook.ID })]
	replay := into[struct{ ID string }](t, second(sys.call(http.MethodPost, "/api/webhooks/"+hook.ID+"/replay",
		`{"since":"2020-01-01T00:00:00Z","status":"failed","perSecond":1}`)))
	hostile.await(2, 20*time.Second)
	own := "/webhooks/" + hook.ID
	return []string{
		"/", "/?span=month", own + "/charts", own + "/attempts", own + "/attempts?event=none", "/webhooks/" + ids["paused"] + "/attempts",
		"/webhooks/" + ids["webhook"] + "/attempts?result=failed", "/deliveries/" + shown.ID, "/events", "/events?type=none", "/events/" + event.ID, "/events/new",
		"/events/new?provider=aktify", own + "/replays", "/replays/" + replay.ID, "/catalogue", "/catalogue?provider=aktify", "/catalogue?provider=activecampaign",
	}
}

// TestLedgerInABrowser follows an event from the form to its attempts, sends it
// again and replays it, once as browsers are and once with JavaScript switched
// off.
func TestLedgerInABrowser(t *testing.T) {
	t.Parallel()
	needChromium(t)
	sys := up(t, settings{})
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys := sys.as(t, strings.ReplaceAll("ledger "+name, " ", "-"))
			b := openBrowser(t, sys.api)
			if !scripts {
				b.withoutScripts()
			}
			b.open("/sign-in")
			b.signIn(sys.token)
			b.at("/")
			b.reads("main", "Create a webhook")
			b.picture("nothing-yet")
			sendInBrowser(b, sys, scripts)
			b.silent()
		})
	}
}

func sendInBrowser(b *browser, sys *system, scripts bool) {
	t := b.t
	receiver := newReceiver(t, statuses(http.StatusInternalServerError, http.StatusOK))
	hook := sys.createWebhook(receiver.URL+"/in", `"name":"Orders","retry":{"mode":"never"}`)
	b.open("/webhooks/" + hook.ID + "/attempts")
	b.reads("main", "Nothing was sent yet")
	log := ask[string](b, "location.href")

	b.open("/events/new?type=order.refunded")
	b.fill("#data", `{"orderId": }`)
	b.named("Send")
	b.reads("#data-fault", "in line 1")
	b.fill("#data", `{"orderId":"<i>1042</i>"}`)
	b.named("Send")
	b.reads(".notice", "The event was accepted")
	receiver.await(1, 10*time.Second)
	if !scripts {
		reloadUntil(b, "main", "failed")
	}
	b.reads("main", "failed")
	b.reads("#data", "<i>1042</i>")
	b.picture("event")

	b.named("Orders")
	b.reads("#delivery", "Internal Server Error")
	b.reads("#request-body", "<i>1042</i>")
	b.named("Send again")
	b.reads(".notice", "It is being sent.")
	receiver.await(2, 10*time.Second)
	if !scripts {
		reloadUntil(b, "#delivery", "delivered")
	}
	b.reads("#delivery", "delivered")
	b.picture("delivery")

	b.do("back to the log", chromedp.Navigate(log), chromedp.WaitVisible(chromedp.CSS("#log table")))
	require.Equal(t, 2, ask[int](b, `document.querySelectorAll("#log tbody tr").length`))
	sys.enqueue(`{"type":"order.paid","data":{"orderId":7}}`)
	receiver.await(3, 10*time.Second)
	if !scripts {
		reloadUntil(b, "#log", "order.paid")
	}
	b.reads("#log", "order.paid") // with scripts, new rows come by themselves
	sent := 2                     // events
	if scripts {
		sent += restsWhileReading(b, sys)
	}
	b.do("choose failures", chromedp.SetValue(chromedp.CSS(`select[name="result"]`), "failed"))
	if !scripts { // with scripts, a choice is enough
		b.named("Filter")
	}
	b.reads(".filters a", "Clear")
	b.reads("#log", "order.refunded")
	require.NotContains(t, ask[string](b, `document.querySelector("#log").textContent`), "order.paid")

	b.open("/webhooks/" + hook.ID + "/replays")
	b.do("choose everything", chromedp.SetValue(chromedp.CSS("#status"), "all"))
	b.named("Preview")
	b.reads(".sheet .notice", fmt.Sprintf("%d deliveries", sent))
	b.named("Start the replay")
	b.reads(".notice", "The replay has begun.")
	receiver.await(1+2*sent, 20*time.Second) // one was sent again above
	if !scripts {
		reloadUntil(b, "#replay", "completed")
	}
	b.reads("#replay", "completed")
	b.picture("replay")

	b.open("/webhooks/" + hook.ID + "/charts") // each of them settled, and again by the replay, and one had failed at first
	require.Equal(t, fmt.Sprintf("%d deliveries settled in 24 hours, 1 of them failed", 1+2*sent),
		ask[string](b, `document.querySelector(".chart svg").getAttribute("aria-label")`))
	require.Equal(t, 1, ask[int](b, `document.querySelector(".chart").querySelectorAll(".pile.bad").length`))
}

// restsWhileReading marks a text of the log, and then scrolls down in it: new rows
// wait until that is over. It returns how many events it sent.
func restsWhileReading(b *browser, sys *system) int {
	t := b.t
	rows := func() int { return ask[int](b, `document.querySelectorAll("#log tbody tr").length`) }
	wait := func() { ask[bool](b, `new Promise(resolve => setTimeout(() => resolve(true), 6000))`) }
	before := rows()
	ask[bool](b, `document.getSelection().selectAllChildren(document.querySelector("#log tbody td")) === undefined`)
	sys.enqueue(`{"type":"order.paid","data":{"orderId":8}}`)
	wait()
	require.Equal(t, before, rows(), "somebody marks a text")
	ask[bool](b, `document.getSelection().removeAllRanges() === undefined`)
	require.Eventually(t, func() bool { return rows() == before+1 }, pagePatience, 200*time.Millisecond)

	ask[bool](b, `(document.querySelector("main").style.paddingBottom = "3000px") !== ""`) // as if there were many rows
	ask[bool](b, `window.scrollTo({top: 2000, behavior: "instant"}) === undefined`)
	require.Negative(t, ask[float64](b, `document.querySelector("#log").getBoundingClientRect().top`))
	sys.enqueue(`{"type":"order.paid","data":{"orderId":9}}`)
	wait()
	require.Equal(t, before+1, rows(), "somebody reads further down")
	ask[bool](b, `window.scrollTo({top: 0, behavior: "instant"}) === undefined`)
	require.Eventually(t, func() bool { return rows() == before+2 }, pagePatience, 200*time.Millisecond)
	return 2
}

// reloadUntil reloads a page, as a person without scripts does.
func reloadUntil(b *browser, selector, text string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		where := ask[string](b, "location.href")
		b.do("reload", chromedp.Navigate(where), chromedp.WaitVisible(chromedp.CSS(selector)))
		return strings.Contains(ask[string](b, `document.querySelector("`+selector+`").textContent`), text)
	}, pagePatience, 200*time.Millisecond, "%s never read %q", selector, text)
}
