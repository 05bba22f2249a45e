package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/workflows"

	"github.com/gin-gonic/gin"
)

// deliveryStore is what deliveries need of the ledger. All find only the
// tenant's own: anything else is errs.NotFound.
type deliveryStore interface {
	// Lose records unknown what a workflow that has ended left claimed;
	// errs.Conflict when a worker is still at it.
	Lose(ctx context.Context, delivery models.Delivery, reason string) (models.Delivery, error)
	Delivery(ctx context.Context, tenant, id string) (models.Delivery, []models.Attempt, error)
	DeliveryAttempt(ctx context.Context, tenant, id string, number int) (models.Delivery, models.Attempt, error)
	Webhook(ctx context.Context, tenant, id string) (models.Webhook, error)
	// WebhookDeliveries lists them, the newest first; a page may be short.
	WebhookDeliveries(ctx context.Context, filter models.DeliveryFilter) (models.Page[models.Delivery], error)
}

// deliveryStarter moves a delivery along at a person's wish. RetryNow returns
// errs.Conflict when the workflow has ended.
type deliveryStarter interface {
	RetryNow(ctx context.Context, workflowID, deliveryID string) error
	Resend(ctx context.Context, tenant, deliveryID string, settledAt time.Time) error
	// Ended reports whether a workflow goes on with nothing any more.
	Ended(ctx context.Context, workflowID string) (bool, error)
	// TakeOver goes on with a delivery whose workflow has ended without it.
	TakeOver(ctx context.Context, tenant, deliveryID, from string, changedAt time.Time) error
}

// deliveries shows deliveries and sends them again.
type deliveries struct {
	store   deliveryStore
	starter deliveryStarter
	door    *door
	asked   *asked
}

// deliveryBody is a delivery in a list.
type deliveryBody struct {
	ID            string       `json:"id"`
	EventID       string       `json:"eventId"`
	Event         string       `json:"event"`
	WebhookID     string       `json:"webhookId"`
	WebhookName   string       `json:"webhookName"`
	Host          string       `json:"host"`
	State         models.State `json:"state"`
	AttemptCount  int          `json:"attemptCount"`
	NextAttemptAt *timestamp   `json:"nextAttemptAt"`
	StatusCode    *int         `json:"statusCode"`
	Reason        *string      `json:"reason"`
	Test          bool         `json:"test"`
	CreatedAt     timestamp    `json:"createdAt"`
	UpdatedAt     timestamp    `json:"updatedAt"`
	SettledAt     *timestamp   `json:"settledAt"`
}

// deliveryDetailBody is one delivery with its attempts, oldest first.
type deliveryDetailBody struct {
	deliveryBody
	Attempts []attemptDetailBody `json:"attempts"`
}

func showDelivery(d models.Delivery) deliveryBody {
	return deliveryBody{
		ID: d.ID, EventID: d.EventID, Event: d.EventType, WebhookID: d.WebhookID,
		WebhookName: d.WebhookName, Host: d.Host, State: d.State, AttemptCount: d.Attempts,
		NextAttemptAt: optionalTime(d.NextAttemptAt), StatusCode: d.LastStatusCode, Reason: optionalText(d.Reason),
		Test: d.Test, CreatedAt: timestamp(d.CreatedAt), UpdatedAt: timestamp(d.UpdatedAt),
		SettledAt: optionalTime(d.SettledAt),
	}
}

func showDeliveries(items []models.Delivery) []deliveryBody {
	list := make([]deliveryBody, len(items))
	for i, delivery := range items {
		list[i] = showDelivery(delivery)
	}
	return list
}

// get answers with the delivery and its attempts, or with the one asked for.
func (h *deliveries) get(c *gin.Context) error {
	id, err := pathID(c, "delivery")
	if err != nil {
		return err
	}
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	number := q.number("attempt")
	if err := q.done(); err != nil {
		return err
	}
	found, attempts, err := h.read(c.Request.Context(), tenantOf(c), id, number)
	if err != nil {
		return err
	}
	shown := deliveryDetailBody{deliveryBody: showDelivery(found), Attempts: make([]attemptDetailBody, len(attempts))}
	for i, attempt := range attempts {
		shown.Attempts[i] = showAttemptDetail(attempt)
	}
	return respond(c, http.StatusOK, shown)
}

// read returns a delivery with all of its attempts, or with that of the number.
func (h *deliveries) read(ctx context.Context, tenant, id string, number int) (models.Delivery, []models.Attempt, error) {
	if number == 0 {
		return h.store.Delivery(ctx, tenant, id)
	}
	found, attempt, err := h.store.DeliveryAttempt(ctx, tenant, id, number)
	return found, []models.Attempt{attempt}, err
}

// retryBody says that a retry is under way.
type retryBody struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// retryNow asks the delivery's workflow to try at once. A workflow that has ended
// has settled the delivery just now, or will never do so: it was terminated, say.
// Then another goes on.
func (h *deliveries) retryNow(ctx context.Context, d *models.Delivery) error {
	err := h.starter.RetryNow(ctx, d.WorkflowID, d.ID)
	if !errs.Is(err, errs.Conflict) || errors.Is(err, workflows.ErrTakesNoMore) {
		return err
	}
	now, _, readErr := h.store.Delivery(ctx, d.Tenant, d.ID)
	switch {
	case readErr != nil:
		return readErr
	case now.SettledAt != nil || now.WorkflowID != d.WorkflowID:
		return err
	}
	return h.starter.TakeOver(ctx, d.Tenant, d.ID, d.WorkflowID, now.UpdatedAt)
}

// resendLost sends a delivery again that was claimed to be sent at most once and
// whose workflow has ended since. It may have been sent: the ledger says so from
// now on, and that it is sent again even so is what a person has asked for.
func (h *deliveries) resendLost(ctx context.Context, d *models.Delivery) error {
	ended, err := h.starter.Ended(ctx, d.WorkflowID)
	if err != nil {
		return err
	}
	if !ended {
		return errs.New(errs.Conflict, "The delivery is being sent right now")
	}
	lost, err := h.store.Lose(ctx, *d, string(webhook.ReasonWorkerLost))
	if err != nil {
		return err
	}
	return h.starter.Resend(ctx, d.Tenant, d.ID, *lost.SettledAt)
}

// retry makes a waiting delivery try at once, and sends a settled or lost one
// again. It counts as one event against the tenant's limit, whatever becomes of
// it.
func (h *deliveries) retry(c *gin.Context) error {
	if _, err := h.door.admit(c.Request.Context(), tenantOf(c), 1); err != nil {
		return err
	}
	id, err := pathID(c, "delivery")
	if err != nil {
		return err
	}
	body, err := readBody(c, bodyRule{maxBytes: maxResourceBytes, optional: true})
	if err != nil {
		return err
	}
	if err := body.done(); err != nil {
		return err
	}
	ctx, tenant := c.Request.Context(), tenantOf(c)
	delivery, _, err := h.store.Delivery(ctx, tenant, id)
	if err != nil {
		return err
	}
	target, err := h.store.Webhook(ctx, tenant, delivery.WebhookID)
	if err != nil {
		return err
	}
	if err := mustReceive(&target, delivery.Test); err != nil {
		return err
	}
	switch {
	case delivery.State == models.StateSending:
		err = h.resendLost(ctx, &delivery)
	case delivery.SettledAt != nil:
		err = h.starter.Resend(ctx, tenant, id, *delivery.SettledAt)
	default:
		err = h.asked.once(ctx, &delivery, h.retryNow)
	}
	if err != nil {
		return err
	}
	return respond(c, http.StatusAccepted, retryBody{ID: id, Status: "accepted"})
}
