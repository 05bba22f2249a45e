package activities

import (
	"encoding/json"
	"fmt"
	"time"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/send"
)

// The ledger and the receiver's side have types of their own; this file is the
// only place that knows both.

// ledgerEvent is the event as the ledger keeps it, owned by a workflow run.
func ledgerEvent(event Event, workflowID, runID string) (models.Event, error) {
	attributes, err := json.Marshal(event.Attributes)
	if err != nil {
		return models.Event{}, fmt.Errorf("attributes of event %s: %w", event.ID, err)
	}
	return models.Event{
		Tenant: event.Tenant, ID: event.ID, Provider: event.Provider, Type: event.Type,
		Source: string(event.Source), Data: event.Data, CustomData: event.CustomData,
		Attributes: attributes, OccurredAt: event.OccurredAt, AcceptedAt: event.AcceptedAt,
		BodyHash: event.BodyHash, WorkflowID: workflowID, RunID: runID,
		WebhookID: event.WebhookID, Test: event.Test,
	}, nil
}

// eventOf is the ledger's event as providers see it.
func eventOf(event models.Event) (webhook.Event, error) {
	result := webhook.Event{
		ID: event.ID, Tenant: event.Tenant, Provider: event.Provider, Type: event.Type,
		Source: webhook.Source(event.Source), Data: event.Data, CustomData: event.CustomData,
		OccurredAt: event.OccurredAt, AcceptedAt: event.AcceptedAt,
		BodyHash: event.BodyHash, WebhookID: event.WebhookID, Test: event.Test,
	}
	if len(event.Attributes) == 0 {
		return result, nil
	}
	if err := json.Unmarshal(event.Attributes, &result.Attributes); err != nil {
		return webhook.Event{}, fmt.Errorf("attributes of event %s: %w", event.ID, err)
	}
	return result, nil
}

// viewOf is the stored webhook as providers' rules see it, without what only a
// POST needs.
func viewOf(w *models.Webhook) webhook.Subscription {
	view := webhook.Subscription{
		ID: w.ID, Tenant: w.Tenant, Provider: w.Provider, Name: w.Name, URL: w.URL,
		Events: w.Events, Version: w.Version, Headers: w.Headers,
		Filters: webhook.Filters{
			CampaignID: w.Filters.CampaignID, ListID: w.Filters.ListID, SchemaID: w.Filters.SchemaID,
		},
		TimeoutSeconds: w.TimeoutSeconds, MaxPerSecond: w.MaxPerSecond, Status: webhook.Status(w.Status),
	}
	for _, source := range w.Sources {
		view.Sources = append(view.Sources, webhook.Source(source))
	}
	return view
}

// subscriptionOf is the stored webhook with all that a POST needs: its policy,
// and the secrets that sign at this moment.
func subscriptionOf(w *models.Webhook, now time.Time) (webhook.Subscription, error) {
	result := viewOf(w)
	if len(w.Retry) > 0 {
		result.Retry = &webhook.RetryPolicy{}
		if err := json.Unmarshal(w.Retry, result.Retry); err != nil {
			return webhook.Subscription{}, fmt.Errorf("retry policy of webhook %s: %w", w.ID, err)
		}
	}
	if w.Secret != "" {
		result.Secrets = append(result.Secrets, webhook.Secret(w.Secret.Reveal()))
	}
	if w.OverlapUntil(now) != nil {
		result.Secrets = append(result.Secrets, webhook.Secret(w.PreviousSecret.Reveal()))
	}
	return result, nil
}

// ledgerAttempt is what the history shows of one attempt: the request as sent
// and what came back.
func ledgerAttempt(due models.Due, request send.Request, result send.Result) *models.Attempt {
	hidden := credentialsOf(&due.Webhook, request.Header)
	attempt := &models.Attempt{
		Tenant: due.Delivery.Tenant, WebhookID: due.Delivery.WebhookID, DeliveryID: due.Delivery.ID,
		EventID: due.Delivery.EventID, EventType: due.Delivery.EventType, Number: due.Delivery.Attempts + 1,
		Success: result.Outcome.Kind == webhook.Delivered,
		Reason:  string(result.Outcome.Reason), Detail: result.Outcome.Detail,
		StartedAt: result.StartedAt, DurationMS: result.Duration.Milliseconds(),
		RequestURL: request.URL, RequestHeaders: shownHeaders(request.Header, due.Webhook.Headers),
		RequestBody: request.Body, ResponseHeaders: hidden.headers(result.ResponseHeader),
		ResponseBody: hidden.hide(result.ResponseBody), ResponseTruncated: result.ResponseTruncated,
		Test: due.Delivery.Test,
	}
	if status := result.Outcome.StatusCode; status != 0 {
		attempt.StatusCode = &status
	}
	return attempt
}

// shownHeaders are the request's headers as the history keeps them. What the
// customer added as a credential is hidden: the history is read by more people
// than those who may know it.
func shownHeaders(sent []send.Header, custom map[string]string) [][2]string {
	shown := make([][2]string, 0, len(sent))
	for _, header := range sent {
		value := header.Value
		if isCredential(header.Name, custom) {
			value = hiddenValue
		}
		shown = append(shown, [2]string{header.Name, value})
	}
	return shown
}
