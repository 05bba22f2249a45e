package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestSwaggerIsForEverybody looks at the page of the API's documentation in light
// and dark and on a desk and a phone. axe sees what is ours: inside of Swagger UI
// it finds the colours of methods too pale, and those are its own.
func TestSwaggerIsForEverybody(t *testing.T) {
	t.Parallel()
	needChromium(t)
	axe := readAxe(t)
	sys := up(t, settings{})
	b := openBrowser(t, sys.api)
	for _, scheme := range []string{"light", "dark"} {
		b.prefer(scheme)
		for _, width := range []int64{1280, 360} {
			b.resize(width, 800)
			where := fmt.Sprintf("%s, %d px", scheme, width)
			b.open("/api/docs")
			b.do("wait for the operations", chromedp.WaitVisible(chromedp.CSS(".btn.authorize")))
			require.Equal(t, scheme == "dark", ask[bool](b, `getComputedStyle(document.documentElement).filter !== "none"`), where)
			require.LessOrEqual(t, ask[int64](b, "document.documentElement.scrollWidth"), width, "%s: wider than the screen", where)
			b.press(`[id$="-createWebhook"] .opblock-summary-control`)
			b.do("wait for an operation", chromedp.WaitVisible(chromedp.CSS(".opblock-body .opblock-section")))
			require.LessOrEqual(t, ask[int64](b, "document.documentElement.scrollWidth"), width, "%s: wider than the screen with an operation open", where)
			b.picture(where)
			require.Empty(t, violationsOfOurs(b, axe), where)
		}
	}
	b.press(".ours a")
	b.at("/sign-in")
	b.silent()
}

// violationsOfOurs lists what axe finds wrong with the page around Swagger UI.
func violationsOfOurs(b *browser, axe string) []string {
	b.t.Helper()
	ask[bool](b, axe+";true")
	return ask[[]string](b, `axe.run(document, {resultTypes: ["violations"]}).then(found =>
		found.violations.flatMap(one => one.nodes.filter(node => !document.querySelector(node.target[0]).closest(".swagger-ui"))
			.map(node => one.id + ": " + node.html.slice(0, 200))))`)
}
