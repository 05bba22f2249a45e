package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"posthaste/errs"
	"posthaste/keyset"
	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// makeTestKeys makes the keys of every test, once.
var makeTestKeys = sync.OnceValues(func() (*keyset.Keyset, error) {
	line, err := keyset.Generate()
	if err != nil {
		return nil, err
	}
	return keyset.Parse(line)
})

func testKeys(t *testing.T) *keyset.Keyset {
	t.Helper()
	keys, err := makeTestKeys()
	require.NoError(t, err)
	return keys
}

// browser visits pages as a browser without scripts does: it keeps cookies,
// fills in the token of the form that it saw last, and follows no redirect.
type browser struct {
	world   *world
	cookies map[string]string
	headers map[string]string // sent along
	token   string
}

func newBrowser(w *world) *browser {
	return &browser{world: w, cookies: map[string]string{}, headers: map[string]string{"Accept": "text/html"}}
}

// signedIn is a browser with a session of the world's tenant.
func signedIn(t *testing.T, w *world) *browser {
	t.Helper()
	b := newBrowser(w)
	b.signIn(t, w.token(t, w.tenant), http.StatusSeeOther)
	return b
}

func (b *browser) signIn(t *testing.T, credential string, want int) answer {
	t.Helper()
	b.get(t, "/sign-in")
	got := b.post(t, "/sign-in", url.Values{"credential": {credential}})
	require.Equal(t, want, got.status, got.body)
	return got
}

func (b *browser) get(t *testing.T, path string) answer {
	t.Helper()
	return b.visit(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
}

// post sends a form with the token of the page before.
func (b *browser) post(t *testing.T, path string, form url.Values) answer {
	t.Helper()
	if form == nil {
		form = url.Values{}
	}
	if !form.Has("formToken") {
		form.Set("formToken", b.token)
	}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.visit(t, request)
}

var formTokenField = regexp.MustCompile(`name="formToken" value="([^"]+)"`)

func (b *browser) visit(t *testing.T, request *http.Request) answer {
	t.Helper()
	for name, value := range b.headers {
		request.Header.Set(name, value)
	}
	for name, value := range b.cookies {
		request.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	recorder := httptest.NewRecorder()
	b.world.handler.ServeHTTP(recorder, request)
	for _, cookie := range recorder.Result().Cookies() {
		if cookie.MaxAge < 0 {
			delete(b.cookies, cookie.Name)
			continue
		}
		b.cookies[cookie.Name] = cookie.Value
	}
	if found := formTokenField.FindStringSubmatch(recorder.Body.String()); found != nil {
		b.token = found[1]
	}
	return answer{status: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
}

// follow visits where an answer leads.
func (b *browser) follow(t *testing.T, from answer) answer {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, from.status, from.body)
	return b.get(t, from.header.Get("Location"))
}

// onPages runs a test of pages over a seeded world.
func onPages(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		run(t, newWorld(t, store, "pages-"+strings.ToLower(models.NewID(testNow)[24:])))
	})
}

// pageIDs is which of the world's ids a group of pages is about.
var pageIDs = map[string]string{"/webhooks/": "webhook", "/deliveries/": "delivery", "/events/": "event", "/replays/": "replay"}

// pathsWithIDs returns every page that one can look at, with ids of the tenant
// ("") or of its neighbour ("other.").
func pathsWithIDs(t *testing.T, w *world, whose string) (paths []string) {
	t.Helper()
	s, err := newServer(w.deps)
	require.NoError(t, err)
	for _, row := range s.pages() {
		if row.Method != http.MethodGet || row.Path == "/assets/:file" {
			continue
		}
		path, needsID := row.Path, strings.Contains(row.Path, ":id")
		for prefix, kind := range pageIDs {
			if needsID && strings.HasPrefix(path, prefix) {
				path = strings.Replace(path, ":id", w.ids[whose+kind], 1)
			}
		}
		require.NotContains(t, path, ":", "a page that this test knows no id for")
		if needsID || whose == "" {
			paths = append(paths, path)
		}
	}
	return paths
}

var (
	inlineScript  = regexp.MustCompile(`<script(?:\s+defer)?\s*>|<style|javascript:`)
	inlineHandler = regexp.MustCompile(`<[^>]*\s(?:on[a-z]+|style|hx-on[^=]*)=`)
)

func TestEveryPageShowsAndLeaksNothing(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		addReplay(models.ReplayRunning)(t, w)
		b := signedIn(t, w)
		for _, path := range pathsWithIDs(t, w, "") {
			got := b.get(t, path)
			if path == "/" || path == "/sign-in" {
				require.Contains(t, []int{http.StatusOK, http.StatusSeeOther}, got.status, path)
			} else {
				require.Equal(t, http.StatusOK, got.status, "%s: %s", path, got.body)
			}
			for _, secret := range []string{seededSecret, seededCredential, w.ids["other.webhook"], w.token(t, w.tenant)} {
				require.NotContains(t, got.body, secret, path)
			}
			checkPagePolicy(t, path, got)
		}
		for _, path := range pathsWithIDs(t, w, "other.") {
			require.Equal(t, http.StatusNotFound, b.get(t, path).status, path)
		}
	})
}

// checkPagePolicy holds a page to its policy: nothing inline, nothing from
// elsewhere.
func checkPagePolicy(t *testing.T, path string, got answer) {
	t.Helper()
	if got.status == http.StatusSeeOther {
		return
	}
	policy := got.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'", path)
	require.Contains(t, policy, "script-src 'self'; style-src 'self'", path)
	require.NotContains(t, policy, "unsafe", path)
	require.Equal(t, "no-store", got.header.Get("Cache-Control"), path)
	require.NotRegexp(t, inlineScript, got.body, path)
	require.NotRegexp(t, inlineHandler, got.body, path)
}

func TestPagesAreForWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		s, err := newServer(w.deps)
		require.NoError(t, err)
		b := newBrowser(w)
		b.get(t, "/sign-in")
		for _, row := range s.pages() {
			if row.Auth == authPublic {
				continue
			}
			path := replaceID(row.Path, w.ids["webhook"])
			var got answer
			if row.Method == http.MethodPost {
				got = b.post(t, path, nil)
			} else {
				got = b.get(t, path)
			}
			require.Equal(t, http.StatusSeeOther, got.status, "%s %s", row.Method, path)
			require.True(t, strings.HasPrefix(got.header.Get("Location"), "/sign-in"), path)
			// A credential for the API is none for pages.
			b.headers["Authorization"] = "Bearer " + w.token(t, w.tenant)
			require.Equal(t, http.StatusSeeOther, b.get(t, "/webhooks").status)
			delete(b.headers, "Authorization")
		}
	})
}

func TestSession(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := newBrowser(w)
		require.Equal(t, "/sign-in?next=%2Fwebhooks%3Fstatus%3Dactive", b.get(t, "/webhooks?status=active").header.Get("Location"))
		b.get(t, "/sign-in?next=/webhooks")
		got := b.post(t, "/sign-in", url.Values{"credential": {" " + w.ids["key.text"] + "\n"}, "next": {"/webhooks?status=active"}})
		require.Equal(t, "/webhooks?status=active", got.header.Get("Location"))
		cookie := got.header.Values("Set-Cookie")[0]
		require.Contains(t, cookie, "posthaste_session=")
		require.Contains(t, cookie, "; HttpOnly; SameSite=Lax")
		require.Contains(t, cookie, "; Max-Age=43200;")
		require.NotContains(t, cookie, w.ids["key.text"])
		require.Equal(t, http.StatusOK, b.get(t, "/webhooks").status)

		kept := b.cookies["posthaste_session"]
		require.Equal(t, http.StatusUnauthorized, w.send(t, "GET", "/api/webhooks", "", map[string]string{"Authorization": "Bearer " + kept}).status)
		other := newBrowser(w)
		other.signIn(t, w.ids["key.text"], http.StatusSeeOther)
		b.post(t, "/sign-out", nil)
		require.Equal(t, http.StatusSeeOther, b.get(t, "/webhooks").status)

		// Signing out ends the session, also where it was copied to, and no other.
		b.cookies["posthaste_session"] = kept
		require.Equal(t, http.StatusSeeOther, b.get(t, "/webhooks").status)
		require.Equal(t, http.StatusOK, other.get(t, "/webhooks").status)

		// A revoked key ends its sessions, also those that were copied.
		b.cookies["posthaste_session"] = other.cookies["posthaste_session"]
		require.Equal(t, http.StatusOK, b.get(t, "/webhooks").status)
		require.Equal(t, http.StatusOK, w.send(t, "DELETE", "/api/api-keys/"+w.ids["key"], "", nil).status)
		require.Equal(t, http.StatusSeeOther, b.get(t, "/webhooks").status)
		require.NotContains(t, w.logs.String(), w.ids["key.text"])
	})
}

func TestSessionEndsWithItsToken(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		now := testNow
		w.deps.Now = func() time.Time { return now }
		w.build(t)
		b := newBrowser(w)
		got := b.signIn(t, w.token(t, w.tenant), http.StatusSeeOther)
		require.Contains(t, got.header.Values("Set-Cookie")[0], "; Max-Age=3600;")
		now = testNow.Add(59 * time.Minute)
		require.Equal(t, http.StatusOK, b.get(t, "/webhooks").status)
		now = testNow.Add(61 * time.Minute)
		require.Equal(t, http.StatusSeeOther, b.get(t, "/webhooks").status)
	})
}

func TestSignInRefuses(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := newBrowser(w)
		require.Contains(t, b.signIn(t, "phk_nonsense", http.StatusUnauthorized).body, "The API key is none of this server")
		require.NotContains(t, b.signIn(t, "nonsense", http.StatusUnauthorized).body, "header")
		require.Contains(t, b.signIn(t, "a.b.c", http.StatusUnauthorized).body, "The token is not valid")
		b.signIn(t, "", http.StatusBadRequest)
		b.signIn(t, "two\r\nlines", http.StatusBadRequest)
		require.NotContains(t, b.cookies, "posthaste_session")
		for range 7 {
			b.signIn(t, "phk_nonsense", http.StatusUnauthorized)
		}
		got := b.signIn(t, "phk_nonsense", http.StatusTooManyRequests)
		require.Equal(t, "6", got.header.Get("Retry-After"))
		require.NotContains(t, b.cookies, "posthaste_session")
		// Behind a proxy others share the address, and must get in.
		b.signIn(t, w.token(t, w.tenant), http.StatusSeeOther)
		newBrowser(w).signIn(t, w.ids["key.text"], http.StatusSeeOther)
		newBrowser(w).signIn(t, "phk_nonsense", http.StatusTooManyRequests)
	})
}

func TestSignInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		for _, next := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)", "", "/\t/evil.example", "webhooks"} {
			b := newBrowser(w)
			b.get(t, "/sign-in")
			got := b.post(t, "/sign-in", url.Values{"credential": {w.token(t, w.tenant)}, "next": {next}})
			require.Equal(t, "/", got.header.Get("Location"), next)
		}
	})
}

func TestFormsOfOthersDoNothing(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		s, err := newServer(w.deps)
		require.NoError(t, err)
		b, stranger := signedIn(t, w), newBrowser(w)
		b.get(t, "/webhooks/new")
		own := b.token
		stranger.get(t, "/sign-in")
		for _, row := range s.pages() {
			if row.Method != http.MethodPost {
				continue
			}
			path := replaceID(row.Path, w.ids["webhook"])
			for _, token := range []string{"", "nonsense", stranger.token} {
				require.Equal(t, http.StatusForbidden, b.post(t, path, url.Values{"formToken": {token}}).status, path)
			}
			for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "same-site"} {
				b.headers[name] = value
				require.Equal(t, http.StatusForbidden, b.post(t, path, url.Values{"formToken": {own}}).status, path)
				delete(b.headers, name)
			}
		}
		require.Equal(t, w.ids["fingerprint"], w.fingerprint(t))
		require.Equal(t, http.StatusOK, b.get(t, "/webhooks").status)
	})
}

func TestUnknownPage(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		got := b.get(t, "/nothing/here")
		require.Equal(t, http.StatusNotFound, got.status)
		require.Contains(t, got.body, "<h1>Not found</h1>")
		checkPagePolicy(t, "/nothing/here", got)
		require.Contains(t, b.get(t, "/api/nothing").body, `"code":"NOT_FOUND"`)
		b.headers["Accept"] = "*/*"
		require.Contains(t, b.get(t, "/nothing").body, `"code":"NOT_FOUND"`)
		require.Equal(t, http.StatusNotFound, b.get(t, "/assets/../dashboard.go").status)
		require.Equal(t, "text/css; charset=utf-8", b.get(t, "/assets/style.css").header.Get("Content-Type"))
		require.Equal(t, "no-store", b.get(t, "/assets/style.css?v=other").header.Get("Cache-Control"))
	})
}

// TestFaultsOfOursBecomePages breaks the store beneath a page: the cause is in
// the log and nowhere else.
func TestFaultsOfOursBecomePages(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		w.starter.refuse = errs.New(errs.Unavailable, "Temporal is down")
		b.get(t, "/webhooks/"+w.ids["webhook"]+"/test")
		got := b.post(t, "/webhooks/"+w.ids["webhook"]+"/test", nil)
		require.Equal(t, http.StatusServiceUnavailable, got.status)
		require.NotEmpty(t, got.header.Get("Retry-After"))
		require.Contains(t, got.body, "<h1>That did not work</h1>")
		require.True(t, bytes.Contains(w.logs.Bytes(), []byte("Temporal is down")))
	})
}
