package api

import (
	"context"
	"net/http"
	"time"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// tenantStore is what this resource asks of the ledger. A tenant of which
// nothing is stored is an active one with the default limits.
type tenantStore interface {
	doorStore
	PutTenant(ctx context.Context, tenant *models.Tenant) error
}

// tenants lets the platform's operators switch tenants off and on and set their
// limits.
type tenants struct {
	store tenantStore
	door  *door
}

// Bounds of the limits. Every webhook of a tenant is looked at for each of its
// events; and a count of events is an integer of the database.
const (
	maxWebhooksLimit        = 100_000
	maxEventsPerMinuteLimit = 100_000_000
	maxRetentionDays        = 3650
)

// tenantBody is a tenant in an answer. One that was never set has no times.
type tenantBody struct {
	ID     string     `json:"id"`
	Status string     `json:"status"`
	Limits limitsBody `json:"limits"`
	// RetentionDays is null for the installation's; 0 keeps everything.
	RetentionDays *int       `json:"retentionDays"`
	CreatedAt     *timestamp `json:"createdAt"`
	UpdatedAt     *timestamp `json:"updatedAt"`
}

// limitsBody is what a tenant may have and do; 0 is no limit.
type limitsBody struct {
	Webhooks        int `json:"webhooks"`
	EventsPerMinute int `json:"eventsPerMinute"`
}

func showTenant(t models.Tenant) tenantBody {
	return tenantBody{
		ID: t.ID, Status: t.Status,
		Limits:        limitsBody{Webhooks: t.Limits.Webhooks, EventsPerMinute: t.Limits.EventsPerMinute},
		RetentionDays: t.RetentionDays,
		CreatedAt:     timeOrNull(t.CreatedAt), UpdatedAt: timeOrNull(t.UpdatedAt),
	}
}

func timeOrNull(at time.Time) *timestamp { return optionalTime(&at) }

func (h *tenants) get(c *gin.Context) error {
	id, err := pathTenant(c)
	if err != nil {
		return err
	}
	found, err := h.store.Tenant(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, showTenant(found))
}

// put sets status and limits, all of them: what is not said cannot be meant. A
// retention that is not said is the installation's.
func (h *tenants) put(c *gin.Context) error {
	id, err := pathTenant(c)
	if err != nil {
		return err
	}
	body, err := readBody(c, bodyRule{maxBytes: maxResourceBytes})
	if err != nil {
		return err
	}
	set := models.Tenant{ID: id}
	readTenant(body, &set)
	if err := body.done(); err != nil {
		return err
	}
	if err := h.store.PutTenant(c.Request.Context(), &set); err != nil {
		return err
	}
	h.door.learn(set)
	return respond(c, http.StatusOK, showTenant(set))
}

func readTenant(body *object, t *models.Tenant) {
	body.require("status", "limits")
	body.text("status", maxNameChars, &t.Status)
	if body.has("status") && t.Status != models.TenantActive && t.Status != models.TenantInactive {
		body.fault("status", "must be one of active, inactive")
	}
	if body.raw("retentionDays") != nil {
		days := 0
		body.whole("retentionDays", &days)
		if days < 0 || days > maxRetentionDays {
			body.fault("retentionDays", "must be between 0 and %d; 0 keeps everything", maxRetentionDays)
		}
		t.RetentionDays = &days
	}
	limits := body.child("limits")
	if limits == nil {
		return
	}
	limits.require("webhooks", "eventsPerMinute")
	readLimit(limits, "webhooks", maxWebhooksLimit, &t.Limits.Webhooks)
	readLimit(limits, "eventsPerMinute", maxEventsPerMinuteLimit, &t.Limits.EventsPerMinute)
	limits.close()
}

func readLimit(limits *object, name string, most int, into *int) {
	limits.whole(name, into)
	if *into < 0 || *into > most {
		limits.fault(name, "must be between 0 and %d; 0 is no limit", most)
	}
}

// pathTenant returns the tenant of the path. Case matters in it, and what could
// be no tenant's name does not exist.
func pathTenant(c *gin.Context) (string, error) {
	id := c.Param("id")
	if !tenantName.MatchString(id) {
		return "", notFound("tenant")
	}
	return id, nil
}
