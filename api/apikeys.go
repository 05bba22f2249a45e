package api

import (
	"context"
	"io"
	"net/http"
	"time"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// apiKeyStore is what this resource asks of the ledger. All find only the
// tenant's own: anything else is errs.NotFound.
type apiKeyStore interface {
	CreateAPIKey(ctx context.Context, key *models.APIKey) error
	APIKeys(ctx context.Context, filter models.APIKeyFilter) (models.Page[models.APIKey], error)
	DeleteAPIKey(ctx context.Context, tenant, id string) error
}

// apiKeys makes and revokes a tenant's keys.
type apiKeys struct {
	store         apiKeyStore
	authenticator *keyAuthenticator
	random        io.Reader
	now           func() time.Time
}

// maxKeyName bounds the name of a key.
const maxKeyName = 200

// apiKeyBody is a key in an answer.
type apiKeyBody struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Prefix     string     `json:"prefix"`
	CreatedAt  timestamp  `json:"createdAt"`
	LastUsedAt *timestamp `json:"lastUsedAt"`
	ExpiresAt  *timestamp `json:"expiresAt"`
}

// apiKeySecretBody is a key with the key itself, for the one answer that shows
// it.
type apiKeySecretBody struct {
	apiKeyBody
	Key string `json:"key"`
}

func showAPIKey(k models.APIKey) apiKeyBody {
	return apiKeyBody{
		ID: k.ID, Name: k.Name, Prefix: k.Shown, CreatedAt: timestamp(k.CreatedAt),
		LastUsedAt: optionalTime(k.LastUsedAt), ExpiresAt: optionalTime(k.ExpiresAt),
	}
}

// create makes a key. Its answer is the only one that shows it.
func (h *apiKeys) create(c *gin.Context) error {
	body, err := readBody(c, bodyRule{maxBytes: maxResourceBytes})
	if err != nil {
		return err
	}
	made := models.APIKey{Tenant: tenantOf(c)}
	h.read(body, &made)
	if err := body.done(); err != nil {
		return err
	}
	key, err := newKey(h.random)
	if err != nil {
		return err
	}
	made.Hash, made.Shown = keyHash(key), key[:keyShown]
	if err := h.store.CreateAPIKey(c.Request.Context(), &made); err != nil {
		return err
	}
	return respond(c, http.StatusCreated, apiKeySecretBody{apiKeyBody: showAPIKey(made), Key: key})
}

// read takes the request's members.
func (h *apiKeys) read(body *object, k *models.APIKey) {
	var expiresAt string
	body.require("name")
	body.text("name", maxKeyName, &k.Name)
	if body.has("name") && k.Name == "" {
		body.fault("name", "must not be empty")
	}
	body.text("expiresAt", maxNameChars, &expiresAt)
	if !body.has("expiresAt") {
		return
	}
	at := readTime(body, "expiresAt", expiresAt)
	if !at.After(h.now()) {
		body.fault("expiresAt", "must lie in the future")
	}
	k.ExpiresAt = &at
}

func (h *apiKeys) list(c *gin.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	filter := models.APIKeyFilter{Tenant: tenantOf(c), Limit: q.limit(defaultLimit), Cursor: q.cursor()}
	if err := q.done(); err != nil {
		return err
	}
	page, err := h.store.APIKeys(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	list := make([]apiKeyBody, len(page.Items))
	for i, key := range page.Items {
		list[i] = showAPIKey(key)
	}
	return respondPage(c, paginationOf(filter.Limit, page.NextCursor), list)
}

// delete revokes a key: it stops at once here, and in other processes within
// keyFresh.
func (h *apiKeys) delete(c *gin.Context) error {
	id, err := pathID(c, "API key")
	if err != nil {
		return err
	}
	err = h.store.DeleteAPIKey(c.Request.Context(), tenantOf(c), id)
	h.authenticator.forget(id) // after an error too: the key may be gone or not
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, deletedBody{ID: id, Deleted: true})
}
