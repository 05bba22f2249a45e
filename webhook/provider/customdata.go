package provider

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"posthaste/webhook"
)

// checkCustomData lets customData pass only where the profile has a place for
// it, within its limits.
func (p *Profile) checkCustomData(e *webhook.Event, faults map[string]string) {
	if len(e.CustomData) == 0 {
		return
	}
	rule := p.schema.CustomData
	if rule == nil || len(rule.Events) > 0 && !slices.Contains(rule.Events, e.Type) {
		faults["customData"] = fmt.Sprintf("has no place in %s of %s", e.Type, p.schema.Title)
		return
	}
	value, err := parseValue(e.CustomData)
	members, isObject := value.(map[string]any)
	if err != nil || !isObject {
		faults["customData"] = "must be an object"
		return
	}
	fault := rule.check(members)
	switch {
	case fault == "":
	case rule.OverLimit == overLimitDrop:
		e.CustomData = nil
	default:
		faults["customData"] = fault
	}
}

// The two answers to customData over its limits.
const (
	overLimitDrop   = "drop"
	overLimitRefuse = "refuse"
)

func (c CustomData) check(members map[string]any) string {
	if c.MaxPairs > 0 && len(members) > c.MaxPairs {
		return fmt.Sprintf("must have at most %d members", c.MaxPairs)
	}
	for key, value := range members {
		text, isText := value.(string)
		switch {
		case c.MaxKeyLength > 0 && utf8.RuneCountInString(key) > c.MaxKeyLength:
			return fmt.Sprintf("must have keys of at most %d characters", c.MaxKeyLength)
		case c.StringsOnly && !isText:
			return "must hold texts only"
		case c.MaxValueLength > 0 && utf8.RuneCountInString(text) > c.MaxValueLength:
			return fmt.Sprintf("must have values of at most %d characters", c.MaxValueLength)
		}
	}
	return ""
}
