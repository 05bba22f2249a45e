package api

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
)

// webhookBody is a webhook in an answer.
type webhookBody struct {
	ID                  string               `json:"id"`
	Provider            string               `json:"provider"`
	Name                string               `json:"name"`
	URL                 string               `json:"url"`
	Events              []string             `json:"events"`
	Sources             []string             `json:"sources"`
	Version             *string              `json:"version"`
	Filters             webhook.Filters      `json:"filters"`
	Headers             map[string]string    `json:"headers"`
	Retry               *webhook.RetryPolicy `json:"retry"`
	TimeoutSeconds      *int                 `json:"timeoutSeconds"` // null = the provider's, whose profile is missing
	MaxPerSecond        *int                 `json:"maxPerSecond"`   // null = no limit
	IsActive            bool                 `json:"isActive"`
	Status              webhook.Status       `json:"status"`
	StatusReason        *string              `json:"statusReason"`
	PreviousSecretUntil *timestamp           `json:"previousSecretUntil"` // null = one secret signs
	CreatedAt           timestamp            `json:"createdAt"`
	UpdatedAt           timestamp            `json:"updatedAt"`
}

// webhookSecretBody is a webhook with its secret, for the two answers that show
// it; null where the webhook has none.
type webhookSecretBody struct {
	webhookBody
	Secret *string `json:"secret"`
}

// Bounds of a webhook's members. The profile checks what they mean.
const (
	maxWebhookName  = 200
	maxURLChars     = 2048
	maxEventTypes   = 500
	maxHeaders      = 100
	maxHeaderValue  = 4096
	maxSecretChars  = 256
	maxRetryEntries = 100
	// maxPerSecond is the highest rate limit of a webhook. A delivery under a
	// limit takes its slot in a transaction of its own that holds the webhook's
	// row: about so many fit into a second.
	maxPerSecond = 1000
)

// statusWords lists the statuses, for the list's filter.
func statusWords() []string {
	return []string{
		string(webhook.StatusActive), string(webhook.StatusPaused),
		string(webhook.StatusGone), string(webhook.StatusBroken),
	}
}

// readWebhook reads the members that a webhook may be created and changed with.
// Headers given as a mask keep their stored value.
func readWebhook(body *object, s *webhook.Subscription, stored map[string]string) {
	body.text("name", maxWebhookName, &s.Name)
	body.text("url", maxURLChars, &s.URL)
	body.texts("events", maxEventTypes, maxNameChars, &s.Events)
	var sources []string
	if body.texts("sources", len(webhook.Sources()), maxNameChars, &sources); body.given("sources") {
		s.Sources = make([]webhook.Source, len(sources))
		for i, source := range sources {
			s.Sources[i] = webhook.Source(source)
		}
	}
	body.text("version", maxNameChars, &s.Version)
	readFilters(body, s)
	if body.textMap("headers", maxHeaders, maxHeaderValue, &s.Headers); body.given("headers") {
		unmaskHeaders(body, s.Headers, stored)
	}
	readRetry(body, s)
	body.whole("timeoutSeconds", &s.TimeoutSeconds)
	if body.has("timeoutSeconds") && s.TimeoutSeconds == 0 {
		s.TimeoutSeconds = -1 // 0 stands for "not given"; a given 0 is for the profile to refuse
	}
	body.whole("maxPerSecond", &s.MaxPerSecond)
	if body.has("maxPerSecond") && (s.MaxPerSecond < 1 || s.MaxPerSecond > maxPerSecond) {
		body.fault("maxPerSecond", "must be between 1 and %d", maxPerSecond)
	}
}

func readFilters(body *object, s *webhook.Subscription) {
	if body.given("filters") {
		s.Filters = webhook.Filters{}
	}
	members := body.child("filters")
	if members == nil {
		return
	}
	members.text("campaignId", maxAttributeChars, &s.Filters.CampaignID)
	members.text("listId", maxAttributeChars, &s.Filters.ListID)
	members.text("schemaId", maxAttributeChars, &s.Filters.SchemaID)
	members.close()
}

func readRetry(body *object, s *webhook.Subscription) {
	if body.given("retry") {
		s.Retry = nil
	}
	members := body.child("retry")
	if members == nil {
		return
	}
	var policy webhook.RetryPolicy
	members.require("mode")
	members.text("mode", maxNameChars, (*string)(&policy.Mode))
	members.whole("initialSeconds", &policy.InitialSeconds)
	members.number("factor", &policy.Factor)
	members.whole("maxSeconds", &policy.MaxSeconds)
	members.whole("maxAttempts", &policy.MaxAttempts)
	members.wholes("delaysSeconds", maxRetryEntries, &policy.DelaysSeconds)
	members.text("onCrash", maxNameChars, (*string)(&policy.OnCrash))
	members.close()
	s.Retry = &policy
}

// readSecret returns the secret that the caller gave; nil when none was given.
func readSecret(body *object) *webhook.Secret {
	var secret string
	body.text("secret", maxSecretChars, &secret)
	if !body.has("secret") {
		return nil
	}
	given := webhook.Secret(secret)
	return &given
}

// showWebhook returns the webhook as every answer shows it: no secret, and
// credentials among its headers masked.
func (p profiles) showWebhook(w *models.Webhook, now time.Time) (webhookBody, error) {
	s, err := subscriptionOf(w)
	if err != nil {
		return webhookBody{}, err
	}
	timeout := s.Timeout(0)
	if profile, err := p.named(w.Provider); err == nil { // it may be missing
		timeout = profile.Timeout(s)
	}
	return webhookBody{
		ID: w.ID, Provider: w.Provider, Name: w.Name, URL: w.URL,
		Events: orEmpty(w.Events), Sources: orEmpty(w.Sources), Version: optionalText(w.Version),
		Filters: s.Filters, Headers: maskHeaders(w.Headers), Retry: s.Retry, TimeoutSeconds: optionalNumber(int(timeout.Seconds())),
		MaxPerSecond: optionalNumber(w.MaxPerSecond),
		IsActive:     s.Status == webhook.StatusActive, Status: s.Status, StatusReason: optionalText(w.StatusReason),
		PreviousSecretUntil: optionalTime(w.OverlapUntil(now)),
		CreatedAt:           timestamp(w.CreatedAt), UpdatedAt: timestamp(w.UpdatedAt),
	}, nil
}

// showSecret adds the secret, for the two answers that show it.
func (p profiles) showSecret(w *models.Webhook, now time.Time) (webhookSecretBody, error) {
	shown, err := p.showWebhook(w, now)
	return webhookSecretBody{webhookBody: shown, Secret: optionalText(w.Secret.Reveal())}, err
}

// subscriptionOf returns the stored webhook as providers see it, without its
// secrets: what they must be was checked when they came in.
func subscriptionOf(w *models.Webhook) (webhook.Subscription, error) {
	s := webhook.Subscription{
		ID: w.ID, Tenant: w.Tenant, Provider: w.Provider, Name: w.Name, URL: w.URL,
		Events: slices.Clone(w.Events), Version: w.Version, Filters: webhook.Filters(w.Filters),
		Headers: maps.Clone(w.Headers), TimeoutSeconds: w.TimeoutSeconds, MaxPerSecond: w.MaxPerSecond, Status: webhook.Status(w.Status),
	}
	for _, source := range w.Sources {
		s.Sources = append(s.Sources, webhook.Source(source))
	}
	if len(w.Retry) == 0 {
		return s, nil
	}
	s.Retry = new(webhook.RetryPolicy)
	return s, errs.Wrap(json.Unmarshal(w.Retry, s.Retry), errs.Internal, "The retry policy of webhook %s cannot be read", w.ID)
}

// storeSubscription puts what a person may change into the stored webhook.
func storeSubscription(s webhook.Subscription, w *models.Webhook) error {
	w.Tenant, w.Provider, w.Name, w.URL = s.Tenant, s.Provider, s.Name, s.URL
	w.Events, w.Version, w.Filters = s.Events, s.Version, models.Filters(s.Filters)
	w.Headers, w.TimeoutSeconds, w.MaxPerSecond = s.Headers, s.TimeoutSeconds, s.MaxPerSecond
	w.Sources = nil
	for _, source := range s.Sources {
		w.Sources = append(w.Sources, string(source))
	}
	w.Retry = nil
	if s.Retry == nil {
		return nil
	}
	policy, err := json.Marshal(s.Retry)
	w.Retry = policy
	return errs.Wrap(err, errs.Internal, "The retry policy cannot be stored")
}
