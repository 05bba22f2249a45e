package provider

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/payload"
)

// compileEvents makes the catalogue.
func (p *Profile) compileEvents(doc *document) {
	if len(p.schema.Events) == 0 && p.schema.AnyEvent == nil {
		doc.fault("events", "must list at least one event, or anyEvent must be there")
	}
	for i := range p.schema.Events {
		p.compileEvent(doc, fmt.Sprintf("events[%d]", i), &p.schema.Events[i])
	}
	p.compileAnyEvent(doc)
	p.checkForm(doc, "payload", p.schema.Payload)
	for i, version := range p.schema.Versions {
		p.checkForm(doc, fmt.Sprintf("versions[%d].payload", i), version.Payload)
	}
}

func (p *Profile) compileEvent(doc *document, key string, event *EventSchema) {
	g, known := p.generation(event.Version)
	if !known {
		doc.fault(key+".version", "there is no version %q", event.Version)
		return
	}
	if !isEventName(event.Type) {
		doc.fault(key+".type", "must be 1 to 128 letters, digits and . _ : / -")
	}
	if _, twice := g.kinds[event.Type]; twice {
		doc.fault(key+".type", "%s is listed twice", event.Type)
	}
	if event.Description == "" || event.Category == "" {
		doc.fault(key, "must have a category and a description")
	}
	k := &kind{EventSchema: *event, renderer: g.renderer, filters: event.Filters, isDefault: g == p.fallback}
	if event.Payload != nil {
		k.renderer = compilePayload(doc, key+".payload", event.Payload)
	} else if !g.hasBody {
		doc.fault(key+".payload", "is required, as neither the version nor the profile has one")
	}
	if event.Filters == nil {
		k.filters = p.schema.Filters
	}
	for i, filter := range event.Filters {
		if !slices.Contains(p.schema.Filters, filter) {
			doc.fault(fmt.Sprintf("%s.filters[%d]", key, i), "%q is no filter of this profile", filter)
		}
	}
	checkFields(doc, key, event)
	checkRename(doc, key, event.Rename)
	checkOmit(doc, key, event.Omit)
	checkAttributeRules(doc, key+".attributes", event.Attributes)
	checkSample(doc, key+".sample", event.Sample)
	k.rules, k.rename, k.omissions = event.Attributes.rules(), quoted(event.Rename), newOmissions(event.Omit)
	k.listReads(slices.Concat(p.rules, k.rules))
	g.kinds[event.Type] = k
	p.types = append(p.types, newEventType(*event, g.name))
}

// compileAnyEvent makes the entry for event types that the catalogue lacks.
func (p *Profile) compileAnyEvent(doc *document) {
	schema := p.schema.AnyEvent
	if schema == nil {
		return
	}
	checkSample(doc, "anyEvent.sample", schema.Sample)
	for i, g := range p.generations {
		if g.renderer == nil {
			doc.fault("anyEvent", "needs a payload in the profile or in version %d", i)
		}
		g.other = &kind{
			EventSchema: EventSchema{Category: schema.Category, Description: schema.Description},
			renderer:    g.renderer, filters: p.schema.Filters, isDefault: g == p.fallback,
		}
		g.other.listReads(p.rules)
	}
}

// checkForm holds the event types that a form body lists to the catalogue: a
// misspelt one would go out with the wrong keys.
func (p *Profile) checkForm(doc *document, key string, spec *payload.Spec) {
	if spec == nil {
		return
	}
	for _, name := range spec.Form.EventTypes() {
		if !slices.ContainsFunc(p.schema.Events, func(e EventSchema) bool { return e.Type == name || e.WireType == name }) {
			doc.fault(key+".form.events", "%s is no event of this profile", name)
		}
	}
}

func checkFields(doc *document, key string, event *EventSchema) {
	seen := map[string]bool{}
	for i, field := range event.Data {
		place := fmt.Sprintf("%s.data[%d]", key, i)
		if field.Name == "" || seen[field.Name] {
			doc.fault(place+".name", "must be there, and once")
		}
		if fieldTypes[field.Type] == nil {
			doc.fault(place+".type", "unknown type %q; known: %s", field.Type, keys(fieldTypes))
		}
		seen[field.Name] = true
	}
}

// checkRename keeps to names that can be put into JSON as they are and that do
// not change the order JavaScript gives to members.
func checkRename(doc *document, key string, rename map[string]string) {
	for from, to := range rename {
		if !memberName.MatchString(to) || from == "" || from == to {
			doc.fault(key+".rename", "%q cannot become %q: give another name of letters, digits, _ and -", from, to)
		}
	}
}

// quoted returns the names as they stand in an event's data.
func quoted(rename map[string]string) map[string]string {
	names := make(map[string]string, len(rename))
	for from, to := range rename {
		names[payload.Quote(from)] = payload.Quote(to)
	}
	return names
}

var memberName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func checkAttributeRules(doc *document, key string, rules AttributeSchema) {
	for _, a := range rules.attributes() {
		path, fromTheData := strings.CutPrefix(a.rule.From, fromData)
		if a.rule.From != "" && a.rule.From != fromSource && (!fromTheData || path == "") {
			doc.fault(key+"."+a.name+".from", "must be source or data.<member>")
		}
	}
}

// checkSample makes the sample canonical, as the door does with an event.
func checkSample(doc *document, key string, sample *SampleSchema) {
	if sample == nil || !sample.Data.given {
		doc.fault(key, "is required and must have data")
		return
	}
	if sample.Source != "" && !slices.Contains(webhook.Sources(), sample.Source) {
		doc.fault(key+".source", "must be one of %s", joined(webhook.Sources()))
	}
	canonical(doc, key+".data", &sample.Data)
	if sample.CustomData.given {
		canonical(doc, key+".customData", &sample.CustomData)
	}
}

func canonical(doc *document, key string, value *JSONSchema) {
	text, err := payload.CanonicalObject("it", value.text)
	var coded *errs.Error
	switch {
	case err == nil:
		value.text = text
	case errors.As(err, &coded) && len(coded.Fields) > 0:
		for place, fault := range coded.Fields {
			doc.fault(key+strings.TrimPrefix(place, "it"), "%s", fault)
		}
	default:
		doc.fault(key, "%v", err)
	}
}
