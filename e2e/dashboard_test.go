package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestDashboardInABrowser goes through the life of a webhook as a person does,
// once as browsers are and once with JavaScript switched off.
func TestDashboardInABrowser(t *testing.T) {
	t.Parallel()
	needChromium(t)
	sys := up(t, settings{})
	for name, scripts := range map[string]bool{"with scripts": true, "without scripts": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys := sys.as(t, strings.ReplaceAll("browser "+name, " ", "-"))
			b := openBrowser(t, sys.api)
			if !scripts {
				b.withoutScripts()
			}
			id, receiver := createInBrowser(b, sys)
			testAndEditInBrowser(b, sys, id, receiver, scripts)
			changeInBrowser(b, id)
			b.silent()
		})
	}
}

// createInBrowser signs in, makes a webhook after a mistake, and returns its id.
func createInBrowser(b *browser, sys *system) (string, *receiver) {
	t := b.t
	receiver := newReceiver(t, nil)
	b.open("/webhooks")
	b.at("/sign-in")
	b.signIn("not-a-key")
	b.reads("#credential-fault", "none of this server")
	b.signIn(sys.token)
	b.at("/webhooks")
	b.reads("main", "No webhooks yet")
	b.picture("empty")

	b.named("New webhook")
	b.at("/webhooks/new")
	b.fill("#url", "ftp://example.com")
	b.fill("#name", "<script>alert(1)</script>")
	b.press(`input[name="every"][value="no"]`)
	b.press(`input[value="order.paid"]`)
	b.fill("#moreEvents", "ship.sent")
	b.fill(`input[name="headerName"]`, "X-Team")
	b.fill(`input[name="headerValue"]`, "blue")
	b.named("Create webhook")
	b.reads("#url-fault", "http")
	b.picture("faults")
	require.Equal(t, "ftp://example.com", b.value("#url"))
	b.fill("#url", receiver.URL+"/in")
	b.named("Create webhook")
	b.reads(".notice", "was created and is active")
	b.reads("h1", "<script>alert(1)</script>")
	require.True(t, strings.HasPrefix(b.value("#secret-text"), "whsec_"))
	b.picture("created")
	where, err := chromedp.Run(b.ctx, chromedp.Location())
	require.NoError(t, err)
	return strings.TrimPrefix(where, sys.api+"/webhooks/"), receiver
}

// testAndEditInBrowser sends a test, sees it arrive, and gives the webhook
// another name.
func testAndEditInBrowser(b *browser, sys *system, id string, receiver *receiver, scripts bool) {
	t := b.t
	b.named("Send a test")
	b.do("choose an event", chromedp.SetValue(chromedp.CSS("#event"), "order.paid"))
	b.named("Send")
	b.reads(".notice", "1 test delivery is under way")
	arrived := receiver.await(1, 10*time.Second)[0]
	require.Equal(t, "blue", arrived.header.Get("X-Team"))
	if !scripts {
		b.open("/webhooks/" + id)
	}
	b.reads("#recent", "order.paid") // with scripts, the page looks by itself
	shown := ask[string](b, `document.querySelector(".settings time").textContent`)
	require.Equal(t, !scripts, strings.HasSuffix(shown, " UTC"), "%q: in the viewer's zone where scripts run", shown)
	b.picture("delivered")

	b.named("Edit")
	b.fill("#name", "Orders")
	b.fill("#maxPerSecond", "50")
	b.named("Save")
	b.reads(".notice", "Saved.")
	b.reads("h1", "Orders")
	stored := into[map[string]any](t, second(sys.call(http.MethodGet, "/api/webhooks/"+id, "")))
	require.InDelta(t, 50, stored["maxPerSecond"], 0)
	require.Equal(t, []any{"order.paid", "ship.sent"}, stored["events"])
	require.Equal(t, map[string]any{"X-Team": "blue"}, stored["headers"])
}

// second drops a status: the test looks at what it is about.
func second(_ int, a answer) answer { return a }

// changeInBrowser pauses, resumes, rotates and deletes the webhook, and signs
// out.
func changeInBrowser(b *browser, id string) {
	t := b.t
	b.named("Pause")
	b.reads(".title-with", "paused")
	b.named("Resume")
	b.reads(".title-with", "active")
	b.named("Rotate secret")
	b.at("/webhooks/" + id + "/rotate")
	b.press(`input[value="3600"]`)
	b.named("Rotate")
	b.reads(".notice", "The secret was rotated.")
	require.True(t, strings.HasPrefix(b.value("#secret-text"), "whsec_"))
	b.reads(".settings", "signs too until")
	b.open("/webhooks/" + id + "/rotate")
	b.reads(".notice", "An overlap is running")
	b.picture("rotate while an overlap is running")
	b.press(`input[value="0"]`)
	b.named("Rotate")
	b.reads(".notice", "The secret was rotated.")
	b.open("/webhooks/" + id)
	require.False(t, ask[bool](b, `!!document.querySelector("#secret-text")`), "a secret is shown once")
	b.named("Audit log")
	b.reads("main", "Secret rotated")
	b.picture("audit")

	b.open("/webhooks/" + id)
	b.named("Delete")
	b.reads("h1", "Delete Orders?")
	b.named("Delete for good")
	b.at("/webhooks")
	b.reads(".notice", "Orders was deleted")

	b.press(".menu summary")
	b.press(`.menu button[value="dark"]`)
	b.do("see it dark", chromedp.WaitVisible(chromedp.CSS(`html[data-theme="dark"]`)))
	b.press(".menu summary")
	b.press(`.menu form[action="/sign-out"] button`)
	b.at("/sign-in")
	b.open("/webhooks")
	b.at("/sign-in")
}

// dashboardPages lists every page that axe and an eye look at, with the ids of
// what is there.
func dashboardPages(ids map[string]string) []string {
	hook := "/webhooks/" + ids["webhook"]
	return []string{
		"/webhooks", "/webhooks?status=gone", "/webhooks/new", "/webhooks/new?provider=activecampaign", "/webhooks/new?provider=aktify",
		hook, hook + "/edit", hook + "/rotate", hook + "/test", hook + "/delete", hook + "/audit", "/webhooks/" + ids["paused"], "/webhooks/" + ids["paused"] + "/rotate", "/no-such-page",
	}
}

// TestDashboardIsForEverybody has axe look at every page, in light and dark and
// on a desk and a phone, and none may be wider than the screen.
func TestDashboardIsForEverybody(t *testing.T) {
	t.Parallel()
	needChromium(t)
	axe := readAxe(t)
	sys := up(t, settings{})
	ids := dashboardWorld(sys)
	b := openBrowser(t, sys.api)
	b.open("/sign-in")
	check := func(page string) {
		for _, scheme := range []string{"light", "dark"} {
			b.prefer(scheme)
			for _, width := range []int64{1280, 360} {
				b.resize(width, 800)
				b.open(page)
				where := fmt.Sprintf("%s, %s, %d px", page, scheme, width)
				require.Empty(t, violations(b, axe), where)
				require.LessOrEqual(t, ask[int64](b, "document.documentElement.scrollWidth"), width, "%s is wider than the screen", where)
				b.picture(fmt.Sprintf("%s-%s-%d", page, scheme, width))
			}
		}
		b.resize(1280, 800)
	}
	check("/sign-in")
	b.signIn(sys.token)
	b.at("/")
	for _, page := range append(dashboardPages(ids), ledgerPages(sys, ids)...) {
		check(page)
	}
	b.open("/webhooks")
	b.do("press Tab", chromedp.KeyEvent("\t"))
	require.Equal(t, "Skip to content", ask[string](b, "document.activeElement.textContent"))
	b.press(".menu summary")
	require.Empty(t, violations(b, axe), "the menu")
	b.picture("menu")
	b.silent()
}

// dashboardWorld is a tenant with a webhook that gets what it wants, one that
// fails and one that is paused and has two secrets.
func dashboardWorld(sys *system) map[string]string {
	good, bad := newReceiver(sys.t, nil), newReceiver(sys.t, status(http.StatusInternalServerError))
	hook := sys.createWebhook(bad.URL+"/hooks", `"name":"Warehouse","headers":{"X-Team":"blue","Authorization":"Bearer secret"}`)
	sys.createWebhook(good.URL+"/in", `"name":"CRM"`)
	paused := sys.createWebhook(good.URL+"/paused", `"name":"A rather long name for a webhook that is paused","isActive":false`)
	code, a := sys.call("POST", "/api/webhooks/"+paused.ID+"/rotate-secret", `{"overlapSeconds":604800}`)
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	for i := range 3 {
		sys.enqueue(fmt.Sprintf(`{"type":"order.paid","data":{"orderId":%d}}`, i))
	}
	good.await(3, 10*time.Second)
	bad.await(3, 10*time.Second)
	return map[string]string{"webhook": hook.ID, "paused": paused.ID}
}

// readAxe installs axe-core and returns it.
func readAxe(t *testing.T) string {
	t.Helper()
	needNode(t)
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(filepath.Join("testdata", "axe"))))
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = folder
	output, err := install.CombinedOutput()
	require.NoError(t, err, "npm ci: %s", output)
	text, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js"))
	require.NoError(t, err)
	return string(text)
}

// violations lists what axe finds wrong with the page, by all its rules, those
// of best practice included.
func violations(b *browser, axe string) []string {
	b.t.Helper()
	ask[bool](b, axe+";true")
	return ask[[]string](b, `axe.run(document, {resultTypes: ["violations"]}).then(found =>
		found.violations.flatMap(one => one.nodes.map(node => one.id + ": " + node.html.slice(0, 200) + " " + (node.any[0]?.message ?? ""))))`)
}
