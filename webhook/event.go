// Package webhook holds the words of everything a receiver can see: the event,
// the webhook that wants it, the policy it is retried under and the outcome of
// an attempt. Its sub-packages turn them into bytes (payload, signing), into
// rules (provider) and into a POST (send). Nothing here knows a database,
// Temporal, HTTP servers, the environment or a clock.
package webhook

import (
	"bytes"
	"time"
)

// Source says which part of the platform caused an event (ActiveCampaign's
// four sources; other providers leave it at system).
type Source string

// The four sources.
const (
	SourcePublic Source = "public" // a contact did it
	SourceAdmin  Source = "admin"  // a user of the platform did it
	SourceAPI    Source = "api"    // an API call did it
	SourceSystem Source = "system" // an automated part did it; the default
)

// Sources returns every source.
func Sources() []Source {
	return []Source{SourcePublic, SourceAdmin, SourceAPI, SourceSystem}
}

// Event is something that happened, enqueued once. Data and CustomData hold
// canonical bytes (payload.Canonical) from the door on and are never encoded
// again.
type Event struct {
	ID         string     `json:"id"`
	Tenant     string     `json:"tenant"`
	Provider   string     `json:"provider"`
	Type       string     `json:"type"`
	Source     Source     `json:"source"`
	Data       JSON       `json:"data"`
	CustomData JSON       `json:"customData,omitempty"`
	Attributes Attributes `json:"attributes,omitzero"`
	OccurredAt time.Time  `json:"occurredAt"` // when it happened; UTC, millisecond precision
	AcceptedAt time.Time  `json:"acceptedAt"` // when we took it; UTC, millisecond precision
	// BodyHash is the SHA-256, in hex, of what the caller enqueued; it tells a
	// repeated Idempotency-Key from a reused one, and is empty where there is none.
	BodyHash string `json:"bodyHash,omitempty"`
	// WebhookID, when set, restricts the event to that one webhook (test sends).
	WebhookID string `json:"webhookId,omitempty"`
	// Test marks a test send: shown as such in the history, and without effect
	// on the webhook's status.
	Test bool `json:"test,omitempty"`
}

// Keyed reports whether the caller gave the event an Idempotency-Key, which its id
// is made of.
func (e *Event) Keyed() bool { return e.BodyHash != "" }

// Attributes are what provider rules look at beside the event's type. They are
// never sent unless a profile's envelope says so.
type Attributes struct {
	CampaignID      string   `json:"campaignId,omitempty"`
	ListIDs         []string `json:"listIds,omitempty"`
	SchemaID        string   `json:"schemaId,omitempty"`
	Bulk            bool     `json:"bulk,omitempty"`
	CampaignTrigger string   `json:"campaignTrigger,omitempty"` // manual, autoresponder, automation
	InitiatedBy     string   `json:"initiatedBy,omitempty"`
}

// JSON is canonical JSON text. encoding/json rewrites what a MarshalJSON
// returns (& < > U+2028 U+2029 become escapes); UnmarshalJSON puts the raw
// characters back, so a value survives the trip through Temporal byte for byte.
type JSON []byte

// MarshalJSON returns the text itself, or null when there is none.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j) == 0 {
		return []byte("null"), nil
	}
	return j, nil
}

// UnmarshalJSON takes the text with encoding/json's own escapes undone.
func (j *JSON) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*j = nil
		return nil
	}
	*j = unescapeHTML(text)
	return nil
}

// htmlEscapes are the five escapes that encoding/json adds on its own. Canonical
// JSON holds these characters raw, so each such escape was added in transit.
var htmlEscapes = map[string]string{
	`u0026`: "&", `u003c`: "<", `u003e`: ">", `u2028`: "\u2028", `u2029`: "\u2029",
}

func unescapeHTML(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 || i+1 == len(text) {
			return append(out, text...)
		}
		out, text = append(out, text[:i]...), text[i:]
		if len(text) >= 6 {
			if raw, ok := htmlEscapes[string(text[1:6])]; ok {
				out, text = append(out, raw...), text[6:]
				continue
			}
		}
		out, text = append(out, text[:2]...), text[2:] // an escape that was there before: both bytes stay
	}
}
