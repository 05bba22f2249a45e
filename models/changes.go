package models

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// change is what became of one member of a webhook.
type change struct {
	From any `json:"from"`
	To   any `json:"to"`
	// Changed names the headers that have another value now: their values are
	// not shown, so From and To may be the same.
	Changed []string `json:"changed,omitempty"`
}

// changes is what became of the members that changed, by the name that the API
// has for them.
type changes map[string]change

// hidden stands for a secret.
const hidden = "[hidden]"

// changesOf compares two states of a webhook, as far as a person may know them:
// of secrets it tells only that they changed, of headers their names.
func changesOf(before, after *Webhook) changes {
	found := changes{}
	from, to := membersOf(before), membersOf(after)
	for name := range to {
		if !bytes.Equal(encoded(from[name]), encoded(to[name])) {
			found[name] = change{From: from[name], To: to[name]}
		}
	}
	if !maps.Equal(before.Headers, after.Headers) {
		found["headers"] = change{
			From: namesOf(before.Headers), To: namesOf(after.Headers), Changed: otherValues(before.Headers, after.Headers),
		}
	}
	if before.Secret != after.Secret {
		found["secret"] = change{From: hide(before.Secret), To: hide(after.Secret)}
	}
	return found
}

// membersOf is what a person sees of a webhook, but for headers and secrets.
// What is not set is nil.
func membersOf(w *Webhook) map[string]any {
	members := map[string]any{
		"provider": orNil(w.Provider), "name": orNil(w.Name), "url": orNil(w.URL), "events": listOrNil(w.Events),
		"sources": listOrNil(w.Sources), "version": orNil(w.Version), "filters": filtersOrNil(w.Filters),
		"retry": nil, "timeoutSeconds": orNil(w.TimeoutSeconds), "maxPerSecond": orNil(w.MaxPerSecond),
		"status": orNil(w.Status), "statusReason": orNil(w.StatusReason), "previousSecretUntil": nil,
	}
	if len(w.Retry) > 0 {
		members["retry"] = w.Retry
	}
	if w.PreviousSecretUntil != nil {
		members["previousSecretUntil"] = w.PreviousSecretUntil.UTC().Format(time.RFC3339)
	}
	return members
}

func filtersOrNil(f Filters) any {
	members := map[string]string{}
	for name, value := range map[string]string{"campaignId": f.CampaignID, "listId": f.ListID, "schemaId": f.SchemaID} {
		if value != "" {
			members[name] = value
		}
	}
	if len(members) == 0 {
		return nil
	}
	return members
}

func orNil[T comparable](value T) any {
	var none T
	if value == none {
		return nil
	}
	return value
}

func listOrNil(words []string) any {
	if len(words) == 0 {
		return nil
	}
	return words
}

func hide(secret Secret) any {
	if secret == "" {
		return nil
	}
	return hidden
}

func namesOf(headers map[string]string) any { return listOrNil(slices.Sorted(maps.Keys(headers))) }

// otherValues lists the headers that both have, with different values.
func otherValues(before, after map[string]string) []string {
	var names []string
	for name, value := range after {
		if old, had := before[name]; had && old != value {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// encoded writes a value as JSON, members in the order of their names.
func encoded(value any) []byte {
	text, _ := json.Marshal(value) // plain values, and a retry policy that was JSON when it was stored
	return text
}

// actionOf names a change by the most that it did.
func actionOf(before, after *Webhook) string {
	switch {
	case before.Status != after.Status && after.Status == StatusPaused:
		return AuditPaused
	case before.Status != after.Status && after.Status == StatusActive:
		return AuditResumed
	case before.Status != after.Status && after.Status == StatusGone:
		return AuditGone
	case before.Status != after.Status && after.Status == StatusBroken:
		return AuditBroken
	case before.Secret != after.Secret:
		return AuditSecretRotated
	}
	return AuditUpdated
}

// auditOf makes the entry of a change.
func auditOf(by Actor, action string, w *Webhook, at time.Time, changed changes) AuditEntry {
	return AuditEntry{
		Tenant: w.Tenant, WebhookID: w.ID, At: at, Actor: by, Action: action, Changes: encoded(changed), reason: w.StatusReason,
	}
}
