package api

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// formPages says which page holds the form that is sent to a path.
var formPages = map[string]string{
	"/webhooks":             "/webhooks/new",
	"/webhooks/:id/edit":    "/webhooks/:id/edit",
	"/webhooks/:id/pause":   "/webhooks/:id",
	"/webhooks/:id/resume":  "/webhooks/:id",
	"/webhooks/:id/rotate":  "/webhooks/:id/rotate",
	"/webhooks/:id/test":    "/webhooks/:id/test",
	"/webhooks/:id/delete":  "/webhooks/:id/delete",
	"/deliveries/:id/retry": "/deliveries/:id",
	"/webhooks/:id/replays": "/webhooks/:id/replays",
	"/replays/:id/cancel":   "/replays/:id",
	"/events":               "/events/new",
}

const notStored = "Your session has ended. Sign in again; what you sent was not stored."

// TestAFormSentAfterTheSessionSaysSo has every form come too late: the sign-in
// page says what became of it and leads back to the page with the form, which
// is asked for and not sent to.
func TestAFormSentAfterTheSessionSaysSo(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		now := testNow
		w.deps.Now = func() time.Time { return now }
		w.build(t)
		s, err := newServer(w.deps)
		require.NoError(t, err)
		b := signedIn(t, w)
		b.get(t, "/webhooks/new")
		before := w.fingerprint(t)
		now = testNow.Add(61 * time.Minute)
		for _, row := range s.pages() {
			if row.Method != http.MethodPost || row.Auth == authPublic {
				continue
			}
			page, known := formPages[row.Path]
			require.True(t, known, "a form that this test knows no page of: %s", row.Path)
			id := w.ids["webhook"]
			sent := b.post(t, replaceID(row.Path, id), url.Values{"name": {"typed for long"}})
			shown := b.follow(t, sent)
			require.Equal(t, http.StatusOK, shown.status)
			require.Contains(t, shown.body, notStored, row.Path)
			require.NotContains(t, shown.body, "typed for long", row.Path)
			require.Contains(t, html.UnescapeString(shown.body), `name="next" value="`+replaceID(page, id)+`"`, row.Path)
		}
		require.Equal(t, before, w.fingerprint(t))
	})
}

// TestSigningInAgainLeadsBackToTheForm comes back to the page as it was asked
// for, with its query, and nothing is sent a second time.
func TestSigningInAgainLeadsBackToTheForm(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		b.get(t, "/webhooks/new?provider=akol")
		session := b.cookies["posthaste_session"]
		sendLate := func(from string) answer {
			delete(b.cookies, "posthaste_session") // as a browser does when it is over
			b.headers["Referer"] = from
			defer delete(b.headers, "Referer")
			return b.follow(t, b.post(t, "/webhooks", url.Values{"provider": {"akol"}, "name": {"Late"}}))
		}
		shown := sendLate("https://posthaste.example/webhooks/new?provider=akol")
		next := strings.Split(strings.Split(html.UnescapeString(shown.body), `name="next" value="`)[1], `"`)[0]
		require.Equal(t, "/webhooks/new?provider=akol", next)
		back := b.post(t, "/sign-in", url.Values{"credential": {w.ids["key.text"]}, "next": {next}})
		require.Equal(t, next, back.header.Get("Location"))
		require.NotEqual(t, session, b.cookies["posthaste_session"])
		require.Equal(t, http.StatusOK, b.follow(t, back).status)
		require.NotContains(t, b.get(t, "/webhooks").body, "Late")

		for _, from := range []string{"https://posthaste.example/webhooks", "https://evil.example/elsewhere?x=1", "%zz", ""} {
			require.Contains(t, sendLate(from).body, `name="next" value="/webhooks/new"`, from)
		}
	})
}

// TestLookingAtAPageWithoutASessionSaysNothingOfForms keeps the message for
// those who sent something.
func TestLookingAtAPageWithoutASessionSaysNothingOfForms(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := newBrowser(w)
		require.NotContains(t, b.get(t, "/sign-in").body, "not stored")
		require.NotContains(t, b.follow(t, b.get(t, "/webhooks?status=active")).body, "not stored")
	})
}
