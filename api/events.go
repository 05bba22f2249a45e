package api

import (
	"context"
	"net/url"
	"time"

	"posthaste/models"
	"posthaste/webhook"

	"github.com/gin-gonic/gin"
)

// eventStore is what events read of the ledger. Both find only the tenant's
// own: anything else is errs.NotFound.
type eventStore interface {
	Event(ctx context.Context, tenant, id string) (models.Event, error)
	Events(ctx context.Context, filter models.EventFilter) (models.Page[models.Event], error)
	DeliveriesOf(ctx context.Context, tenant, eventID string, limit int, cursor string) (models.Page[models.Delivery], error)
}

// events takes events in and shows what became of them.
type events struct {
	store    eventStore
	known    *recall
	starter  eventStarter
	door     *door
	profiles profiles
	meter    Meter
	links    temporalLinks
	maxBytes int64
	now      func() time.Time
}

// eventBody is an event in a list.
type eventBody struct {
	ID         string    `json:"id"`
	Provider   string    `json:"provider"`
	Type       string    `json:"type"`
	Source     string    `json:"source"`
	OccurredAt timestamp `json:"occurredAt"`
	AcceptedAt timestamp `json:"acceptedAt"`
	Test       bool      `json:"test"`
}

// eventDetailBody is one event with all it holds and a page of its deliveries.
type eventDetailBody struct {
	eventBody
	Data        webhook.JSON       `json:"data"`
	CustomData  webhook.JSON       `json:"customData"`
	Attributes  webhook.Attributes `json:"attributes"`
	WorkflowID  *string            `json:"workflowId"`
	TemporalURL *string            `json:"temporalUrl"` // for operators (workflowFor)
	Deliveries  []deliveryBody     `json:"deliveries"`
}

func showEvent(e models.Event) eventBody {
	return eventBody{
		ID: e.ID, Provider: e.Provider, Type: e.Type, Source: e.Source,
		OccurredAt: timestamp(e.OccurredAt), AcceptedAt: timestamp(e.AcceptedAt), Test: e.Test,
	}
}

func (h *events) list(c *gin.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	since, until := q.span()
	filter := models.EventFilter{
		Tenant: tenantOf(c), Provider: q.text("provider"), Type: q.text("type"),
		Since: since, Until: until, Limit: q.limit(defaultLimit), Cursor: q.cursor(),
	}
	if err := q.done(); err != nil {
		return err
	}
	page, err := h.store.Events(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	list := make([]eventBody, len(page.Items))
	for i, event := range page.Items {
		list[i] = showEvent(event)
	}
	return respondPage(c, paginationOf(filter.Limit, page.NextCursor), list)
}

// get answers with the event and a page of its deliveries; limit and cursor
// page through those.
func (h *events) get(c *gin.Context) error {
	id, err := pathID(c, "event")
	if err != nil {
		return err
	}
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	limit, cursor := q.limit(maxLimit), q.cursor()
	if err := q.done(); err != nil {
		return err
	}
	ctx, tenant := c.Request.Context(), tenantOf(c)
	event, err := h.store.Event(ctx, tenant, id)
	if err != nil {
		return err
	}
	page, err := h.store.DeliveriesOf(ctx, tenant, id, limit, cursor)
	if err != nil {
		return err
	}
	return respondPage(c, paginationOf(limit, page.NextCursor), eventDetailBody{
		eventBody:  showEvent(event),
		Data:       event.Data,
		CustomData: event.CustomData,
		Attributes: attributesOf(event),
		WorkflowID: optionalText(event.WorkflowID), TemporalURL: h.workflowFor(c, event.WorkflowID),
		Deliveries: showDeliveries(page.Items),
	})
}

// workflowFor is where an operator finds the workflow. For everybody else there
// is no link, as in the dashboard: the address is internal, and Temporal Web UI is
// no place of tenants.
func (h *events) workflowFor(c *gin.Context, workflowID string) *string {
	if !isOperator(c) {
		return nil
	}
	return h.links.workflow(workflowID)
}

// temporalLinks makes links into Temporal Web UI.
type temporalLinks struct {
	base      string // without a slash at the end; empty = no links
	namespace string
}

// workflow links to a workflow; nil when there is nothing to link to.
func (l temporalLinks) workflow(id string) *string {
	if l.base == "" || id == "" {
		return nil
	}
	link := l.base + "/namespaces/" + url.PathEscape(l.namespace) + "/workflows/" + url.PathEscape(id)
	return &link
}
