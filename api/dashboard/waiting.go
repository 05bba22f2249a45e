package dashboard

import (
	"net/http"
	"time"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// waitingShown is how many deliveries a page of the list has.
const waitingShown = 50

// stateAll lets deliveries in every state through. Without a word, the list is
// of what waits.
const stateAll = "all"

// waitingView is the deliveries of a webhook, those too of which nothing was
// sent: the log knows only of attempts.
type waitingView struct {
	Hook        models.Webhook
	Rows        []models.Delivery
	State       string // what the list is narrowed to; "" = what waits
	Count       int    // how many wait
	More        bool   // there may be others
	Here        string
	Next, First string
	now         time.Time
}

// stateChoices lists what the page can be narrowed to.
func stateChoices() []choice {
	list := []choice{{"", "Waiting"}, {stateAll, "All"}}
	for _, state := range models.States() {
		list = append(list, choice{string(state), titled(string(state))})
	}
	return list
}

// statesOf returns the states that a choice stands for; nil for all.
func statesOf(chosen string) []models.State {
	switch chosen {
	case "":
		return models.WaitingStates()
	case stateAll:
		return nil
	}
	return []models.State{models.State(chosen)}
}

func (p *deliveryPages) waiting(c *gin.Context) error {
	hook, err := p.hookOf(c, p.store)
	if err != nil {
		return err
	}
	given := readFilters(c)
	view := waitingView{Hook: hook, State: given.oneOf("state", valuesOf(stateChoices())...), Here: c.Request.URL.RequestURI(), now: p.Now()}
	if err := given.done(); err != nil {
		return err
	}
	filter := models.DeliveryFilter{
		Tenant: hook.Tenant, WebhookID: hook.ID, States: statesOf(view.State), Limit: waitingShown, Cursor: c.Query("cursor"),
	}
	found, err := p.store.WebhookDeliveries(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	filter.States = models.WaitingStates()
	if view.Count, view.More, err = p.store.CountDeliveries(c.Request.Context(), filter); err != nil {
		return err
	}
	view.Rows = found.Items
	view.Next, view.First = pagePaths(c, found.NextCursor)
	return p.render(c, http.StatusOK, webhookPage(&hook, "Waiting", waitingList(view)))
}

// nothing tells whether the list is of what waits, and nothing does.
func (v waitingView) nothing() bool { return v.State == "" && v.Count == 0 && !v.More }

// countText says how many wait.
func (v waitingView) countText() string {
	switch {
	case v.Count == 0 && v.More:
		return "None of the newest 50,000 deliveries waits."
	case v.Count == 0:
		return "Nothing waits."
	case v.More:
		return grouped(int64(v.Count)) + " or more waiting"
	default:
		return grouped(int64(v.Count)) + " waiting"
	}
}

// further is where the next page is. Where nothing was found so far, the empty
// state leads there.
func (v waitingView) further() string {
	if len(v.Rows) == 0 {
		return ""
	}
	return v.Next
}

// one is a row as its own page would see it.
func (v waitingView) one(d models.Delivery) deliveryView {
	return deliveryView{Hook: v.Hook, Delivery: d, letGo: letGo(d, v.now)}
}

// nextText says when a delivery is tried next, where that is no moment.
func nextText(d models.Delivery) string {
	switch {
	case d.State.Settled():
		return "–"
	case d.State == models.StateSending:
		return "Being sent"
	default:
		return "As soon as possible"
	}
}

// reasonText says why the last attempt failed, or why there was none.
func reasonText(d models.Delivery) string {
	if d.Reason == "" {
		return "–"
	}
	return spoken(d.Reason)
}
