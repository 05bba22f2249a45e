package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"

	"github.com/gin-gonic/gin"
)

// webhookStore is what this resource asks of the ledger. All find only the
// tenant's own: anything else is errs.NotFound. Creating or changing a webhook
// into the twin of another is errs.Conflict.
type webhookStore interface {
	CreateWebhook(ctx context.Context, by models.Actor, webhook *models.Webhook) error
	Webhook(ctx context.Context, tenant, id string) (models.Webhook, error)
	Webhooks(ctx context.Context, filter models.WebhookFilter) (models.Page[models.Webhook], error)
	// UpdateWebhook reads, changes and writes in one transaction; an error of
	// change leaves everything as it was and is returned.
	UpdateWebhook(ctx context.Context, by models.Actor, tenant, id string, change func(*models.Webhook) error) (models.Webhook, error)
	DeleteWebhook(ctx context.Context, by models.Actor, tenant, id string) error
}

// webhooks manages who gets which events.
type webhooks struct {
	store    webhookStore
	door     *door
	profiles profiles
	random   io.Reader
	now      func() time.Time
}

func (h *webhooks) list(c *gin.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	filter := models.WebhookFilter{
		Tenant: tenantOf(c), Provider: q.text("provider"), Limit: q.limit(defaultLimit), Cursor: q.cursor(),
		Status: q.oneOf("status", statusWords()...),
	}
	if err := q.done(); err != nil {
		return err
	}
	page, err := h.store.Webhooks(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	list, now := make([]webhookBody, len(page.Items)), h.now()
	for i := range page.Items {
		if list[i], err = h.profiles.showWebhook(&page.Items[i], now); err != nil {
			return err
		}
	}
	return respondPage(c, paginationOf(filter.Limit, page.NextCursor), list)
}

func (h *webhooks) get(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	found, err := h.store.Webhook(c.Request.Context(), tenantOf(c), id)
	if err != nil {
		return err
	}
	return h.answer(c, &found)
}

// answer answers 200 with a webhook.
func (h *webhooks) answer(c *gin.Context, w *models.Webhook) error {
	shown, err := h.profiles.showWebhook(w, h.now())
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, shown)
}

// create makes a webhook. Its answer is one of the two that show the secret.
func (h *webhooks) create(c *gin.Context) error {
	body, err := readBody(c, bodyRule{maxBytes: maxResourceBytes})
	if err != nil {
		return err
	}
	made, err := h.read(body, tenantOf(c))
	if err != nil {
		return err
	}
	if err := h.store.CreateWebhook(c.Request.Context(), actorOf(c), made); err != nil {
		return err
	}
	shown, err := h.profiles.showSecret(made, h.now())
	if err != nil {
		return err
	}
	c.Header("Location", "/api/webhooks/"+made.ID)
	return respond(c, http.StatusCreated, shown)
}

// read makes a webhook of a request's body, or says everything that is wrong
// with it. The profile judges it, fills what it fills, and makes a secret where
// none was given but one is due.
func (h *webhooks) read(body *object, tenant string) (*models.Webhook, error) {
	s := webhook.Subscription{Tenant: tenant, Status: webhook.StatusActive}
	body.require("url", "events")
	body.text("provider", maxNameChars, &s.Provider)
	readWebhook(body, &s, nil)
	given := readSecret(body)
	if given != nil {
		s.Secrets = []webhook.Secret{*given}
	}
	if active := readActive(body); active != nil && !*active {
		s.Status = webhook.StatusPaused
	}
	profile, err := h.profiles.chosen(s.Provider)
	if err != nil {
		takeFaults(body, "provider", err)
		return nil, body.done()
	}
	s.Provider = profile.Name()
	if given == nil && profile.SecretRule().Required {
		body.fault("secret", "is required")
	}
	judge(body, profile.CheckSubscription(&s, h.profiles.rules))
	if err := body.done(); err != nil {
		return nil, err
	}
	made := &models.Webhook{Status: string(s.Status)}
	if err := storeSubscription(s, made); err != nil {
		return nil, err
	}
	rule := profile.SecretRule().Rule
	switch {
	case given != nil:
		made.Secret = models.Secret(given.Reveal())
	case rule == provider.SecretGenerated || rule == provider.SecretEither:
		secret, err := profile.GenerateSecret(h.random)
		if err != nil {
			return nil, err
		}
		made.Secret = models.Secret(secret.Reveal())
	}
	return made, nil
}

// delete removes the webhook with its deliveries and attempts, for good.
func (h *webhooks) delete(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	if err := h.store.DeleteWebhook(c.Request.Context(), actorOf(c), tenantOf(c), id); err != nil {
		return err
	}
	return respond(c, http.StatusOK, deletedBody{ID: id, Deleted: true})
}

// deletedBody confirms what is gone.
type deletedBody struct {
	ID      string `json:"id"`
	Deleted bool   `json:"deleted"`
}
