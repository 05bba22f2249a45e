package dashboard

import (
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// attemptsShown is how many attempts a page of the log has.
const attemptsShown = 50

// Results that the log can be narrowed to.
const (
	resultDelivered = "delivered"
	resultFailed    = "failed"
)

// deliveryPages are the log of a webhook and one delivery.
type deliveryPages struct {
	*Dashboard
	store ledgerStore
}

// logView is the log of a webhook: its attempts, newest first.
type logView struct {
	Hook          models.Webhook
	Attempts      []models.Attempt
	Types         []string // offered for the filter
	Event, Result string
	Span          spanFilter
	Watch         watch
	Next, First   string
}

// filtered tells whether anything is left out.
func (v logView) filtered() bool { return v.Event != "" || v.Result != "" || v.Span.given() }

func (p *deliveryPages) log(c *gin.Context) error {
	hook, err := p.hookOf(c, p.store)
	if err != nil {
		return err
	}
	given := readFilters(c)
	span, result := given.span(p.Now()), given.oneOf("result", resultDelivered, resultFailed)
	if err := given.done(); err != nil {
		return err
	}
	view := logView{Hook: hook, Event: c.Query("event"), Result: result, Span: span, Watch: watching(c, span)}
	filter := models.HistoryFilter{
		Tenant: hook.Tenant, WebhookID: hook.ID, EventType: view.Event, Since: span.since, Until: span.until,
		Limit: attemptsShown, Cursor: c.Query("cursor"),
	}
	if view.Result != "" {
		filter.Success = new(view.Result == resultDelivered)
	}
	found, err := p.store.History(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	view.Attempts = found.Items
	view.Next, view.First = pagePaths(c, found.NextCursor)
	view.Types = p.typesOf(&hook)
	return p.render(c, http.StatusOK, webhookPage(&hook, "Delivery log", attemptLog(view)))
}

// hookOf reads the webhook of the path.
func (d *Dashboard) hookOf(c *gin.Context, store webhookStore) (models.Webhook, error) {
	id, err := pathID(c, "webhook")
	if err != nil {
		return models.Webhook{}, err
	}
	return store.Webhook(c.Request.Context(), viewerOf(c).Tenant, id)
}

// typesOf lists the event types that a webhook may have got.
func (d *Dashboard) typesOf(hook *models.Webhook) []string {
	if !slices.Contains(hook.Events, anyEvent) {
		return hook.Events
	}
	profile, err := d.Providers.Profile(hook.Provider)
	if err != nil { // taken away since
		return nil
	}
	return profile.EventNames()
}

// deliveryView is one delivery with one of its attempts in full.
type deliveryView struct {
	Delivery models.Delivery
	Hook     models.Webhook
	Attempts []models.Attempt
	Shown    *models.Attempt // nil when there was none yet
	signed   []string        // canonical names of the headers that prove who sent it
	Here     string
	letGo    bool  // it was claimed, and no worker has it in hand any more
	asked    int64 // when a person asked for it to be sent, in Unix milliseconds; 0 = not lately
}

// signature tells whether a header is part of the proof of who sent the request.
func (v deliveryView) signature(name string) bool {
	return slices.Contains(v.signed, textproto.CanonicalMIMEHeaderKey(name))
}

// canRetry tells whether a person can have the delivery sent.
func (v deliveryView) canRetry() bool {
	return v.Hook.Status == models.StatusActive && (v.Delivery.State != models.StateSending || v.letGo)
}

// stateText says what the state means.
func (v deliveryView) stateText() string {
	if v.letGo {
		return "A worker was about to send it, or did, and has not been heard of since."
	}
	if v.Delivery.State.Settled() {
		switch v.Delivery.Reason {
		case models.ReasonResendSkipped:
			return "It was to be sent again, but its webhook was not active then. It is what it was before."
		case models.ReasonResendCancelled:
			return "Sending it again was cancelled. It is what it was before."
		}
	}
	return stateText(v.Delivery.State)
}

// letGo tells whether a delivery stands claimed that no worker has in hand. If
// its workflow goes on, that will find out; whether it does, the API asks when a
// person wants it sent.
func letGo(d models.Delivery, now time.Time) bool {
	return d.State == models.StateSending && (d.HeldUntil == nil || !now.Before(*d.HeldUntil))
}

func (p *deliveryPages) show(c *gin.Context) error {
	id, err := pathID(c, "delivery")
	if err != nil {
		return err
	}
	tenant := viewerOf(c).Tenant
	view := deliveryView{Here: c.Request.URL.RequestURI()}
	view.asked, _ = strconv.ParseInt(c.Query("asked"), 10, 64) // none is 0
	if view.Delivery, view.Attempts, err = p.store.Delivery(c.Request.Context(), tenant, id); err != nil {
		return err
	}
	if view.Hook, err = p.store.Webhook(c.Request.Context(), tenant, view.Delivery.WebhookID); err != nil {
		return err
	}
	view.letGo = letGo(view.Delivery, p.Now())
	view.Shown = attemptOf(view.Attempts, c.Query("attempt"))
	if view.Shown != nil && view.Shown.Omitted {
		if _, *view.Shown, err = p.store.DeliveryAttempt(c.Request.Context(), tenant, id, view.Shown.Number); err != nil {
			return err
		}
	}
	if profile, err := p.Providers.Profile(view.Hook.Provider); err == nil {
		if signer, known := profile.Signer(view.Hook.Version); known {
			for _, name := range signer.Headers() {
				view.signed = append(view.signed, textproto.CanonicalMIMEHeaderKey(name))
			}
		}
	}
	trail := []crumb{{"Webhooks", "/webhooks"}, {view.Hook.Name, hookPath(&view.Hook, "")}, {"Delivery log", hookPath(&view.Hook, "/attempts")}}
	return p.render(c, http.StatusOK, page{Title: view.Delivery.EventType, Nav: "/webhooks", Trail: trail, Body: deliveryDetail(view)})
}

// attemptOf returns the attempt of a number; without one, the last.
func attemptOf(attempts []models.Attempt, number string) *models.Attempt {
	if len(attempts) == 0 {
		return nil
	}
	for i := range attempts {
		if strconv.Itoa(attempts[i].Number) == number {
			return &attempts[i]
		}
	}
	return &attempts[len(attempts)-1]
}

func (p *deliveryPages) retry(c *gin.Context) error {
	id, err := pathID(c, "delivery")
	if err != nil {
		return err
	}
	err = p.ask(c, http.MethodPost, "/api/deliveries/"+id+"/retry", nil, nil)
	asked := strconv.FormatInt(p.Now().UnixMilli(), 10)
	return p.answered(c, deliveryPath(id)+"?asked="+asked, err, "It is being sent.")
}

// live tells whether the page follows the delivery: it has not settled, or a
// person has just asked for it and the ledger does not know yet.
func (v deliveryView) live() bool {
	return !v.Delivery.State.Settled() || v.asked > v.Delivery.UpdatedAt.UnixMilli()
}

func deliveryPath(id string) string { return "/deliveries/" + id }

// attemptPath is where an attempt is shown in full.
func attemptPath(a models.Attempt) string {
	return deliveryPath(a.DeliveryID) + "?attempt=" + strconv.Itoa(a.Number)
}

// stateTone is the colour of a delivery's state.
func stateTone(state models.State) string {
	switch state {
	case models.StateDelivered:
		return "good"
	case models.StateFailed, models.StateUnknown:
		return "bad"
	case models.StateRetrying:
		return "warn"
	case models.StatePending, models.StateSending, models.StateSkipped, models.StateSuppressed, models.StateCancelled:
	}
	return "quiet"
}

// stateText says what a state means, where the word alone does not.
func stateText(state models.State) string {
	switch state {
	case models.StateSkipped:
		return "The webhook was not active when its turn came."
	case models.StateSuppressed:
		return "The provider's rules say that this event is not sent."
	case models.StateUnknown:
		return "A worker died in the middle of a request that may be made at most once."
	case models.StateCancelled:
		return "A person stopped it."
	case models.StatePending:
		return "It is about to be sent."
	case models.StateSending:
		return "It is being sent right now."
	case models.StateRetrying, models.StateDelivered, models.StateFailed:
	}
	return ""
}

// glimpseRunes is how much of an answer a row of the log shows.
const glimpseRunes = 80

// glimpse is the beginning of what came back, or why nothing did.
func glimpse(a models.Attempt) string {
	if a.StatusCode == nil {
		return shownBytes([]byte(a.Detail))
	}
	text := []rune(strings.Join(strings.Fields(shownBytes(a.ResponseBody[:min(len(a.ResponseBody), 4*glimpseRunes)])), " "))
	if len(text) > glimpseRunes {
		return string(text[:glimpseRunes]) + "…"
	}
	return string(text)
}

// statusWords names a status; "" for one that has no name.
func statusWords(code int) string { return http.StatusText(code) }
