package api

import (
	"context"
	"net/http"
	"time"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// statsStore sums up deliveries and attempts by hour or day. Another tenant's
// webhook is errs.NotFound; a span or step that is none is errs.Invalid with its
// field.
type statsStore interface {
	Stats(ctx context.Context, filter models.StatsFilter) ([]models.StatsBucket, error)
}

// stats shows how deliveries went, over time.
type stats struct {
	store statsStore
}

// statsBody is one hour or one day. The quantiles are null where nothing was
// sent.
type statsBody struct {
	At               timestamp `json:"at"`
	Deliveries       int64     `json:"deliveries"`
	DeliveriesFailed int64     `json:"deliveriesFailed"`
	Attempts         int64     `json:"attempts"`
	Delivered        int64     `json:"delivered"`
	Failed           int64     `json:"failed"`
	P50MS            *int64    `json:"p50Ms"`
	P95MS            *int64    `json:"p95Ms"`
	P99MS            *int64    `json:"p99Ms"`
}

// ofWebhook answers for one webhook.
func (h *stats) ofWebhook(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	return h.answer(c, id)
}

// ofTenant answers for all webhooks of the tenant together.
func (h *stats) ofTenant(c *gin.Context) error { return h.answer(c, "") }

func (h *stats) answer(c *gin.Context, webhookID string) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	filter := models.StatsFilter{Tenant: tenantOf(c), WebhookID: webhookID, Step: q.oneOf("step", models.StatsSteps()...)}
	since, until := q.span()
	if since != nil {
		filter.Since = *since
	}
	if until != nil {
		filter.Until = *until
	}
	if err := q.done(); err != nil {
		return err
	}
	buckets, err := h.store.Stats(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	list := make([]statsBody, len(buckets))
	for i, b := range buckets {
		list[i] = statsBody{
			At: timestamp(b.At), Deliveries: b.Deliveries, DeliveriesFailed: b.DeliveriesFailed,
			Attempts: b.Attempts, Delivered: b.Delivered, Failed: b.Failed,
			P50MS: quantileMS(b.Latency, 0.5), P95MS: quantileMS(b.Latency, 0.95), P99MS: quantileMS(b.Latency, 0.99),
		}
	}
	return respond(c, http.StatusOK, list)
}

// quantileMS returns a quantile in whole milliseconds; nil when nothing was
// measured.
func quantileMS(counts []int64, q float64) *int64 {
	estimate := models.Quantile(counts, q)
	if estimate == 0 {
		return nil
	}
	return new(estimate.Round(time.Millisecond).Milliseconds())
}
