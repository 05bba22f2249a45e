package dashboard

import (
	"net/http"
	"net/url"
	"path"
	"slices"

	"github.com/gin-gonic/gin"
)

// queryUnsent tells the sign-in page that a form came too late.
const (
	queryUnsent = "unsent"
	textUnsent  = "Your session has ended. Sign in again; what you sent was not stored."
)

// wayToSignIn is where somebody signs in, and comes back from to the page that
// they wanted. What a form sent is not kept: it may hold a secret, and by then
// it may be sent by somebody else. So the way back is to the page with the form,
// and the sign-in page says that it has to be filled in again.
func (d *Dashboard) wayToSignIn(c *gin.Context) string {
	query := url.Values{}
	switch {
	case c.Request.Method == http.MethodPost:
		query.Set(queryUnsent, "1")
		query.Set("next", d.formPage(c))
	case c.Request.URL.Path != "/":
		query.Set("next", c.Request.URL.RequestURI())
	}
	return pathWith(pathSignIn, query)
}

// formPage returns the page that holds the form which was sent: "new" beneath
// the path that it was sent to, the page of that path, or, for what is a button,
// the one above it. The browser says with which query that page was asked for.
func (d *Dashboard) formPage(c *gin.Context) string {
	routes := d.Routes()
	isPage := func(pattern string) bool {
		return slices.ContainsFunc(routes, func(row Route) bool { return row.Method == http.MethodGet && row.Path == pattern })
	}
	for _, near := range []func(string) string{
		func(at string) string { return at + "/new" },
		func(at string) string { return at },
		path.Dir,
	} {
		if !isPage(near(c.FullPath())) {
			continue
		}
		found := near(c.Request.URL.EscapedPath())
		if asked, err := url.Parse(c.Request.Referer()); err == nil && asked.EscapedPath() == found {
			return asked.RequestURI()
		}
		return found
	}
	return "/"
}
