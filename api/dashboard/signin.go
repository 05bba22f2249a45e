package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

const pathSignIn = "/sign-in"

// signInPage shows the form; whoever is signed in already goes on.
func (d *Dashboard) signInPage(c *gin.Context) error {
	next := localPath(c.Query("next"))
	if _, err := d.Enter(c); err == nil {
		return redirect(c, next)
	}
	notice := ""
	if c.Query(queryUnsent) != "" {
		notice = textUnsent
	}
	return d.render(c, http.StatusOK, page{Title: "Sign in", Bare: true, Body: signInForm(next, notice, "")})
}

// signIn begins a session for an API key or a token, which must be good. A good
// one always does, however many wrong ones came from its address: behind a proxy
// that is the address of all.
func (d *Dashboard) signIn(c *gin.Context) error {
	next := localPath(c.Request.PostFormValue("next"))
	given := strings.TrimSpace(c.Request.PostFormValue("credential"))
	refused := func(status int, reason string) error {
		return d.render(c, status, page{Title: "Sign in", Bare: true, Body: signInForm(next, "", reason)})
	}
	if given == "" || strings.ContainsFunc(given, notInHeader) {
		return refused(http.StatusBadRequest, "Enter an API key or a token.")
	}
	name, value := headerOf(given)
	who, err := d.Identify(c.Request.Context(), http.Header{name: {value}})
	if errs.Is(err, errs.Unauthorized) {
		if wait := d.strikes.add(c.RemoteIP()); wait > 0 {
			c.Header("Retry-After", retryAfter(wait))
			return refused(http.StatusTooManyRequests, "This one is wrong, as were many before it from your address. Look where you have it from, and try again in a minute.")
		}
		return refused(http.StatusUnauthorized, ended(messageOf(err)))
	}
	if err != nil {
		return err
	}
	if err := d.begin(c, name, value, who); err != nil {
		if errs.Is(err, errs.TooLarge) {
			return refused(http.StatusBadRequest, ended(messageOf(err)))
		}
		return err
	}
	dropCookie(c, cookieForm)
	return redirect(c, next)
}

// headerOf returns the header of an API request that carries a credential: a
// token has three parts with dots between them, an API key has none.
func headerOf(credential string) (name, value string) {
	if strings.Count(credential, ".") == 2 {
		return "Authorization", "Bearer " + credential
	}
	return http.CanonicalHeaderKey("X-API-Key"), credential
}

func notInHeader(r rune) bool { return r <= ' ' || r > '~' }

// signOut ends the session, here and where its cookie was copied to.
func (d *Dashboard) signOut(c *gin.Context) error {
	var ended session
	if d.openCookie(c, cookieSession, &ended) && d.Now().Before(ended.Until) {
		d.signedOut.add(ended.id(), ended.Until)
	}
	dropCookie(c, cookieSession)
	dropCookie(c, cookieFlash)
	return redirect(c, pathSignIn)
}

// Themes. The first is what the browser asks for.
const (
	themeSystem = "system"
	themeLight  = "light"
	themeDark   = "dark"
	themeLife   = 365 * 24 * 3600
)

// chooseTheme keeps how pages look in this browser.
func (*Dashboard) chooseTheme(c *gin.Context) error {
	switch chosen := c.Request.PostFormValue("theme"); chosen {
	case themeLight, themeDark:
		setCookie(c, cookieTheme, chosen, themeLife)
	default:
		dropCookie(c, cookieTheme)
	}
	return redirect(c, localPath(c.Request.PostFormValue("back")))
}

func themeOf(c *gin.Context) string {
	cookie, err := c.Request.Cookie(cookieTheme)
	if err == nil && (cookie.Value == themeLight || cookie.Value == themeDark) {
		return cookie.Value
	}
	return themeSystem
}

// localPath returns a path of our own; "/" for anything that leads elsewhere.
func localPath(text string) string {
	target, err := url.Parse(text)
	if err != nil || target.Scheme != "" || target.Host != "" || target.User != nil ||
		!strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\\r\n\t") {
		return "/"
	}
	return text
}

// redirect leads the browser to a page, as the answer to a form too.
func redirect(c *gin.Context, path string) error {
	c.Header("Location", path)
	c.Status(http.StatusSeeOther)
	return nil
}
