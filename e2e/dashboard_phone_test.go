package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// outside lists what reaches over an edge of what holds it.
const outside = `(inner, outer) => [...document.querySelectorAll(inner)].filter(one => {
	const box = one.getBoundingClientRect(), room = one.closest(outer).getBoundingClientRect();
	return box.width > 0 && (box.left < room.left || box.right > room.right + .5);
}).map(one => one.outerHTML)`

// largest fills the figures with the longest that they come to: seven on the
// overview, three on the page of a webhook.
const largest = `[...document.querySelectorAll(".figures > div")].forEach(one => {
	const figure = one.querySelector("dd"), share = figure.querySelector(".share");
	figure.textContent = one.querySelector("dt").textContent.startsWith("p") ? "≈\u00a0470\u00a0ms" : "123,456";
	if (share) figure.append(share);
})`

// broken lists the figures that are not on one line in their cell.
const broken = `[...document.querySelectorAll(".figures dd")].filter(one => {
	const text = document.createRange();
	text.selectNodeContents(one);
	if (one.querySelector(".share")) text.setEndBefore(one.querySelector(".share"));
	return text.getBoundingClientRect().width > one.clientWidth + .5 || new Set([...text.getClientRects()].map(line => line.top)).size > 1;
}).map(one => one.outerHTML)`

// TestDashboardOnAPhone holds small screens to what a page promises: every tab
// in sight, and every moment inside its card.
func TestDashboardOnAPhone(t *testing.T) {
	t.Parallel()
	needChromium(t)
	sys := up(t, settings{})
	ids := dashboardWorld(sys)
	b := openBrowser(t, sys.api)
	b.open("/sign-in")
	b.signIn(sys.token)
	b.at("/")
	hook := "/webhooks/" + ids["webhook"]
	for _, width := range []int64{320, 360, 800} {
		b.resize(width, 800)
		for _, page := range []string{hook + "/audit", hook + "/attempts", hook, "/"} {
			b.open(page)
			where := fmt.Sprintf("%s, %d px", page, width)
			require.Empty(t, ask[[]string](b, `(`+outside+`)(".tabs a, .main-nav a", "body")`), where)
			require.Empty(t, ask[[]string](b, `(`+outside+`)("main time", "td, dd, p, div")`), where)
			ask[bool](b, largest+";true")
			require.Empty(t, ask[[]string](b, broken), where)
			require.LessOrEqual(t, ask[int64](b, "document.documentElement.scrollWidth"), width, where)
			b.picture(fmt.Sprintf("%s-%d", page, width))
		}
		b.press(".menu summary")
		require.Empty(t, ask[[]string](b, `(`+outside+`)(".menu-who dd, .menu-who time", ".menu-who")`), "%d px", width)
		b.picture(fmt.Sprintf("menu-%d", width))
	}
	b.silent()
}

// TestMomentsInABrowserSayTheirZone: a person who copies a moment from a page
// sees which zone it is in, and what it is in the one that forms take.
func TestMomentsInABrowserSayTheirZone(t *testing.T) {
	t.Parallel()
	needChromium(t)
	sys := up(t, settings{})
	receiver := newReceiver(t, nil)
	hook := sys.createWebhook(receiver.URL+"/in", `"name":"Orders"`)
	event := sys.enqueue(`{"type":"order.paid","data":{"orderId":1}}`)
	sys.awaitStates(event.ID, 10*time.Second, "delivered")
	b := openBrowser(t, sys.api)
	b.open("/sign-in")
	b.signIn(sys.token)
	b.at("/")
	b.open("/webhooks/" + hook.ID + "/attempts")
	b.reads("#log time", "GMT+5:30")
	sent := into[[]struct{ DeliveredAt time.Time }](t, second(sys.call(http.MethodGet, "/api/webhooks/"+hook.ID+"/history", "")))[0].DeliveredAt
	require.Equal(t, sent.UTC().Format("2006-01-02 15:04:05 UTC"), ask[string](b, `document.querySelector("#log time").title`))
	b.open("/webhooks/" + hook.ID)
	b.reads("#recent time", "ago")
	require.Regexp(t, `GMT\+5:30 = \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$`, ask[string](b, `document.querySelector("#recent time").title`))
	b.silent()
}
