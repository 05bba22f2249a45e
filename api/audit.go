package api

import (
	"context"
	"encoding/json"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// auditStore reads what was done to a webhook, newest first, also when it is
// gone. Another tenant's webhook is errs.NotFound.
type auditStore interface {
	Audit(ctx context.Context, filter models.AuditFilter) (models.Page[models.AuditEntry], error)
}

// audits shows who changed a webhook.
type audits struct {
	store auditStore
}

// auditBody is one change of a webhook.
type auditBody struct {
	ID        string          `json:"id"`
	At        timestamp       `json:"at"`
	Actor     actorBody       `json:"actor"`
	Action    string          `json:"action"`
	Changes   json.RawMessage `json:"changes"`
	RequestID *string         `json:"requestId"` // null for the system
}

// actorBody is who changed it. Name is null for the system, and for a token
// without a subject.
type actorBody struct {
	Kind string  `json:"kind"`
	Name *string `json:"name"`
}

func (h *audits) list(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	filter := models.AuditFilter{Tenant: tenantOf(c), WebhookID: id, Limit: q.limit(defaultLimit), Cursor: q.cursor()}
	if err := q.done(); err != nil {
		return err
	}
	page, err := h.store.Audit(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	list := make([]auditBody, len(page.Items))
	for i, entry := range page.Items {
		list[i] = auditBody{
			ID: entry.ID, At: timestamp(entry.At), Action: entry.Action, Changes: entry.Changes,
			Actor:     actorBody{Kind: entry.Actor.Kind, Name: optionalText(entry.Actor.Name)},
			RequestID: optionalText(entry.Actor.RequestID),
		}
	}
	return respondPage(c, paginationOf(filter.Limit, page.NextCursor), list)
}
