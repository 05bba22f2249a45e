package dashboard

import (
	"net/http"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// MaxFormBytes bounds what a form may send: the longest that the API takes of a
// webhook, escaped as browsers escape forms.
const MaxFormBytes = 3 * 128 << 10

// Route is one row of the dashboard's route table.
type Route struct {
	Method  string
	Path    string
	Public  bool // anybody may see it; all others need a session (Enter)
	Handler func(*gin.Context) error
}

// Routes lists every page and every form's target. What forms send is checked
// for where it came from before a handler sees it.
func (d *Dashboard) Routes() []Route {
	rows := append(d.rows(), d.ledgerRows()...)
	for i, row := range rows {
		if row.Method == http.MethodPost {
			rows[i].Handler = d.fromOwnForm(row.Handler)
		}
	}
	return rows
}

func (d *Dashboard) rows() []Route {
	const get, post, public, signedIn = http.MethodGet, http.MethodPost, true, false
	return []Route{
		{get, "/assets/:file", public, d.assets.serve},
		{get, pathSignIn, public, d.signInPage},
		{post, pathSignIn, public, d.signIn},
		{post, "/sign-out", public, d.signOut},
		{post, "/theme", public, d.chooseTheme},

		{get, "/webhooks", signedIn, d.webhooks.list},
		{post, "/webhooks", signedIn, d.webhooks.create},
		{get, "/webhooks/new", signedIn, d.webhooks.newPage},
		{get, "/webhooks/:id", signedIn, d.webhooks.show},
		{get, "/webhooks/:id/edit", signedIn, d.webhooks.editPage},
		{post, "/webhooks/:id/edit", signedIn, d.webhooks.edit},
		{post, "/webhooks/:id/pause", signedIn, d.webhooks.pause},
		{post, "/webhooks/:id/resume", signedIn, d.webhooks.resume},
		{get, "/webhooks/:id/rotate", signedIn, d.webhooks.rotatePage},
		{post, "/webhooks/:id/rotate", signedIn, d.webhooks.rotate},
		{get, "/webhooks/:id/test", signedIn, d.webhooks.testPage},
		{post, "/webhooks/:id/test", signedIn, d.webhooks.test},
		{get, "/webhooks/:id/delete", signedIn, d.webhooks.deletePage},
		{post, "/webhooks/:id/delete", signedIn, d.webhooks.delete},
		{get, "/webhooks/:id/audit", signedIn, d.webhooks.audit},
	}
}

// fromOwnForm lets a form's content through when a page of ours sent it: the
// browser names no other origin, and the form holds the token that was put into
// it. Pages of other sites can make a browser send a form with our cookies, but
// cannot read what is in ours.
func (d *Dashboard) fromOwnForm(next func(*gin.Context) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		if err := d.origin.Check(c.Request); err != nil {
			return errs.Wrap(err, errs.Forbidden, "This form was sent by a page of another site, so nothing was done")
		}
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, MaxFormBytes)
		if err := c.Request.ParseForm(); err != nil {
			return refuseForm(err)
		}
		if !d.knowsFormToken(c, c.Request.PostFormValue(fieldFormToken)) {
			return errs.New(errs.Forbidden, "This form is out of date, so nothing was done: go back, reload the page and send it again")
		}
		return next(c)
	}
}
