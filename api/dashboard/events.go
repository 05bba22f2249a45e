package dashboard

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"posthaste/errs"
	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// How much the pages of events show at once.
const (
	eventsShown     = 50
	deliveriesShown = 50
)

// eventPages are the pages of events.
type eventPages struct {
	*Dashboard
	store ledgerStore
}

// eventsView is the list of events.
type eventsView struct {
	Rows           []models.Event
	Providers      []choice
	Types          []string // offered for the filter
	Type, Provider string
	Span           spanFilter
	Watch          watch
	Next, First    string
}

// filtered tells whether anything is left out.
func (v eventsView) filtered() bool { return v.Type != "" || v.Provider != "" || v.Span.given() }

// further is where the next page is. Where nothing was found so far, the empty
// state leads there.
func (v eventsView) further() string {
	if len(v.Rows) == 0 {
		return ""
	}
	return v.Next
}

func (p *eventPages) list(c *gin.Context) error {
	given := readFilters(c)
	span := given.span(p.Now())
	if err := given.done(); err != nil {
		return err
	}
	view := eventsView{
		Type: c.Query("type"), Provider: c.Query("provider"), Span: span, Watch: watching(c, span),
		Providers: p.webhooks.providerChoices(), Types: p.allTypes(),
	}
	found, err := p.store.Events(c.Request.Context(), models.EventFilter{
		Tenant: viewerOf(c).Tenant, Type: view.Type, Provider: view.Provider, Since: span.since, Until: span.until,
		Limit: eventsShown, Cursor: c.Query("cursor"),
	})
	if err != nil {
		return err
	}
	view.Rows = found.Items
	view.Next, view.First = pagePaths(c, found.NextCursor)
	return p.render(c, http.StatusOK, page{Title: "Events", Nav: "/events", Body: eventList(view)})
}

// allTypes lists the event types of the default provider, which the filter
// offers.
func (d *Dashboard) allTypes() []string {
	profile, err := d.Providers.Profile(d.DefaultProvider)
	if err != nil {
		return nil
	}
	return profile.EventNames()
}

// eventView is one event with what it holds and a page of its deliveries.
type eventView struct {
	models.Event
	DataText, CustomText, AttributesText string
	Deliveries                           []models.Delivery
	Workflow                             string // in Temporal Web UI; "" = no link (workflowFor)
	Internal                             bool   // nobody sends one like it
	Watch                                watch
	Next, First                          string
}

// waiting tells whether more is about to happen.
func waiting(list []models.Delivery) bool {
	for _, one := range list {
		if !one.State.Settled() {
			return true
		}
	}
	return false
}

func (p *eventPages) show(c *gin.Context) error {
	id, err := pathID(c, "event")
	if err != nil {
		return err
	}
	ctx, tenant := c.Request.Context(), viewerOf(c).Tenant
	found, err := p.store.Event(ctx, tenant, id)
	if errs.Is(err, errs.NotFound) && p.justSent(c) {
		// The workflow that writes it down was started a moment ago.
		return p.render(c, http.StatusOK, page{Title: "Event", Nav: "/events", Trail: eventTrail(), Body: eventOnItsWay(id, c.Request.URL.RequestURI())})
	}
	if err != nil {
		return err
	}
	deliveries, err := p.store.DeliveriesOf(ctx, tenant, id, deliveriesShown, c.Query("cursor"))
	if err != nil {
		return err
	}
	view := eventView{
		Event: found, Deliveries: deliveries.Items,
		DataText: pretty(found.Data), CustomText: pretty(found.CustomData), AttributesText: pretty(found.Attributes),
	}
	if profile, err := p.Providers.Profile(found.Provider); err == nil {
		view.Internal = profile.Internal()
	}
	view.Watch = watch{Here: c.Request.URL.RequestURI(), Live: p.justSent(c) && len(view.Deliveries) == 0 || waiting(view.Deliveries)}
	view.Workflow = p.workflowFor(viewerOf(c), found.WorkflowID)
	view.Next, view.First = pagePaths(c, deliveries.NextCursor)
	return p.render(c, http.StatusOK, page{Title: found.Type, Nav: "/events", Trail: eventTrail(), Body: eventDetail(view)})
}

func eventTrail() []crumb { return []crumb{{"Events", "/events"}} }

func eventPath(id string) string { return "/events/" + id }

// onItsWay is how long the page of an event that was sent waits for it to be
// written down. A workflow does that in a moment.
const onItsWay = time.Minute

// sentPath is the page of an event that was sent from here, and says when: the
// event's id may have no time, or one of the sender's.
func sentPath(id string, at time.Time) string {
	return pathWith(eventPath(id), url.Values{"sent": {strconv.FormatInt(at.Unix(), 10)}})
}

// justSent tells whether the event of the page may still be on its way.
func (p *eventPages) justSent(c *gin.Context) bool {
	at, err := strconv.ParseInt(c.Query("sent"), 10, 64)
	return err == nil && p.Now().Sub(time.Unix(at, 0)).Abs() <= onItsWay
}

// pretty writes JSON with one member a line; "" for none. What is no JSON comes
// back as it is.
func pretty(text []byte) string {
	if len(text) == 0 || string(text) == "{}" || string(text) == "null" {
		return ""
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return string(text)
	}
	return out.String()
}

// sendPath is where the form for an event is, filled in with a sample.
func sendPath(provider, eventType string) string {
	return pathWith("/events/new", url.Values{"provider": {provider}, "type": {eventType}})
}

// lastOutcome says how the last attempt of a delivery ended.
func lastOutcome(d models.Delivery) string {
	switch {
	case d.LastStatusCode != nil:
		return strconv.Itoa(*d.LastStatusCode)
	case d.Reason != "":
		return spoken(d.Reason)
	default:
		return "–"
	}
}
