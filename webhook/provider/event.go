package provider

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"posthaste/webhook"
)

// Limits of an event's attributes.
const (
	maxAttributeLength = 256
	maxListIDs         = 100
)

// campaignTriggers are what can set a campaign off.
var campaignTriggers = []string{"manual", "autoresponder", "automation"}

// CheckEvent holds an enqueued event to the catalogue and returns what is wrong
// with it by field ("type", "source", "data.phone", "attributes.campaignId",
// "customData"). It fills what the producer left out: the source (system, or
// what a rule of the profile makes it) and attributes that the profile takes
// from elsewhere. customData over the limits is dropped where the profile says
// so. The event's data is canonical already.
func (p *Profile) CheckEvent(e *webhook.Event) map[string]string {
	faults := map[string]string{}
	kinds := p.kindsOf(e.Type)
	if len(kinds) == 0 {
		faults["type"] = p.unknownEvent(e.Type)
		return faults
	}
	checkSource(e, faults)
	rules := p.attributeRules(kinds)
	members, err := readMembers(e.Data, kinds)
	if err != nil {
		faults["data"] = "must be JSON"
		return faults
	}
	for _, rule := range rules {
		rule.fillFromData(e, members)
	}
	p.applySource(e) // looks at attributes, and decides what is filled from the source
	for _, rule := range rules {
		rule.fillFromSource(e)
	}
	checkAttributes(e.Attributes, faults)
	for _, rule := range rules {
		rule.check(e, faults)
	}
	for _, k := range kinds {
		k.checkData(members, faults)
	}
	p.checkCustomData(e, faults)
	return faults
}

// kindsOf returns what every version says of the event type: one enqueued event
// goes to the webhooks of all of them.
func (p *Profile) kindsOf(eventType string) []*kind {
	var kinds []*kind
	for _, g := range p.generations {
		if k, known := p.kind(g.name, eventType); known {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// Knows reports whether any version of the provider has events of this type.
func (p *Profile) Knows(eventType string) bool { return len(p.kindsOf(eventType)) > 0 }

func (p *Profile) unknownEvent(eventType string) string {
	switch {
	case eventType == "":
		return "is required"
	case p.AnyEvent():
		return "must be 1 to 128 letters, digits and . _ : / -"
	}
	return fmt.Sprintf("is no event of %s", p.schema.Title)
}

func checkSource(e *webhook.Event, faults map[string]string) {
	if e.Source == "" {
		e.Source = webhook.SourceSystem
	}
	if !slices.Contains(webhook.Sources(), e.Source) {
		faults["source"] = "must be one of " + joined(webhook.Sources())
	}
}

// applySource gives the event the source of the first rule that sets one.
func (p *Profile) applySource(e *webhook.Event) {
	for _, rule := range p.schema.Rules {
		if rule.Source != "" && rule.applies(*e) {
			e.Source = rule.Source
			return
		}
	}
}

// checkAttributes holds what was given to what attributes can be at all.
func checkAttributes(a webhook.Attributes, faults map[string]string) {
	for _, attribute := range []struct{ name, value string }{
		{"campaignId", a.CampaignID}, {"schemaId", a.SchemaID}, {"initiatedBy", a.InitiatedBy},
	} {
		if fault := shortText(attribute.value); fault != "" {
			faults["attributes."+attribute.name] = fault
		}
	}
	if len(a.ListIDs) > maxListIDs {
		faults["attributes.listIds"] = fmt.Sprintf("must be at most %d", maxListIDs)
		return
	}
	for i, id := range a.ListIDs {
		fault := shortText(id)
		if id == "" {
			fault = "must not be empty"
		}
		if fault != "" {
			faults[fmt.Sprintf("attributes.listIds[%d]", i)] = fault
		}
	}
	if a.CampaignTrigger != "" && !slices.Contains(campaignTriggers, a.CampaignTrigger) {
		faults["attributes.campaignTrigger"] = "must be one of " + strings.Join(campaignTriggers, ", ")
	}
}

// shortText returns what is wrong with a text of one line.
func shortText(text string) string {
	if utf8.RuneCountInString(text) > maxAttributeLength {
		return fmt.Sprintf("must be at most %d characters", maxAttributeLength)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "must be text without control characters"
	}
	return ""
}

func joined[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = string(item)
	}
	return strings.Join(texts, ", ")
}
