package provider

import (
	"slices"
	"strconv"
	"strings"

	"posthaste/webhook"
)

// attribute is one attribute of an event with the rule it is under.
type attribute struct {
	name string
	rule AttributeRule
	get  func(*webhook.Attributes) []string
	set  func(*webhook.Attributes, []string)
}

// attributes lists every attribute that can have a rule.
func (s AttributeSchema) attributes() []attribute {
	text := func(field func(*webhook.Attributes) *string) (func(*webhook.Attributes) []string, func(*webhook.Attributes, []string)) {
		get := func(a *webhook.Attributes) []string {
			if value := *field(a); value != "" {
				return []string{value}
			}
			return nil
		}
		return get, func(a *webhook.Attributes, values []string) { *field(a) = values[0] }
	}
	list := make([]attribute, 0, 5)
	add := func(name string, rule AttributeRule, field func(*webhook.Attributes) *string) {
		get, set := text(field)
		list = append(list, attribute{name: name, rule: rule, get: get, set: set})
	}
	add("campaignId", s.CampaignID, func(a *webhook.Attributes) *string { return &a.CampaignID })
	add("schemaId", s.SchemaID, func(a *webhook.Attributes) *string { return &a.SchemaID })
	add("campaignTrigger", s.CampaignTrigger, func(a *webhook.Attributes) *string { return &a.CampaignTrigger })
	add("initiatedBy", s.InitiatedBy, func(a *webhook.Attributes) *string { return &a.InitiatedBy })
	return append(list, attribute{
		name: "listIds", rule: s.ListIDs,
		get: func(a *webhook.Attributes) []string { return a.ListIDs },
		set: func(a *webhook.Attributes, values []string) { a.ListIDs = values },
	})
}

// rules lists the attributes that have one.
func (s AttributeSchema) rules() []attribute {
	return slices.DeleteFunc(s.attributes(), func(a attribute) bool { return a.rule == AttributeRule{} })
}

// attributeRules returns the rules an event of these kinds is under: the
// profile's, and each kind's own.
func (p *Profile) attributeRules(kinds []*kind) []attribute {
	rules := slices.Clip(p.rules)
	for _, k := range kinds {
		rules = append(rules, k.rules...)
	}
	return rules
}

// fillFromData sets an attribute that was left out from the event's data, where
// its rule says so.
func (a attribute) fillFromData(e *webhook.Event, members map[string]any) {
	path, found := strings.CutPrefix(a.rule.From, fromData)
	if !found || len(a.get(&e.Attributes)) > 0 {
		return
	}
	value, _ := lookup(members, path)
	if texts := scalarTexts(value); len(texts) > 0 {
		a.set(&e.Attributes, texts)
	}
}

// fillFromSource sets an attribute that was left out to the event's source.
func (a attribute) fillFromSource(e *webhook.Event) {
	if a.rule.From == fromSource && len(a.get(&e.Attributes)) == 0 {
		a.set(&e.Attributes, []string{string(e.Source)})
	}
}

func (a attribute) check(e *webhook.Event, faults map[string]string) {
	if a.rule.Required && len(a.get(&e.Attributes)) == 0 {
		faults["attributes."+a.name] = "is required for " + e.Type
	}
}

// The two forms of AttributeRule.From.
const (
	fromSource = "source"
	fromData   = "data."
)

// scalarTexts returns a scalar, or the scalars of an array, as texts.
func scalarTexts(value any) []string {
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	var texts []string
	for _, item := range list {
		switch v := item.(type) {
		case string:
			if v != "" {
				texts = append(texts, v)
			}
		case number:
			texts = append(texts, string(v))
		case bool:
			texts = append(texts, strconv.FormatBool(v))
		}
	}
	return texts
}
