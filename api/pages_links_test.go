package api

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

var (
	linkTag     = regexp.MustCompile(`<a\s[^>]*>`)
	hrefOf      = regexp.MustCompile(`href="([^"]*)"`)
	currentList = regexp.MustCompile(`<nav[^>]*aria-label="(Main|Webhook|Provider|Attempts|Span)"[^>]*>(?s:(.*?))</nav>`)
)

// currentLinks returns, for each group of links of a page, where those lead that
// are marked as the page itself.
func currentLinks(t *testing.T, path string, page answer) map[string][]string {
	t.Helper()
	require.NotRegexp(t, `aria-current(=""|[\s>])`, page.body, "%s: a mark without a value says that it is not the page", path)
	marked := map[string][]string{}
	for _, group := range currentList.FindAllStringSubmatch(page.body, -1) {
		marked[group[1]] = []string{}
		for _, tag := range linkTag.FindAllString(group[2], -1) {
			if strings.Contains(tag, `aria-current="page"`) {
				marked[group[1]] = append(marked[group[1]], html.UnescapeString(hrefOf.FindStringSubmatch(tag)[1]))
			}
		}
	}
	return marked
}

// Each page marks itself, for those who do not see which link is underlined.
func TestPagesSayWhichLinkIsTheirs(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		addReplay(models.ReplayRunning)(t, w)
		b := signedIn(t, w)
		for _, path := range pathsWithIDs(t, w, "") {
			got := b.get(t, path)
			if got.status == http.StatusSeeOther || path == "/sign-in" {
				continue
			}
			entry := "/" + strings.Split(path, "/")[1]
			switch entry {
			case "/deliveries", "/replays":
				entry = "/webhooks"
			}
			require.Equal(t, []string{entry}, currentLinks(t, path, got)["Main"], path)
		}
		hook := "/webhooks/" + w.ids["webhook"]
		for _, tab := range []string{"", "/attempts", "/deliveries", "/charts", "/replays", "/audit"} {
			require.Equal(t, []string{hook + tab}, currentLinks(t, tab, b.get(t, hook+tab))["Webhook"], tab)
		}
		for path, group := range map[string]string{
			"/webhooks/new?provider=aktify": "Provider", "/events/new?provider=aktify": "Provider", "/catalogue?provider=aktify": "Provider",
			"/?span=month": "Span", hook + "/charts?span=month": "Span", "/deliveries/" + w.ids["waiting"] + "?attempt=1": "Attempts",
		} {
			require.Equal(t, []string{path}, currentLinks(t, path, b.get(t, path))[group], path)
		}
	})
}

var asksAgain = regexp.MustCompile(`<div id="([a-z]+)" hx-get="([^"]*)"`)

// A list that keeps itself up to date asks for the page that somebody reads: its
// filter, and its place.
func TestListsAskForWhatIsRead(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		for i := range 26 {
			w.addWebhook(t, w.tenant, models.Webhook{URL: fmt.Sprintf("https://hooks.acme.dev/%d", i)})
		}
		b, hook := signedIn(t, w), "/webhooks/"+w.ids["webhook"]
		for path, id := range map[string]string{
			"/webhooks": "webhooks",
			"/webhooks?provider=standard&status=active":                   "webhooks",
			nextOf(t, b.get(t, "/webhooks?status=active")):                "webhooks",
			hook + "/attempts?event=order.paid&result=failed&within=week": "log",
			"/events?provider=standard&type=order.paid&within=day":        "events",
			"/?span=month":              "overview",
			hook + "/charts?span=month": "charts",
			hook:                        "recent",
			"/deliveries/" + w.ids["waiting"] + "?attempt=1": "delivery",
		} {
			found := asksAgain.FindStringSubmatch(b.get(t, path).body)
			require.NotNil(t, found, path)
			require.Equal(t, []string{id, path}, []string{found[1], html.UnescapeString(found[2])})
		}
		for _, path := range []string{hook + "/attempts", "/events"} {
			for _, query := range []url.Values{{"live": {"off"}}, {"until": {"2026-01-01T00:00"}}} {
				require.NotContains(t, b.get(t, path+"?"+query.Encode()).body, "hx-get", "%s: nothing new can come", path)
			}
		}
	})
}
