package dashboard

import (
	"context"
	"net/http"

	"posthaste/models"
)

// ledgerStore is what the pages of events, deliveries, replays and charts read.
// All find only the tenant's own: anything else is errs.NotFound.
type ledgerStore interface {
	webhookStore
	Delivery(ctx context.Context, tenant, id string) (models.Delivery, []models.Attempt, error)
	DeliveryAttempt(ctx context.Context, tenant, id string, number int) (models.Delivery, models.Attempt, error)
	Event(ctx context.Context, tenant, id string) (models.Event, error)
	Events(ctx context.Context, filter models.EventFilter) (models.Page[models.Event], error)
	DeliveriesOf(ctx context.Context, tenant, eventID string, limit int, cursor string) (models.Page[models.Delivery], error)
	WebhookDeliveries(ctx context.Context, filter models.DeliveryFilter) (models.Page[models.Delivery], error)
	CountDeliveries(ctx context.Context, filter models.DeliveryFilter) (count int, more bool, err error)
	Replay(ctx context.Context, tenant, id string) (models.Replay, error)
	Replays(ctx context.Context, filter models.ReplayFilter) (models.Page[models.Replay], error)
}

// ledgerRows are the pages that read the ledger: what was sent, what came in,
// and how it went.
func (d *Dashboard) ledgerRows() []Route {
	const get, post, signedIn = http.MethodGet, http.MethodPost, false
	overview := &overviewPages{d, d.Store}
	deliveries := &deliveryPages{d, d.Store}
	events := &eventPages{d, d.Store}
	replays := &replayPages{d, d.Store}
	catalogue := &cataloguePages{d}
	return []Route{
		{get, "/", signedIn, overview.show},
		{get, "/webhooks/:id/charts", signedIn, overview.webhook},

		{get, "/webhooks/:id/attempts", signedIn, deliveries.log},
		{get, "/webhooks/:id/deliveries", signedIn, deliveries.waiting},
		{get, "/deliveries/:id", signedIn, deliveries.show},
		{post, "/deliveries/:id/retry", signedIn, deliveries.retry},

		{get, "/webhooks/:id/replays", signedIn, replays.list},
		{post, "/webhooks/:id/replays", signedIn, replays.begin},
		{get, "/replays/:id", signedIn, replays.show},
		{post, "/replays/:id/cancel", signedIn, replays.cancel},

		{get, "/events", signedIn, events.list},
		{post, "/events", signedIn, events.send},
		{get, "/events/new", signedIn, events.newPage},
		{get, "/events/:id", signedIn, events.show},

		{get, "/catalogue", signedIn, catalogue.show},
	}
}
