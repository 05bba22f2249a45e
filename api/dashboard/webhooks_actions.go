package dashboard

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook/provider"

	"github.com/gin-gonic/gin"
)

// apiPath is the API's path of a webhook.
func apiPath(hook *models.Webhook, beneath string) string { return "/api" + hookPath(hook, beneath) }

func (p *webhookPages) pause(c *gin.Context) error {
	return p.switchTo(c, false, "is paused: nothing is sent to it until it is resumed.")
}

func (p *webhookPages) resume(c *gin.Context) error {
	return p.switchTo(c, true, "is active again. What was skipped meanwhile is not sent by itself.")
}

// switchTo pauses or resumes a webhook.
func (p *webhookPages) switchTo(c *gin.Context, active bool, done string) error {
	hook, err := p.find(c)
	if err != nil {
		return err
	}
	err = p.ask(c, http.MethodPatch, apiPath(&hook, ""), map[string]bool{"isActive": active}, nil)
	return p.told(c, &hook, err, flash{Text: hook.Name + " " + done})
}

// told leads back to a webhook and says what became of a request: done, or what
// a person can do about it.
func (p *webhookPages) told(c *gin.Context, hook *models.Webhook, err error, done flash) error {
	if err == nil {
		return p.tell(c, hookPath(hook, ""), done)
	}
	faults, message, mendable := canBeMended(err)
	if !mendable {
		return err
	}
	for _, name := range sortedKeys(faults) {
		message += "; " + name + " " + faults[name]
	}
	return p.tell(c, hookPath(hook, ""), flash{Text: ended(message), Failed: true})
}

// rotateView is the form for a new secret.
type rotateView struct {
	Hook    models.Webhook
	Several bool       // the old one may sign beside the new one for a while
	Own     bool       // one may be given
	Must    bool       // one has to be given
	Until   *time.Time // when the old one stops, while it signs beside the present one
	Overlap string
	Faults  map[string]string
	Message string
}

// usualOverlap is chosen unless somebody chooses another: a receiver that has the
// old secret alone refuses everything as soon as that stops.
const usualOverlap = "86400"

// overlaps lists how long the old secret may go on signing.
var overlaps = []choice{
	{"3600", "Signs beside the new one for 1 hour"}, {usualOverlap, "Signs beside the new one for 24 hours"},
	{"604800", "Signs beside the new one for 7 days"}, {"0", "Stops at once: a receiver that has it alone refuses everything"},
}

// overlaps lists what can become of the old secret. While an overlap is running
// the API takes no other; what is left is never chosen for anybody, because it
// breaks every receiver that has an old secret.
func (v rotateView) overlaps() []choice {
	if v.Until == nil {
		return overlaps
	}
	return []choice{{"0", "All stop at once (overlapSeconds: 0): a receiver that has only an old one refuses everything"}}
}

func (p *webhookPages) rotateForm(c *gin.Context) (rotateView, error) {
	hook, err := p.find(c)
	if err != nil {
		return rotateView{}, err
	}
	profile, err := p.profileFor(&hook)
	if err != nil {
		return rotateView{}, err
	}
	rule := profile.SecretRule().Rule
	if rule == provider.SecretNone {
		return rotateView{}, errs.New(errs.Conflict, "This provider signs nothing, so its webhooks have no secret")
	}
	return rotateView{
		Hook: hook, Several: profile.SeveralSignatures(), Until: hook.OverlapUntil(p.Now()), Overlap: usualOverlap,
		Own: rule == provider.SecretGiven || rule == provider.SecretEither, Must: rule == provider.SecretGiven,
	}, nil
}

func (p *webhookPages) rotatePage(c *gin.Context) error {
	view, err := p.rotateForm(c)
	if err != nil {
		return err
	}
	return p.render(c, http.StatusOK, webhookPage(&view.Hook, "Rotate secret", webhookRotate(view)))
}

// rotate asks for a new secret, which the next page shows once.
func (p *webhookPages) rotate(c *gin.Context) error {
	view, err := p.rotateForm(c)
	if err != nil {
		return err
	}
	body := map[string]any{}
	if view.Overlap = c.Request.PostFormValue("overlapSeconds"); view.Several || view.Overlap != "" { // none chosen is not 0
		body["overlapSeconds"] = numberOrText(view.Overlap)
	}
	if given := c.Request.PostFormValue("secret"); given != "" {
		body["secret"] = given
	}
	var made struct{ Secret string }
	if err := p.ask(c, http.MethodPost, apiPath(&view.Hook, "/rotate-secret"), body, &made); err != nil {
		var mendable bool
		if view.Faults, view.Message, mendable = canBeMended(err); !mendable {
			return err
		}
		return p.render(c, http.StatusUnprocessableEntity, webhookPage(&view.Hook, "Rotate secret", webhookRotate(view)))
	}
	return p.tell(c, hookPath(&view.Hook, ""), flash{Text: "The secret was rotated.", Secret: made.Secret})
}

// testPage has the form for test deliveries.
func (p *webhookPages) testPage(c *gin.Context) error {
	hook, err := p.find(c)
	if err != nil {
		return err
	}
	if _, err := p.profileFor(&hook); err != nil {
		return err
	}
	view := showView{hookRow: hookRow{Webhook: hook}}
	p.describe(&view)
	return p.render(c, http.StatusOK, webhookPage(&hook, "Send a test", webhookTest(view)))
}

// test sends a sample of one event, or of each that the webhook subscribes to.
func (p *webhookPages) test(c *gin.Context) error {
	hook, err := p.find(c)
	if err != nil {
		return err
	}
	body := map[string]any{}
	if only := strings.TrimSpace(c.Request.PostFormValue("event")); only != "" {
		body["event"] = only
	}
	var sent struct{ Deliveries []struct{ ID string } }
	err = p.ask(c, http.MethodPost, apiPath(&hook, "/test"), body, &sent)
	verb := "test deliveries are"
	if len(sent.Deliveries) == 1 {
		verb = "test delivery is"
	}
	return p.told(c, &hook, err, flash{Text: strconv.Itoa(len(sent.Deliveries)) + " " + verb + " under way."})
}

func (p *webhookPages) deletePage(c *gin.Context) error {
	hook, err := p.find(c)
	if err != nil {
		return err
	}
	return p.render(c, http.StatusOK, webhookPage(&hook, "Delete", webhookDelete(hook)))
}

func (p *webhookPages) delete(c *gin.Context) error {
	hook, err := p.find(c)
	if err != nil {
		return err
	}
	if err := p.ask(c, http.MethodDelete, apiPath(&hook, ""), nil, nil); err != nil {
		return err
	}
	return p.tell(c, "/webhooks", flash{Text: hook.Name + " was deleted, with its deliveries."})
}

// numberOrText is what a form says of a number, as it goes into JSON: what is
// none goes as it is, for the API to refuse.
func numberOrText(text string) any {
	text = strings.TrimSpace(text)
	if whole, err := strconv.Atoi(text); err == nil {
		return whole
	}
	if number, err := strconv.ParseFloat(text, 64); err == nil && number-number == 0 {
		return number
	}
	return text
}
