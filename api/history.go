package api

import (
	"context"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// historyStore reads attempts, newest first. Another tenant's webhook is
// errs.NotFound.
type historyStore interface {
	History(ctx context.Context, filter models.HistoryFilter) (models.Page[models.Attempt], error)
}

// history shows a webhook's attempts.
type history struct {
	store historyStore
}

// attemptBody is one attempt in the history. DeliveredAt is when it was made,
// whatever came of it; StatusCode is null when no answer came.
type attemptBody struct {
	ID                string    `json:"id"`
	Event             string    `json:"event"`
	EventID           string    `json:"eventId"`
	DeliveryID        string    `json:"deliveryId"`
	Attempt           int       `json:"attempt"`
	StatusCode        *int      `json:"statusCode"`
	Success           bool      `json:"success"`
	Reason            *string   `json:"reason"`
	DeliveredAt       timestamp `json:"deliveredAt"`
	DurationMS        int64     `json:"durationMs"`
	ResponseBody      string    `json:"responseBody"`
	ResponseTruncated bool      `json:"responseTruncated"`
	Test              bool      `json:"test"`
}

func showAttempt(a models.Attempt) attemptBody {
	return attemptBody{
		ID: a.ID, Event: a.EventType, EventID: a.EventID, DeliveryID: a.DeliveryID, Attempt: a.Number,
		StatusCode: a.StatusCode, Success: a.Success, Reason: optionalText(a.Reason),
		DeliveredAt: timestamp(a.StartedAt), DurationMS: a.DurationMS,
		ResponseBody: bodyText(a.ResponseBody), ResponseTruncated: a.ResponseTruncated, Test: a.Test,
	}
}

func (h *history) list(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	since, until := q.span()
	filter := models.HistoryFilter{
		Tenant: tenantOf(c), WebhookID: id, EventType: q.text("event"), Success: q.flag("success"),
		Since: since, Until: until, Limit: q.limit(defaultLimit), Cursor: q.cursor(),
	}
	if err := q.done(); err != nil {
		return err
	}
	page, err := h.store.History(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	list := make([]attemptBody, len(page.Items))
	for i, attempt := range page.Items {
		list[i] = showAttempt(attempt)
	}
	return respondPage(c, paginationOf(filter.Limit, page.NextCursor), list)
}
