package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt/v5"
)

const (
	// maxCookieBytes is what every browser keeps of a cookie, less its name and
	// attributes.
	maxCookieBytes = 3800
	// maxFormBytes is the sign-in form with the longest token, escaped.
	maxFormBytes = 3*maxTokenBytes + 64
)

// codecPage needs no script. Its paths are relative, so that it works behind a
// proxy's prefix too.
//
//go:embed codec.html
var codecPage string

//go:embed codec.css
var codecStyle string

// codecPolicy lets the page use its own style, send its own forms, and nothing
// else.
func codecPolicy() string {
	digest := sha256.Sum256([]byte(codecStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// page shows whether an operator is signed in, and the form for it.
func (h *codecs) page(c *gin.Context) error {
	page, err := template.New("codec").Parse(codecPage)
	if err != nil {
		return fmt.Errorf("embedded page: %w", err)
	}
	view := struct {
		Style template.CSS
		UI    string
		Who   string
		Until string
	}{Style: template.CSS(codecStyle), UI: h.origin} //nolint:gosec // our own file
	if cookie, err := c.Request.Cookie(cookieOperator); err == nil {
		if who, until, err := h.operator(c.Request.Context(), cookie.Value); err == nil {
			view.Who, view.Until = who.Tenant, until.UTC().Format("2006-01-02 15:04 UTC")
		}
	}
	var text bytes.Buffer
	if err := page.Execute(&text, view); err != nil {
		return fmt.Errorf("embedded page: %w", err)
	}
	c.Header("Content-Security-Policy", codecPolicy())
	// With no-referrer, browsers would send the forms with the origin "null".
	c.Header("Referrer-Policy", "same-origin")
	c.Data(http.StatusOK, "text/html; charset=utf-8", text.Bytes())
	return nil
}

// operator checks a token and returns whose it is and when it ends.
func (h *codecs) operator(ctx context.Context, token string) (principal, time.Time, error) {
	who, _, err := h.tokens.authenticate(ctx, http.Header{"Authorization": {"Bearer " + token}})
	if err != nil {
		return principal{}, time.Time{}, err
	}
	if !who.Admin {
		return principal{}, time.Time{}, errNoAdmin()
	}
	var found claims // of a token that was just found good
	if _, _, err := jwt.NewParser().ParseUnverified(token, &found); err != nil {
		return principal{}, time.Time{}, fmt.Errorf("reading a checked token: %w", err)
	}
	return who, found.ExpiresAt.Time, nil
}

// signIn puts an operator's token into a cookie that this route's neighbours
// alone get, that no script can read, and that pages of other sites do not send.
func (h *codecs) signIn(c *gin.Context) error {
	if err := h.sameOrigin(c); err != nil {
		return err
	}
	token, err := formToken(c)
	if err != nil {
		return err
	}
	_, until, err := h.operator(c.Request.Context(), token)
	if err != nil {
		return err
	}
	setOperator(c, token, max(1, int(until.Sub(h.now()).Seconds()))) // one in its leeway lasts a moment
	return backToPage(c)
}

// formToken reads the token from the form's body; a query would end in logs.
func formToken(c *gin.Context) (string, error) {
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxFormBytes)
	err := c.Request.ParseForm()
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return "", err
	}
	token := strings.TrimSpace(c.Request.PostFormValue("token"))
	switch {
	case err != nil || token == "":
		return "", errs.InvalidField("token", "is required: send the form with a token of scope admin")
	case len(token) > maxCookieBytes:
		return "", errs.InvalidField("token", "is too long for a cookie: at most %d bytes", maxCookieBytes)
	}
	return token, nil
}

// signOut takes the cookie away.
func (h *codecs) signOut(c *gin.Context) error {
	if err := h.sameOrigin(c); err != nil {
		return err
	}
	setOperator(c, "", -1)
	return backToPage(c)
}

// setOperator sets the cookie for so many seconds. It is Secure when the browser
// came by https, to us or to the proxy before us. Whoever forges that header
// forges it for a cookie of their own. On plain http, Secure would keep the
// cookie from being sent back at all.
func setOperator(c *gin.Context, token string, seconds int) {
	http.SetCookie(c.Writer, &http.Cookie{ //nolint:gosec // Secure is decided below
		Name: cookieOperator, Value: token, Path: PathCodec, MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: c.Request.TLS != nil || strings.EqualFold(c.GetHeader("X-Forwarded-Proto"), "https"),
	})
}

// backToPage names the page relative to its own routes.
func backToPage(c *gin.Context) error {
	c.Header("Location", "../codec")
	c.Status(http.StatusSeeOther)
	return nil
}
