package api

import (
	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"

	"github.com/gin-gonic/gin"
)

// update changes the members that are given and leaves the others; a null puts
// one back to its default. The lists and objects of a webhook are replaced
// whole. An inactive tenant may do nothing but pause.
func (h *webhooks) update(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	body, err := readBody(c, bodyRule{maxBytes: maxResourceBytes})
	if err != nil {
		return err
	}
	ctx, tenant := c.Request.Context(), tenantOf(c)
	if !onlyPauses(body, readActive(body)) {
		if err := h.door.mustBeActive(ctx, tenant); err != nil {
			return err
		}
	}
	changed, err := h.store.UpdateWebhook(ctx, actorOf(c), tenant, id, func(w *models.Webhook) error {
		return h.apply(body, w)
	})
	if err != nil {
		return err
	}
	return h.answer(c, &changed)
}

// apply puts the body's members over the webhook's and has the profile judge
// the result.
func (h *webhooks) apply(body *object, w *models.Webhook) error {
	profile, err := h.profiles.named(w.Provider)
	if err != nil {
		return switchWithout(body, w, err)
	}
	s, err := subscriptionOf(w)
	if err != nil {
		return err
	}
	body.refuse("cannot be changed; delete the webhook and create another", "provider")
	body.refuse("is changed by POST /api/webhooks/{id}/rotate-secret", "secret")
	body.refuse("cannot be set", "id", "status", "statusReason", "previousSecretUntil", "createdAt", "updatedAt")
	for _, name := range []string{"url", "events", "isActive"} {
		if body.given(name) && !body.has(name) {
			body.fault(name, "cannot be null")
		}
	}
	readWebhook(body, &s, s.Headers)
	wanted := readActive(body)
	if !onlyPauses(body, wanted) {
		judge(body, profile.CheckSubscription(&s, h.profiles.rules))
	}
	if err := body.done(); err != nil {
		return err
	}
	status, err := nextStatus(s.Status, wanted, len(body.members) > 0, profile)
	if err != nil {
		return err
	}
	setStatus(w, status)
	return storeSubscription(s, w)
}

// switchWithout pauses or resumes a webhook whose profile is missing, if the
// request does nothing else: no profile is asked then, except whether gone is
// for good. Any other change has to wait for the profile.
func switchWithout(body *object, w *models.Webhook, missing error) error {
	wanted := readActive(body)
	if len(body.members) != 1 || wanted == nil || *wanted && w.Status == models.StatusGone {
		return missing
	}
	if err := body.done(); err != nil {
		return err
	}
	status, err := nextStatus(webhook.Status(w.Status), wanted, false, nil)
	if err != nil {
		return err
	}
	setStatus(w, status)
	return nil
}

// onlyPauses tells whether the request does nothing but switch the webhook off.
// That has to work even when the rules have changed since it was created, and
// for a tenant that has become inactive: it sends nothing new.
func onlyPauses(body *object, wanted *bool) bool {
	return len(body.members) == 1 && wanted != nil && !*wanted
}

// readActive reads the switch; nil when it is not touched.
func readActive(body *object) *bool {
	var active bool
	body.flag("isActive", &active)
	if !body.has("isActive") {
		return nil
	}
	return &active
}

// judge adds the profile's objections. A member that could not even be read
// keeps its own fault.
func judge(body *object, objections map[string]string) {
	for field, reason := range objections {
		if _, already := body.faults[field]; !already {
			body.faults[field] = reason
		}
	}
}

// nextStatus says what an edit by a person does to a webhook's status:
//
//	            isActive:true   isActive:false   neither
//	active      -               paused           -
//	paused      active          -                -
//	broken      active          paused           active, where an edit heals
//	gone        active (1)      -                -
//
// (1) Conflict where the provider means it for good.
func nextStatus(now webhook.Status, wanted *bool, edited bool, profile *provider.Profile) (webhook.Status, error) {
	switch {
	case now == webhook.StatusGone && wanted != nil && *wanted:
		if profile.Gone() == provider.GoneFinal {
			return now, errs.New(errs.Conflict, "The receiver answered 410 Gone, which is final for this provider; delete the webhook and create another")
		}
		return webhook.StatusActive, nil
	case now == webhook.StatusGone:
		return now, nil
	case wanted != nil && *wanted:
		return webhook.StatusActive, nil
	case wanted != nil:
		return webhook.StatusPaused, nil
	case now == webhook.StatusBroken && edited && profile.Broken().HealedBy == provider.HealedByEdit:
		return webhook.StatusActive, nil
	default:
		return now, nil
	}
}

// setStatus notes a change of status. A webhook that becomes active begins
// anew: its failures so far are forgiven.
func setStatus(w *models.Webhook, status webhook.Status) {
	if webhook.Status(w.Status) == status {
		return
	}
	w.Status, w.StatusReason = string(status), ""
	if status == webhook.StatusActive {
		w.FailedInARow, w.FailingSince = 0, nil
	}
}
