package api

import (
	"context"
	"maps"
	"net/http"
	"time"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/payload"
	"posthaste/workflows"

	"github.com/gin-gonic/gin"
)

// eventStarter makes events durable, one or many. It returns errs.Conflict when
// the id stands for an event with another BodyHash, and errs.Unavailable when
// Temporal cannot take it now.
type eventStarter interface {
	DeliverEvent(ctx context.Context, event webhook.Event) (workflows.Accepted, error)
	DeliverEvents(ctx context.Context, events []webhook.Event) []workflows.Started
}

// Bounds of an event's own members; data has the body's bound.
const (
	maxNameChars      = 128
	maxAttributeChars = 256
	maxListIDs        = 1000
)

const statusAccepted = "accepted"

// acceptedBody says under which id an event was taken.
type acceptedBody struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Duplicate bool   `json:"duplicate"`
}

// create takes one event: 202 when it is new, 200 when its Idempotency-Key was
// seen before with the same content. It counts against the tenant's limit before
// it is read, whatever becomes of it.
func (h *events) create(c *gin.Context) error {
	if _, err := h.door.admit(c.Request.Context(), tenantOf(c), 1); err != nil {
		return err
	}
	body, err := readBody(c, bodyRule{maxBytes: h.maxBytes, around: 1})
	if err != nil {
		return err
	}
	key, err := idempotencyKey(c.Request.Header)
	if err != nil {
		return err
	}
	body.refuse("belongs in the header "+headerIdempotencyKey, memberIdempotencyKey)
	event, err := h.read(body, tenantOf(c), key)
	if err != nil {
		return err
	}
	accepted, err := h.accept(c.Request.Context(), event)
	if err != nil {
		return err
	}
	c.Header("Location", "/api/events/"+accepted.ID)
	if accepted.Duplicate {
		return respond(c, http.StatusOK, accepted)
	}
	return respond(c, http.StatusAccepted, accepted)
}

// accept hands the event to Temporal, unless it is there already.
func (h *events) accept(ctx context.Context, event webhook.Event) (acceptedBody, error) {
	earlier, err := h.earlier(ctx, []webhook.Event{event})
	if err != nil {
		return acceptedBody{}, err
	}
	if before, ok := earlier[event.ID]; ok {
		return repeated(event, before.BodyHash)
	}
	started, err := h.starter.DeliverEvent(ctx, event)
	return h.accepted(event, started, err)
}

// earlier returns those of the events that were accepted before. Events with
// keys are looked up first: the ledger remembers longer than Temporal does.
func (h *events) earlier(ctx context.Context, events []webhook.Event) (map[string]models.Event, error) {
	var ids []string
	for i := range events {
		if events[i].Keyed() {
			ids = append(ids, events[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	return h.known.events(ctx, events[0].Tenant, ids)
}

// repeated answers for an event whose key was used before, for what has that hash.
func repeated(event webhook.Event, before string) (acceptedBody, error) {
	if before != event.BodyHash {
		return acceptedBody{}, workflows.KeyReused()
	}
	return acceptedBody{ID: event.ID, Status: statusAccepted, Duplicate: true}, nil
}

// accepted answers for an event that Temporal was given.
func (h *events) accepted(event webhook.Event, started workflows.Accepted, err error) (acceptedBody, error) {
	if err != nil {
		return acceptedBody{}, err
	}
	if !started.Duplicate {
		h.meter.Accepted(event.Provider)
	}
	return acceptedBody{ID: event.ID, Status: statusAccepted, Duplicate: started.Duplicate}, nil
}

// read makes an event of a request's body, or says everything that is wrong
// with it.
func (h *events) read(body *object, tenant, key string) (webhook.Event, error) {
	now := h.now().UTC().Truncate(time.Millisecond)
	event := webhook.Event{Tenant: tenant, OccurredAt: now, AcceptedAt: now}
	var occurredAt string
	body.require("type", "data")
	body.text("type", maxNameChars, &event.Type)
	body.text("provider", maxNameChars, &event.Provider)
	body.text("source", maxNameChars, (*string)(&event.Source))
	body.text("occurredAt", maxNameChars, &occurredAt)
	event.Data = canonical(body, "data")
	event.CustomData = canonical(body, "customData")
	event.Attributes = readAttributes(body)
	if occurredAt != "" {
		event.OccurredAt = readTime(body, "occurredAt", occurredAt)
	}
	profile, err := h.profiles.chosen(event.Provider)
	if err != nil {
		takeFaults(body, "provider", err)
		return webhook.Event{}, body.done()
	}
	if profile.Internal() {
		body.fault("provider", "its events are made by Posthaste alone")
		return webhook.Event{}, body.done()
	}
	event.Provider = profile.Name()
	given := event // the content as the caller meant it, before the profile completes it
	judge(body, profile.CheckEvent(&event))
	if err := body.done(); err != nil {
		return webhook.Event{}, err
	}
	return identified(event, given, key, occurredAt)
}

// canonical reads a member that travels as it is: an object in canonical form.
func canonical(body *object, name string) webhook.JSON {
	raw := body.raw(name)
	if raw == nil {
		return nil
	}
	text, err := payload.CanonicalObject(name, raw)
	if err != nil {
		takeFaults(body, name, err)
		return nil
	}
	return text
}

// takeFaults adds the faults of a coded error about a member to those of the
// body.
func takeFaults(body *object, name string, err error) {
	coded := coerce(err)
	if len(coded.Fields) == 0 {
		body.fault(name, "%s", coded.Message)
	}
	maps.Copy(body.faults, coded.Fields)
}

func readAttributes(body *object) webhook.Attributes {
	var a webhook.Attributes
	members := body.child("attributes")
	if members == nil {
		return a
	}
	members.text("campaignId", maxAttributeChars, &a.CampaignID)
	members.texts("listIds", maxListIDs, maxAttributeChars, &a.ListIDs)
	members.text("schemaId", maxAttributeChars, &a.SchemaID)
	members.flag("bulk", &a.Bulk)
	members.text("campaignTrigger", maxAttributeChars, &a.CampaignTrigger)
	members.text("initiatedBy", maxAttributeChars, &a.InitiatedBy)
	members.close()
	return a
}

// readTime reads a time to the millisecond. Its year has four digits, in UTC
// too, and lies after 1969: receivers' date types hold no more.
func readTime(body *object, name, text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	at = at.UTC().Truncate(time.Millisecond)
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		body.fault(name, "%s", wantTime)
	}
	return at
}
