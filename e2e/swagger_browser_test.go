package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestSwaggerInABrowser tries a route from the page of the API's documentation,
// as a person with a token does. The browser asks nobody but this server.
func TestSwaggerInABrowser(t *testing.T) {
	t.Parallel()
	needChromium(t)
	sys := up(t, settings{})
	hook := sys.createWebhook("http://127.0.0.1:9/hooks", `"name":"Seen from the documentation"`)
	b := openBrowser(t, sys.api)
	b.do("open the documentation", chromedp.Navigate(sys.api+"/api/docs"), chromedp.WaitVisible(chromedp.CSS(".btn.authorize")))
	hosts := ask[[]string](b, `[...new Set(performance.getEntriesByType("resource").map(one => new URL(one.name).origin))]`)
	require.Equal(t, []string{sys.api}, hosts)

	b.press(".btn.authorize")
	b.do("give the token", chromedp.SendKeys(chromedp.CSS(`input[aria-label="auth-bearer-value"]`), sys.token))
	b.press(".modal-ux .auth-container:has(input[aria-label='auth-bearer-value']) .modal-btn.authorize")
	b.press(".modal-ux .btn-done")

	const row = `[id$="-listWebhooks"] `
	b.press(row + ".opblock-summary-control")
	b.press(row + ".try-out__btn")
	b.press(row + ".execute")
	b.reads(row+".live-responses-table tbody .response-col_status", "200")
	b.reads(row+".live-responses-table tbody .response-col_description", hook.ID)
	b.picture("tried")
	b.silent()
}
