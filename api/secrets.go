package api

import (
	"net/http"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"

	"github.com/gin-gonic/gin"
)

// maxOverlapSeconds bounds how long an old secret may sign beside the new one:
// a week is time for any receiver to change over.
const maxOverlapSeconds = 7 * 24 * 3600

// rotation is the request of a new secret.
type rotation struct {
	secret         webhook.Secret // empty = make one
	overlapSeconds int
}

// rotateSecret gives the webhook a new secret and shows it, once. The old one
// stops at once, or signs beside the new one during the overlap. One old secret
// is kept: while it signs, there is no other overlap, which would stop it early.
func (h *webhooks) rotateSecret(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	body, err := readBody(c, bodyRule{maxBytes: maxResourceBytes, optional: true})
	if err != nil {
		return err
	}
	changed, err := h.store.UpdateWebhook(c.Request.Context(), actorOf(c), tenantOf(c), id, func(w *models.Webhook) error {
		return h.rotate(body, w)
	})
	if err != nil {
		return err
	}
	shown, err := h.profiles.showSecret(&changed, h.now())
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, shown)
}

// rotate reads the request against the webhook's profile and puts the new
// secret in place.
func (h *webhooks) rotate(body *object, w *models.Webhook) error {
	profile, err := h.profiles.named(w.Provider)
	if err != nil {
		return err
	}
	if profile.SecretRule().Rule == provider.SecretNone {
		return errs.New(errs.Conflict, "This provider signs nothing, so its webhooks have no secret")
	}
	asked, err := readRotation(body, profile)
	if err != nil {
		return err
	}
	now := h.now().UTC()
	if until := w.OverlapUntil(now); until != nil && asked.overlapSeconds > 0 {
		return errs.New(errs.Conflict, "An overlap is running: the secret before the present one still signs until %s, and another overlap would stop it early; "+
			"rotate after that, or with overlapSeconds: 0, which stops all old secrets at once, as a leak demands", until.UTC().Format(timestampLayout))
	}
	if asked.secret == "" {
		if asked.secret, err = profile.GenerateSecret(h.random); err != nil {
			return err
		}
	}
	w.PreviousSecret, w.PreviousSecretUntil = "", nil
	if asked.overlapSeconds > 0 && w.Secret != "" {
		until := now.Add(time.Duration(asked.overlapSeconds) * time.Second)
		w.PreviousSecret, w.PreviousSecretUntil = w.Secret, &until
	}
	w.Secret = models.Secret(asked.secret.Reveal())
	return nil
}

func readRotation(body *object, profile *provider.Profile) (rotation, error) {
	var asked rotation
	body.whole("overlapSeconds", &asked.overlapSeconds)
	switch {
	case asked.overlapSeconds < 0 || asked.overlapSeconds > maxOverlapSeconds:
		body.fault("overlapSeconds", "must be between 0 and %d", maxOverlapSeconds)
	case asked.overlapSeconds > 0 && !profile.SeveralSignatures():
		body.fault("overlapSeconds", "must be 0: this provider sends one signature, so two secrets cannot sign at once")
	}
	if given := readSecret(body); given != nil {
		asked.secret = *given
		if reason := profile.CheckSecret(asked.secret); reason != "" {
			body.fault("secret", "%s", reason)
		}
	}
	return asked, body.done()
}
