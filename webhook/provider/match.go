package provider

import (
	"slices"

	"posthaste/webhook"
)

// Verdict is what an event means to a webhook.
type Verdict string

// The four verdicts.
const (
	Ignore   Verdict = "ignore"   // the webhook does not want it: no delivery
	Deliver  Verdict = "deliver"  // a delivery, to be sent
	Suppress Verdict = "suppress" // a delivery on record that a rule keeps from being sent
	Skip     Verdict = "skip"     // a delivery on record that the webhook's status keeps from being sent
)

// Decision is a verdict and, for suppress and skip, the reason to record.
type Decision struct {
	Verdict Verdict
	Reason  string
}

// Match decides what an event means to a webhook. The event has passed
// CheckEvent. A test send goes to its webhook whatever the webhook's sources
// and filters and the profile's rules say, and also to one that is paused or
// broken: trying it out before switching it on is what tests are for.
//
// The reason of a skip is "webhook_" and the status: webhook_paused,
// webhook_gone, webhook_broken.
func (p *Profile) Match(e webhook.Event, s webhook.Subscription) Decision {
	if e.Provider != s.Provider || s.Provider != p.schema.Name || e.Tenant != s.Tenant {
		return Decision{Verdict: Ignore}
	}
	if e.WebhookID != "" && e.WebhookID != s.ID {
		return Decision{Verdict: Ignore}
	}
	kind, known := p.kind(s.Version, e.Type)
	if !known || !wants(s.Events, e.Type) {
		return Decision{Verdict: Ignore}
	}
	if !e.Test {
		if !p.hearsSource(s, e.Source) || !kind.passes(s.Filters, e.Attributes) {
			return Decision{Verdict: Ignore}
		}
		if reason := p.suppressed(e); reason != "" {
			return Decision{Verdict: Suppress, Reason: reason}
		}
	}
	if s.Status != webhook.StatusActive && (!e.Test || s.Status == webhook.StatusGone) {
		return Decision{Verdict: Skip, Reason: "webhook_" + string(s.Status)}
	}
	return Decision{Verdict: Deliver}
}

// wants reports whether the webhook asked for the event type.
func wants(events []string, eventType string) bool {
	return slices.Contains(events, eventType) || slices.Contains(events, anyEventName)
}

func (p *Profile) hearsSource(s webhook.Subscription, source webhook.Source) bool {
	return !p.schema.Sources || len(s.Sources) == 0 || slices.Contains(s.Sources, source)
}

// passes holds the event's attributes to those of the webhook's filters that
// the event type obeys.
func (k *kind) passes(filters webhook.Filters, attributes webhook.Attributes) bool {
	for _, filter := range k.filters {
		switch filter {
		case FilterCampaign:
			if filters.CampaignID != "" && filters.CampaignID != attributes.CampaignID {
				return false
			}
		case FilterList:
			if filters.ListID != "" && !slices.Contains(attributes.ListIDs, filters.ListID) {
				return false
			}
		case FilterSchema:
			if filters.SchemaID != "" && filters.SchemaID != attributes.SchemaID {
				return false
			}
		}
	}
	return true
}

// suppressed returns the reason of the first rule that suppresses the event.
func (p *Profile) suppressed(e webhook.Event) string {
	for _, rule := range p.schema.Rules {
		if rule.Suppress != "" && rule.applies(e) {
			return rule.Suppress
		}
	}
	return ""
}

// applies reports whether the rule is about the event and its condition holds.
func (r RuleSchema) applies(e webhook.Event) bool {
	switch {
	case len(r.Events) > 0 && !slices.Contains(r.Events, e.Type):
		return false
	case r.When.Bulk != nil && *r.When.Bulk != e.Attributes.Bulk:
		return false
	case r.When.CampaignTrigger != "" && r.When.CampaignTrigger != e.Attributes.CampaignTrigger:
		return false
	case r.When.Source != "" && r.When.Source != e.Source:
		return false
	}
	return true
}
