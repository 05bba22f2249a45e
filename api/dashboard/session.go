package dashboard

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// Cookies. The session and what is to be shown next are sealed, so that a copy
// of one is no credential for the API and ends with the session.
const (
	cookieSession = "posthaste_session"
	cookieForm    = "posthaste_form"
	cookieFlash   = "posthaste_flash"
	cookieTheme   = "posthaste_theme"
)

const (
	// longestSession ends a session whose credential lasts longer, or for good.
	longestSession = 12 * time.Hour
	// maxCookieBytes is what every browser keeps of a cookie, less its name and
	// attributes.
	maxCookieBytes = 3800
	// fieldFormToken is the field of every form that proves it to be ours.
	fieldFormToken = "formToken"
	keyViewer      = "posthaste.dashboard.viewer"
	formTokenLife  = 12 * time.Hour
)

// session is what the session's cookie holds.
type session struct {
	Header    string    `json:"h"` // the header that carries the credential
	Value     string    `json:"v"`
	FormToken string    `json:"f"`
	Until     time.Time `json:"u"`
}

// id tells one session from all others: its token is random.
func (s session) id() string { return s.FormToken }

// credential returns the session's credential as a header of an API request.
func (s session) credential() http.Header { return http.Header{s.Header: {s.Value}} }

// viewer is who looks at a page.
type viewer struct {
	Identity
	session session
}

// viewerOf returns who is signed in; nobody on public pages.
func viewerOf(c *gin.Context) viewer {
	found, _ := c.Get(keyViewer)
	who, _ := found.(viewer)
	return who
}

// Enter finds who is signed in, for a route that is not public. The credential
// is looked at anew each time, so a revoked key ends its sessions. It returns
// errs.Unauthorized when nobody is.
func (d *Dashboard) Enter(c *gin.Context) (Identity, error) {
	var found session
	if !d.openCookie(c, cookieSession, &found) || !d.Now().Before(found.Until) || d.signedOut.has(found.id()) {
		return Identity{}, errs.New(errs.Unauthorized, "Sign in to see this page")
	}
	who, err := d.Identify(c.Request.Context(), found.credential())
	if errs.Is(err, errs.Unauthorized) {
		dropCookie(c, cookieSession)
	}
	if err != nil {
		return Identity{}, err
	}
	c.Set(keyViewer, viewer{Identity: who, session: found})
	return who, nil
}

// begin starts a session.
func (d *Dashboard) begin(c *gin.Context, name, value string, who Identity) error {
	until := d.Now().Add(longestSession)
	if !who.ExpiresAt.IsZero() && who.ExpiresAt.Before(until) {
		until = who.ExpiresAt
	}
	token, err := d.randomToken()
	if err != nil {
		return err
	}
	life := max(time.Second, until.Sub(d.Now())) // one in its leeway lasts a moment
	return d.sealCookie(c, cookieSession, session{Header: name, Value: value, FormToken: token, Until: until}, life)
}

// formToken returns the token for the forms of a page: the session's, or one
// that a cookie keeps until there is a session.
func (d *Dashboard) formToken(c *gin.Context) (string, error) {
	if who := viewerOf(c); who.Tenant != "" {
		return who.session.FormToken, nil
	}
	var kept string
	if d.openCookie(c, cookieForm, &kept) {
		return kept, nil
	}
	token, err := d.randomToken()
	if err != nil {
		return "", err
	}
	return token, d.sealCookie(c, cookieForm, token, formTokenLife)
}

// knowsFormToken tells whether a form holds the token of the session or that of
// the browser. Both count, because a page may be older than the session.
func (d *Dashboard) knowsFormToken(c *gin.Context, given string) bool {
	var found session
	var kept string
	d.openCookie(c, cookieSession, &found)
	d.openCookie(c, cookieForm, &kept)
	known := false
	for _, want := range []string{found.FormToken, kept} {
		known = known || want != "" && subtle.ConstantTimeCompare([]byte(want), []byte(given)) == 1
	}
	return known
}

func (d *Dashboard) randomToken() (string, error) {
	raw := make([]byte, 18)
	if _, err := io.ReadFull(d.Random, raw); err != nil {
		return "", fmt.Errorf("read randomness for a session: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// sealCookie keeps a value in the browser where only we can read it.
func (d *Dashboard) sealCookie(c *gin.Context, name string, value any, life time.Duration) error {
	plain, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode cookie %s: %w", name, err)
	}
	sealed, err := d.Sealer.Seal(plain, sealContext(name))
	if err != nil {
		return err
	}
	text := base64.RawURLEncoding.EncodeToString(sealed)
	if len(text) > maxCookieBytes {
		return errs.New(errs.TooLarge, "The credential is too long for a cookie")
	}
	setCookie(c, name, text, int(life.Seconds()))
	return nil
}

// openCookie reads what sealCookie kept. A cookie that does not open, because
// it was forged or its key retired, counts as none.
func (d *Dashboard) openCookie(c *gin.Context, name string, into any) bool {
	cookie, err := c.Request.Cookie(name)
	if err != nil || len(cookie.Value) > 2*maxCookieBytes {
		return false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return false
	}
	plain, err := d.Sealer.Open(sealed, sealContext(name))
	return err == nil && json.Unmarshal(plain, into) == nil
}

func sealContext(name string) []byte { return []byte("dashboard cookie " + name) }

// setCookie sets a cookie that no script can read and that other sites' pages
// do not send along with forms. It is Secure when the browser came by https, to
// us or to the proxy before us; whoever forges that header forges it for a
// cookie of their own.
func setCookie(c *gin.Context, name, value string, seconds int) {
	http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // Secure is decided below
		Name: name, Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: c.Request.TLS != nil || strings.EqualFold(c.GetHeader("X-Forwarded-Proto"), "https"),
	})
}

func dropCookie(c *gin.Context, name string) { setCookie(c, name, "", -1) }

// refuseForm says why a form could not be read.
func refuseForm(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return err
	}
	return errs.Wrap(err, errs.Invalid, "The form could not be read")
}
