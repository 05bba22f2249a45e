package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"

	"github.com/gin-gonic/gin"
)

// anyEvent in a webhook's events stands for every type.
const anyEvent = "*"

// pingType is the sample for a webhook that wants every event of a provider
// which takes any name.
const pingType = "test.ping"

// testStore finds the webhook to test.
type testStore interface {
	Webhook(ctx context.Context, tenant, id string) (models.Webhook, error)
}

// testStarter starts one workflow for a webhook's samples and returns its id.
type testStarter interface {
	DeliverTest(ctx context.Context, events []webhook.Event) (string, error)
}

// tests sends samples to a webhook.
type tests struct {
	store    testStore
	starter  testStarter
	door     *door
	profiles profiles
	now      func() time.Time
}

// testBody lists the deliveries under way.
type testBody struct {
	Deliveries []testDelivery `json:"deliveries"`
}

type testDelivery struct {
	ID      string `json:"id"`
	EventID string `json:"eventId"`
	Event   string `json:"event"`
}

// send delivers one sample of each subscribed event type, or of the one named.
// Each counts as an event against the tenant's limit.
func (h *tests) send(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	body, err := readBody(c, bodyRule{maxBytes: maxResourceBytes, optional: true})
	if err != nil {
		return err
	}
	var only string
	body.text("event", maxNameChars, &only)
	if err := body.done(); err != nil {
		return err
	}
	ctx := c.Request.Context()
	target, err := h.store.Webhook(ctx, tenantOf(c), id)
	if err != nil {
		return err
	}
	if err := mustReceive(&target, true); err != nil {
		return err
	}
	samples, err := h.samples(&target, only)
	if err != nil {
		return err
	}
	if err := h.door.admitAll(ctx, target.Tenant, len(samples)); err != nil {
		return err
	}
	if _, err := h.starter.DeliverTest(ctx, samples); err != nil {
		return err
	}
	answer := testBody{Deliveries: make([]testDelivery, len(samples))}
	for i, e := range samples {
		answer.Deliveries[i] = testDelivery{
			ID: models.DeliveryID(e.AcceptedAt, e.ID, target.ID), EventID: e.ID, Event: e.Type,
		}
	}
	return respond(c, http.StatusAccepted, answer)
}

// mustReceive refuses to send to a webhook that receives nothing, and says why
// it does not. Tests reach a paused and a broken webhook, which one wants to try
// before switching it on; a gone one gets nothing whatever.
func mustReceive(w *models.Webhook, test bool) error {
	if w.Status == models.StatusActive || test && w.Status != models.StatusGone {
		return nil
	}
	if w.StatusReason != "" {
		return errs.New(errs.Conflict, "The webhook is %s (%s), so nothing is sent to it", w.Status, w.StatusReason)
	}
	return errs.New(errs.Conflict, "The webhook is %s, so nothing is sent to it", w.Status)
}

// samples makes an event of each sample. They share one moment, which is part
// of the delivery ids.
func (h *tests) samples(target *models.Webhook, only string) ([]webhook.Event, error) {
	profile, err := h.profiles.named(target.Provider)
	if err != nil {
		return nil, err
	}
	types := sampleTypes(profile, target)
	if only != "" {
		if types = pick(profile, target, only); len(types) == 0 {
			return nil, errs.InvalidField("event", "is not an event that this webhook subscribes to")
		}
	}
	if len(types) == 0 {
		return nil, errs.New(errs.Conflict, "There is no sample of any event that this webhook subscribes to")
	}
	now := h.now().UTC().Truncate(time.Millisecond)
	events := make([]webhook.Event, len(types))
	for i, t := range types {
		events[i] = webhook.Event{
			ID: models.NewID(now), Tenant: target.Tenant, Provider: target.Provider, Type: t.Type, Source: sourceFor(target, t),
			Data: t.Sample, CustomData: t.SampleCustomData, Attributes: attributesFor(target, t),
			OccurredAt: now, AcceptedAt: now, WebhookID: target.ID, Test: true,
		}
	}
	return events, nil
}

// sourceFor returns the sample's source, or one that the webhook listens to when
// that is not among them.
func sourceFor(target *models.Webhook, t provider.EventType) webhook.Source {
	if len(target.Sources) == 0 || slices.Contains(target.Sources, string(t.SampleSource)) {
		return t.SampleSource
	}
	return webhook.Source(target.Sources[0])
}

// attributesFor returns the sample's attributes, changed to pass the webhook's
// filters: an event that does not would never reach it.
func attributesFor(target *models.Webhook, t provider.EventType) webhook.Attributes {
	attributes := t.SampleAttributes
	if only := target.Filters.CampaignID; only != "" {
		attributes.CampaignID = only
	}
	if only := target.Filters.ListID; only != "" && !slices.Contains(attributes.ListIDs, only) {
		attributes.ListIDs = []string{only}
	}
	if only := target.Filters.SchemaID; only != "" {
		attributes.SchemaID = only
	}
	return attributes
}

// sampleTypes lists the catalogue entries of all that the webhook subscribes to.
func sampleTypes(profile *provider.Profile, target *models.Webhook) []provider.EventType {
	if len(target.Events) != 1 || target.Events[0] != anyEvent {
		types := []provider.EventType{}
		for _, name := range target.Events {
			types = append(types, sample(profile, name, target.Version)...)
		}
		return types
	}
	if profile.AnyEvent() { // its catalogue is a list of examples
		return sample(profile, pingType, target.Version)
	}
	types, seen := []provider.EventType{}, map[string]bool{}
	for _, t := range profile.EventTypes() {
		if !seen[t.Type] {
			seen[t.Type] = true
			types = append(types, sample(profile, t.Type, target.Version)...)
		}
	}
	return types
}

// pick returns the entry of one type, if the webhook subscribes to it.
func pick(profile *provider.Profile, target *models.Webhook, name string) []provider.EventType {
	for _, subscribed := range target.Events {
		if subscribed == name || subscribed == anyEvent {
			return sample(profile, name, target.Version)
		}
	}
	return nil
}

func sample(profile *provider.Profile, name, version string) []provider.EventType {
	if entry, known := profile.Sample(name, version); known {
		return []provider.EventType{entry}
	}
	return nil
}
