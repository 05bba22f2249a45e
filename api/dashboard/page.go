package dashboard

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"posthaste/errs"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"
)

// policy lets pages load our own style and scripts, send our own forms, ask our
// own server, and nothing else: no inline script or style, no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// page is what a handler wants shown inside the layout.
type page struct {
	Title string
	Nav   string  // the path of the navigation's entry it belongs to
	Trail []crumb // the way to it; the title comes last by itself
	Body  templ.Component
	// Bare pages have no navigation: nobody is signed in.
	Bare bool
}

// crumb is a page above this one.
type crumb struct{ Label, Path string }

// frame is what the layout needs around a page. Components find it in their
// context (frameOf).
type frame struct {
	page
	Who       viewer
	FormToken string
	Theme     string
	Here      string // path and query of this page
	Flash     *flash
	assets    *assets
}

type frameKey struct{}

func frameOf(ctx context.Context) frame {
	found, _ := ctx.Value(frameKey{}).(frame)
	return found
}

// render answers with a page inside the layout.
func (d *Dashboard) render(c *gin.Context, status int, shown page) error {
	token, err := d.formToken(c)
	if err != nil {
		return err
	}
	here := "/"
	if c.Request.Method == http.MethodGet {
		here = c.Request.URL.RequestURI()
	}
	f := frame{page: shown, Who: viewerOf(c), FormToken: token, Theme: themeOf(c), Here: here, Flash: d.takeFlash(c), assets: d.assets}
	var text bytes.Buffer
	// A page that says that time ran out must be rendered all the same.
	ctx := context.WithValue(context.WithoutCancel(c.Request.Context()), frameKey{}, f)
	if err := layout(f).Render(ctx, &text); err != nil {
		return fmt.Errorf("render %q: %w", shown.Title, err)
	}
	writePage(c, status, text.Bytes())
	return nil
}

func writePage(c *gin.Context, status int, text []byte) {
	c.Header("Content-Security-Policy", policy)
	// With no-referrer, browsers would send forms with the origin "null".
	c.Header("Referrer-Policy", "same-origin")
	c.Data(status, "text/html; charset=utf-8", text)
}

// Fail answers with an error, as a page. Whoever is not signed in is led to
// where they can, and back afterwards (wayToSignIn).
func (d *Dashboard) Fail(c *gin.Context, status int, failure *errs.Error) {
	if failure.Code == errs.Unauthorized {
		if c.GetHeader("HX-Request") != "" { // a refresh of a part of a page
			c.Header("HX-Redirect", pathSignIn)
			c.Status(http.StatusUnauthorized)
			return
		}
		_ = redirect(c, d.wayToSignIn(c)) // never fails
		return
	}
	if failure.Code == errs.NotFound && c.GetHeader("HX-Request") != "" {
		c.Header("HX-Refresh", "true") // what asked for itself again is gone: the page that says so does not
	}
	title := map[bool]string{true: "Not found", false: "That did not work"}[failure.Code == errs.NotFound]
	shown := page{Title: title, Bare: viewerOf(c).Tenant == "", Body: failurePage(failure, c.Writer.Header().Get("X-Request-Id"))}
	if err := d.render(c, status, shown); err != nil {
		_ = c.Error(err) // beside the failure itself, which is what counts
		c.Data(status, "text/plain; charset=utf-8", []byte(failure.Message+"\n"))
	}
}

// messageOf returns the message of a coded error.
func messageOf(err error) string {
	if coded := codedOf(err); coded != nil {
		return coded.Message
	}
	return ""
}
