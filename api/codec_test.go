package api

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"posthaste/errs"
	"posthaste/models"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// fakeCodec opens everything to the same text, but not what is bad.
type fakeCodec struct{}

func (fakeCodec) DecodeJSON(body []byte) ([]byte, error) {
	if strings.Contains(string(body), "bad") {
		return nil, errs.New(errs.Invalid, "A sealed payload of Temporal does not open")
	}
	return []byte(`{"payloads":[{"data":"b3BlbmVk"}]}`), nil
}

const (
	sealedBody = `{"payloads":[{"data":"c2VhbGVk"}]}`
	uiOrigin   = "http://127.0.0.1:8233"
)

func codecScenarios() []scenario {
	with := func(pairs ...string) map[string]string {
		headers := map[string]string{"Authorization": "-"}
		for i := 0; i < len(pairs); i += 2 {
			headers[pairs[i]] = pairs[i+1]
		}
		return headers
	}
	form := func(pairs ...string) map[string]string {
		return with(append(pairs, "Content-Type", "application/x-www-form-urlencoded")...)
	}
	decode := scenario{method: "POST", url: "/api/temporal/codec/decode", body: sealedBody, status: 200}
	signIn := scenario{method: "POST", url: "/api/temporal/codec/sign-in", body: "token={admin}", status: 303}
	as := func(s scenario, name string, change func(*scenario)) scenario {
		s.name = name
		change(&s)
		return s
	}
	return []scenario{
		as(decode, "payloads for an operator's token", func(s *scenario) {
			s.headers, s.want = with("Authorization", "Bearer {admin}"), []string{"b3BlbmVk"}
			s.header = map[string]string{"Access-Control-Allow-Origin": "", "Vary": "Origin", "Cache-Control": "no-store"}
		}),
		as(decode, "payloads for an operator's cookie", func(s *scenario) {
			s.headers = with("Cookie", "posthaste_operator={admin}", "Origin", uiOrigin, "Sec-Fetch-Site", "same-site", "X-Namespace", "default")
			s.header = map[string]string{"Access-Control-Allow-Origin": uiOrigin, "Access-Control-Allow-Credentials": "true"}
		}),
		as(decode, "payloads for nobody", func(s *scenario) {
			s.headers, s.status = with("Origin", uiOrigin), 401
			s.header = map[string]string{"Access-Control-Allow-Origin": uiOrigin} // so that Web UI can tell
		}),
		as(decode, "payloads for a tenant", func(s *scenario) { s.status, s.want = 403, []string{"scope admin"} }),
		as(decode, "payloads for a tenant's key", func(s *scenario) { s.headers, s.status = with("X-API-Key", "{key.text}"), 403 }),
		as(decode, "payloads for a tenant with an operator's cookie", func(s *scenario) {
			s.headers, s.status = map[string]string{"Cookie": "posthaste_operator={admin}"}, 403
		}),
		as(decode, "payloads for a bad cookie", func(s *scenario) { s.headers, s.status = with("Cookie", "posthaste_operator=nonsense"), 401 }),
		as(decode, "payloads for a page of another origin", func(s *scenario) {
			s.headers = with("Cookie", "posthaste_operator={admin}", "Origin", "http://127.0.0.1:9999", "Sec-Fetch-Site", "same-site")
			s.status, s.mustNot = 403, []string{"b3BlbmVk"}
			s.header = map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Credentials": ""}
		}),
		as(decode, "payloads that do not open", func(s *scenario) {
			s.headers, s.body, s.status = with("Authorization", "Bearer {admin}"), `{"bad":1}`, 400
			s.want = []string{`"code":"VALIDATION_ERROR"`, "does not open"}
		}),
		as(decode, "too many payloads", func(s *scenario) {
			s.headers, s.body, s.status = with("Authorization", "Bearer {admin}"), strings.Repeat(" ", maxCodecBytes+1), 413
		}),
		as(decode, "payloads that are no JSON", func(s *scenario) {
			s.headers, s.status = with("Authorization", "Bearer {admin}", "Content-Type", "text/plain"), 415
		}),
		{
			name: "Web UI may ask", method: "OPTIONS", url: "/api/temporal/codec/decode", status: 204,
			headers: with("Origin", uiOrigin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-namespace"),
			header: map[string]string{
				"Access-Control-Allow-Origin": uiOrigin, "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Methods": "POST",
				"Access-Control-Allow-Headers": "Authorization, Authorization-Extras, Content-Type, X-Namespace", "Vary": "Origin",
			},
		},
		{
			name: "others may not ask", method: "OPTIONS", url: "/api/temporal/codec/decode", status: 204,
			headers: with("Origin", "http://127.0.0.1:8233.evil.dev", "Access-Control-Request-Method", "POST"),
			header:  map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": "", "Access-Control-Allow-Credentials": ""},
		},
		{
			name: "no other route is shared", url: "/api/webhooks", status: 200, headers: map[string]string{"Origin": uiOrigin},
			header: map[string]string{"Access-Control-Allow-Origin": ""},
		},
		{
			name: "the sign-in page", url: "/api/temporal/codec", headers: with(), status: 200, want: []string{`action="codec/sign-in"`},
			mustNot: []string{"<script", "signed in with"},
			header:  map[string]string{"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": codecPolicy(), "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"},
		},
		{
			name: "the page of who is signed in", url: "/api/temporal/codec", headers: with("Cookie", "posthaste_operator={admin}"), status: 200,
			want: []string{"token of operators", `action="codec/sign-out"`}, mustNot: []string{"eyJ"},
		},
		as(signIn, "signing in", func(s *scenario) {
			s.headers = form("Sec-Fetch-Site", "same-origin")
			s.header = map[string]string{
				"Location":   "../codec",
				"Set-Cookie": "posthaste_operator={admin}; Path=/api/temporal/codec; Max-Age=3600; HttpOnly; SameSite=Strict",
			}
		}),
		as(signIn, "signing in by https", func(s *scenario) {
			s.headers = form("X-Forwarded-Proto", "https")
			s.header = map[string]string{"Set-Cookie": "posthaste_operator={admin}; Path=/api/temporal/codec; Max-Age=3600; HttpOnly; Secure; SameSite=Strict"}
		}),
		as(signIn, "signing in with nothing", func(s *scenario) {
			s.headers, s.body, s.status, s.want = form(), "token=+", 400, []string{`"token":`}
			s.header = map[string]string{"Set-Cookie": ""}
		}),
		as(signIn, "signing in with a query", func(s *scenario) { s.headers, s.url, s.body, s.status = form(), s.url+"?token={admin}", "", 400 }),
		as(signIn, "signing in with a bad token", func(s *scenario) { s.headers, s.body, s.status = form(), "token=a.b.c", 401 }),
		as(signIn, "signing in as a tenant", func(s *scenario) {
			s.headers, s.status, s.want = form(), 403, []string{"scope admin"}
			s.arrange = func(t *testing.T, w *world) { t.Helper(); w.ids["admin"] = w.token(t, w.tenant) }
		}),
		as(signIn, "signing in with more than a cookie holds", func(s *scenario) {
			s.headers, s.body, s.status = form(), "token="+strings.Repeat("a", maxCookieBytes+1), 400
		}),
		as(signIn, "signing in with too much", func(s *scenario) {
			s.headers, s.body, s.status = form(), "token="+strings.Repeat("a", maxFormBytes), 413
		}),
		as(signIn, "signing in from elsewhere", func(s *scenario) { s.headers, s.status = form("Sec-Fetch-Site", "cross-site"), 403 }),
		as(signIn, "signing in from Web UI's neighbour", func(s *scenario) { s.headers, s.status = form("Origin", "http://127.0.0.1:9999"), 403 }),
		{
			name: "signing out", method: "POST", url: "/api/temporal/codec/sign-out", headers: with("Cookie", "posthaste_operator={admin}"), status: 303,
			header: map[string]string{"Location": "../codec", "Set-Cookie": "posthaste_operator=; Path=/api/temporal/codec; Max-Age=0; HttpOnly; SameSite=Strict"},
		},
		{name: "signing out from elsewhere", method: "POST", url: "/api/temporal/codec/sign-out", headers: with("Sec-Fetch-Site", "cross-site"), status: 403},
	}
}

// TestCodecPageKeepsToItsPolicy: a browser drops a style whose hash is another.
func TestCodecPageKeepsToItsPolicy(t *testing.T) {
	t.Parallel()
	require.NotRegexp(t, `<script|\son\w+=|style=|://`, codecPage)
	handler, err := New(validDeps(t))
	require.NoError(t, err)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, PathCodec, nil))
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(recorder.Body.String())
	require.NotNil(t, style)
	require.Equal(t, codecStyle, html.UnescapeString(style[1]))
	require.Equal(t, codecStyle, style[1], "hashed as it is served")
	base, err := url.Parse("https://example.dev/prefix" + PathCodec)
	require.NoError(t, err)
	action, err := base.Parse("codec/sign-in")
	require.NoError(t, err)
	require.Equal(t, "/prefix"+PathCodec+"/sign-in", action.Path)
	back, err := action.Parse("../codec")
	require.NoError(t, err)
	require.Equal(t, base.Path, back.Path)
}

func TestSignedInForAsLongAsTheTokenHolds(t *testing.T) {
	t.Parallel()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		w := newWorld(t, store, "codec-expiry")
		for _, life := range []time.Duration{-tokenLeeway / 2, time.Minute} {
			admin, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
				"tenant": "operators", "scope": "admin", "exp": testNow.Add(life).Unix(),
			}).SignedString([]byte(testSecret))
			require.NoError(t, err)
			got := w.send(t, http.MethodPost, PathCodec+"/sign-in", "token="+admin, map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
			cookie, err := http.ParseSetCookie(got.header.Get("Set-Cookie"))
			require.NoError(t, err)
			require.Equal(t, max(1, int(life.Seconds())), cookie.MaxAge)
		}
	})
}

func TestOriginOf(t *testing.T) {
	t.Parallel()
	for give, want := range map[string]string{
		"":                                     "",
		"temporal":                             "",
		"http://127.0.0.1:8233/":               "http://127.0.0.1:8233",
		"HTTPS://Temporal.Example.dev:443/ui/": "https://temporal.example.dev",
		"http://temporal.dev:80":               "http://temporal.dev",
		"https://temporal.dev:80":              "https://temporal.dev:80",
		"http://[::1]:8233":                    "http://[::1]:8233",
	} {
		require.Equal(t, want, originOf(give), give)
	}
}
