package dashboard

import (
	"time"

	"github.com/gin-gonic/gin"
)

// flashLife is how long what a form did waits to be shown.
const flashLife = time.Minute

// flash is shown once, on the next page: what a form did and, for a new secret,
// the secret.
type flash struct {
	Text   string `json:"t"`
	Secret string `json:"s,omitempty"`
	Failed bool   `json:"x,omitempty"`
	Link   string `json:"l,omitempty"` // a path of ours that shows what came of it
	Label  string `json:"n,omitempty"` // the link's text
	Tenant string `json:"o"`           // whom it is for
}

// tell leads to a page and shows a message there.
func (d *Dashboard) tell(c *gin.Context, path string, message flash) error {
	message.Tenant = viewerOf(c).Tenant
	if err := d.sealCookie(c, cookieFlash, message, flashLife); err != nil {
		return err
	}
	return redirect(c, path)
}

// takeFlash returns the message that waits, if any, and forgets it.
func (d *Dashboard) takeFlash(c *gin.Context) *flash {
	var found flash
	if _, err := c.Request.Cookie(cookieFlash); err != nil {
		return nil
	}
	if c.GetHeader("HX-Request") != "" { // a refresh of a part, which shows none
		return nil
	}
	opened := d.openCookie(c, cookieFlash, &found)
	dropCookie(c, cookieFlash)
	if !opened || found.Tenant != viewerOf(c).Tenant {
		return nil
	}
	return &found
}
