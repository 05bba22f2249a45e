// Package provider makes a platform's webhooks out of data: which events there
// are, who gets them, what the body and the headers look like, what a secret
// must be, how often a failure is tried again. A provider is one YAML file
// (Schema); no code knows a provider's name. Whatever a profile cannot say is
// added to the schema for all of them.
package provider

import (
	"slices"
	"time"

	"posthaste/webhook"
	"posthaste/webhook/payload"
	"posthaste/webhook/signing"
)

// anyEventName in a webhook's events stands for every event there is.
const anyEventName = "*"

// Profile is one provider, checked and ready. It is safe for concurrent use.
type Profile struct {
	schema      Schema
	generations []*generation // at least one; without versions, one without a name
	fallback    *generation   // of webhooks that name no version
	types       []EventType
	rules       []attribute     // of every event
	reserved    map[string]bool // canonical names of headers the provider sets
}

// generation is one version of a provider's webhooks.
type generation struct {
	name     string
	renderer *payload.Renderer // nil when each event type has its own
	hasBody  bool              // the version or the profile gives a payload, sound or not
	signer   *signing.Signer
	kinds    map[string]*kind
	other    *kind // event types without an entry, where the profile takes any
}

// kind is one event type of one version.
type kind struct {
	EventSchema
	renderer  *payload.Renderer
	filters   []Filter
	rules     []attribute       // of this kind alone
	reads     map[string]string // what the checks look at in the data: see listReads
	rename    map[string]string // Rename with both names quoted
	omissions []omission
	isDefault bool // of the default version
}

// EventType is one entry of a provider's catalogue. The sample is a complete
// event of the type: what a test send carries.
type EventType struct {
	Type             string
	Version          string // "" for providers without versions
	Category         string
	Description      string
	Sample           webhook.JSON
	SampleCustomData webhook.JSON // nil for most
	SampleSource     webhook.Source
	SampleAttributes webhook.Attributes
	Fields           []FieldSchema // what is known of the event's data
}

// Name returns the provider's name.
func (p *Profile) Name() string { return p.schema.Name }

// Title returns the provider's name for people.
func (p *Profile) Title() string { return p.schema.Title }

// Description returns one sentence about the provider.
func (p *Profile) Description() string { return p.schema.Description }

// Docs returns where the provider's own documentation is.
func (p *Profile) Docs() string { return p.schema.Docs }

// EventTypes returns the catalogue in its order: one entry per type and
// version. Callers must not change it.
func (p *Profile) EventTypes() []EventType { return p.types }

// EventNames returns the name of every event type in catalogue order, each once
// however many versions it exists in.
func (p *Profile) EventNames() []string {
	names := make([]string, 0, len(p.types))
	for _, entry := range p.types {
		if !slices.Contains(names, entry.Type) {
			names = append(names, entry.Type)
		}
	}
	return names
}

// Internal reports whether Posthaste makes the provider's events itself, so that
// nobody else may.
func (p *Profile) Internal() bool { return p.schema.Internal }

// AnyEvent reports whether the provider takes any well-formed event name.
func (p *Profile) AnyEvent() bool { return p.schema.AnyEvent != nil }

// Versions returns the names of the provider's versions in catalogue order, and
// which one is meant when none is named; nothing for providers without.
func (p *Profile) Versions() (names []string, standard string) {
	for _, v := range p.schema.Versions {
		names = append(names, v.Name)
	}
	return names, p.fallback.name
}

// Sample returns the catalogue entry of an event type in a version ("" = the
// default version). A provider that takes any name has one for every name.
func (p *Profile) Sample(eventType, version string) (EventType, bool) {
	if version == "" {
		version = p.fallback.name
	}
	for _, entry := range p.types {
		if entry.Type == eventType && entry.Version == version {
			return entry, true
		}
	}
	if !p.AnyEvent() || !isEventName(eventType) {
		return EventType{}, false
	}
	schema := p.schema.AnyEvent
	return newEventType(EventSchema{
		Type: eventType, Category: schema.Category, Description: schema.Description, Sample: schema.Sample,
	}, version), true
}

// Filters returns which filters a webhook may set.
func (p *Profile) Filters() []Filter { return p.schema.Filters }

// Policy returns the policy under which a webhook's deliveries are tried again.
func (p *Profile) Policy(s webhook.Subscription) webhook.RetryPolicy {
	if s.Retry != nil {
		return *s.Retry
	}
	return p.schema.Retry.Default
}

// Timeout returns how long one attempt may take, everything included.
func (p *Profile) Timeout(s webhook.Subscription) time.Duration {
	return s.Timeout(time.Duration(p.schema.Timeout.DefaultSeconds) * time.Second)
}

// Gone returns what a 410 does to a webhook.
func (p *Profile) Gone() GoneRule { return p.schema.Gone }

// Broken returns when a webhook that keeps failing gets status broken.
func (p *Profile) Broken() BrokenRule { return p.schema.Broken }

// SeveralSignatures reports whether an old secret can sign beside the new one
// while a rotation's overlap lasts.
func (p *Profile) SeveralSignatures() bool {
	for _, g := range p.generations {
		if !g.signer.Several() {
			return false
		}
	}
	return true
}

// Signer returns what signs the requests of webhooks of the version ("" = the
// default version), so that a receiver can verify them.
func (p *Profile) Signer(version string) (*signing.Signer, bool) {
	g, known := p.generation(version)
	if !known {
		return nil, false
	}
	return g.signer, true
}

func (p *Profile) generation(version string) (*generation, bool) {
	if version == "" {
		return p.fallback, true
	}
	for _, g := range p.generations {
		if g.name == version {
			return g, true
		}
	}
	return nil, false
}

// kind finds what the profile says of an event type in a version.
func (p *Profile) kind(version, eventType string) (*kind, bool) {
	g, known := p.generation(version)
	if !known {
		return nil, false
	}
	if k, listed := g.kinds[eventType]; listed {
		return k, true
	}
	return g.other, g.other != nil && isEventName(eventType)
}

// isEventName reports whether the text can name an event: 1 to 128 letters,
// digits and . _ : / -
func isEventName(name string) bool {
	if name == "" || len(name) > 128 {
		return false
	}
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '_', c == ':', c == '/', c == '-':
		default:
			return false
		}
	}
	return true
}
