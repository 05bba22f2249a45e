package provider

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"posthaste/webhook"
)

// rehearse sends every sample through the profile, so that one that its own
// rules refuse or that cannot be rendered is found at start, not by a customer.
func (p *Profile) rehearse(doc *document) {
	for i, entry := range p.types {
		p.rehearseSample(doc, fmt.Sprintf("events[%d].sample", i), entry)
	}
	if p.AnyEvent() {
		for _, g := range p.generations {
			if entry, known := p.Sample("sample.event", g.name); known {
				p.rehearseSample(doc, "anyEvent.sample", entry)
			}
		}
	}
}

func (p *Profile) rehearseSample(doc *document, key string, entry EventType) {
	at := time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)
	event := webhook.Event{
		ID: "sample", Tenant: "sample", Provider: p.Name(), Type: entry.Type, Source: entry.SampleSource, Data: entry.Sample,
		CustomData: entry.SampleCustomData, Attributes: entry.SampleAttributes, OccurredAt: at, AcceptedAt: at,
	}
	faults := p.CheckEvent(&event)
	for _, field := range slices.Sorted(maps.Keys(faults)) {
		doc.fault(key, "%s %s", field, faults[field])
	}
	if len(entry.SampleCustomData) > 0 && len(event.CustomData) == 0 {
		doc.fault(key+".customData", "is over the limits")
	}
	in := RequestInput{Event: event, DeliveryID: "sample", Now: at, Subscription: webhook.Subscription{
		ID: "sample", Tenant: "sample", Provider: p.Name(), URL: "https://example.com/", Version: entry.Version,
	}}
	if rule := p.schema.Secret.Rule; rule == SecretGenerated || rule == SecretEither {
		secret, err := p.GenerateSecret(zeros{})
		if err != nil {
			doc.fault("secret", "%v", err)
			return
		}
		in.Subscription.Secrets = []webhook.Secret{secret}
	}
	_, err := p.Request(in)
	if lacksSecret := p.schema.Secret.Required && secretFault(err) != ""; err != nil && !lacksSecret {
		doc.fault(key, "%v", err)
	}
}
