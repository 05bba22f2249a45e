package payload

import (
	"fmt"
	"strings"
	"time"
)

// getter reads one value.
type getter func(*scope) value

// references holds every reference but those into the data and those to times.
var references = map[string]getter{
	"event.id":       func(s *scope) value { return textValue(s.in.Event.ID) },
	"event.tenant":   func(s *scope) value { return textValue(s.in.Event.Tenant) },
	"event.provider": func(s *scope) value { return textValue(s.in.Event.Provider) },
	"event.type":     func(s *scope) value { return textValue(s.in.Event.Type) },
	"event.source":   func(s *scope) value { return textValue(string(s.in.Event.Source)) },
	"event.test":     func(s *scope) value { return flagValue(s.in.Event.Test) },

	"event.attributes.campaignId":      func(s *scope) value { return givenText(s.in.Event.Attributes.CampaignID) },
	"event.attributes.listIds":         func(s *scope) value { return listValue(s.in.Event.Attributes.ListIDs) },
	"event.attributes.schemaId":        func(s *scope) value { return givenText(s.in.Event.Attributes.SchemaID) },
	"event.attributes.bulk":            func(s *scope) value { return flagValue(s.in.Event.Attributes.Bulk) },
	"event.attributes.campaignTrigger": func(s *scope) value { return givenText(s.in.Event.Attributes.CampaignTrigger) },
	"event.attributes.initiatedBy":     func(s *scope) value { return givenText(s.in.Event.Attributes.InitiatedBy) },

	"webhook.id":                 func(s *scope) value { return textValue(s.in.Subscription.ID) },
	"webhook.tenant":             func(s *scope) value { return textValue(s.in.Subscription.Tenant) },
	"webhook.provider":           func(s *scope) value { return textValue(s.in.Subscription.Provider) },
	"webhook.name":               func(s *scope) value { return givenText(s.in.Subscription.Name) },
	"webhook.url":                func(s *scope) value { return textValue(s.in.Subscription.URL) },
	"webhook.version":            func(s *scope) value { return givenText(s.in.Subscription.Version) },
	"webhook.filters.campaignId": func(s *scope) value { return givenText(s.in.Subscription.Filters.CampaignID) },
	"webhook.filters.listId":     func(s *scope) value { return givenText(s.in.Subscription.Filters.ListID) },
	"webhook.filters.schemaId":   func(s *scope) value { return givenText(s.in.Subscription.Filters.SchemaID) },

	"delivery.id": func(s *scope) value { return textValue(s.in.DeliveryID) },
}

// times holds the references to times; each has the forms of timeForms.
var times = map[string]func(*scope) time.Time{
	"event.occurredAt": func(s *scope) time.Time { return s.in.Event.OccurredAt },
	"event.acceptedAt": func(s *scope) time.Time { return s.in.Event.AcceptedAt },
	"now":              func(s *scope) time.Time { return s.in.Now },
}

// timeForms holds the forms of a time by what stands behind its name.
var timeForms = map[string]func(time.Time) value{
	"":           timeValue,
	".offset":    func(t time.Time) value { return textValue(t.UTC().Format(offsetLayout)) },
	".unix":      func(t time.Time) value { return numberValue(t.Unix()) },
	".unixMilli": func(t time.Time) value { return numberValue(t.UnixMilli()) },
}

// reference is a name after a dollar sign, resolved.
type reference struct {
	get  getter
	data []step // where in the event's data it leads, when inData
	// inData says that the value comes from the event's data, so that a form
	// does not send it a second time.
	inData bool
}

// newReference resolves a name such as event.type or data.items[0].
func newReference(name string) (reference, error) {
	if get, known := references[name]; known {
		return reference{get: get}, nil
	}
	for timeName, at := range times {
		if form, known := timeForms[strings.TrimPrefix(name, timeName)]; known && strings.HasPrefix(name, timeName) {
			return reference{get: func(s *scope) value { return form(at(s)) }}, nil
		}
	}
	path, inCustom := strings.CutPrefix(name, "event.customData")
	inData := false
	if !inCustom {
		path, inData = strings.CutPrefix(strings.TrimPrefix(name, "event."), "data")
	}
	if !inData && !inCustom {
		return reference{}, fmt.Errorf("unknown reference $%s", name)
	}
	steps, err := parsePath(path)
	if err != nil {
		return reference{}, fmt.Errorf("reference $%s: %w", name, err)
	}
	if inCustom {
		return reference{get: customGetter(steps)}, nil
	}
	return reference{get: dataGetter(steps), data: steps, inData: true}, nil
}

// dataGetter reads a member of the event's data; without steps all of it, as it
// is, which needs no taking apart.
func dataGetter(steps []step) getter {
	if len(steps) == 0 {
		return func(s *scope) value {
			if len(s.in.Event.Data) == 0 {
				return missingValue()
			}
			return jsonValue(s.in.Event.Data)
		}
	}
	return func(s *scope) value { return memberOf(s.dataTree(), steps) }
}

func customGetter(steps []step) getter {
	if len(steps) == 0 {
		return func(s *scope) value {
			if len(s.in.Event.CustomData) == 0 {
				return missingValue()
			}
			return jsonValue(s.in.Event.CustomData)
		}
	}
	return func(s *scope) value { return memberOf(s.customTree(), steps) }
}

func memberOf(t *tree, steps []step) value {
	if t == nil {
		return missingValue()
	}
	n := t.find(0, steps)
	if n < 0 {
		return missingValue()
	}
	return nodeValue(t, n)
}

// parsePath reads what follows the root of a reference: .name and [any name],
// any number of times.
func parsePath(path string) ([]step, error) {
	var steps []step
	for len(path) > 0 {
		var key string
		switch path[0] {
		case '.':
			end := 1
			for end < len(path) && path[end] != '.' && path[end] != '[' {
				end++
			}
			key, path = path[1:end], path[end:]
		case '[':
			inner, rest, closed := strings.Cut(path[1:], "]")
			if !closed {
				return nil, fmt.Errorf("a [ without its ]")
			}
			key, path = inner, rest
		default:
			return nil, fmt.Errorf("%q must start with . or [", path)
		}
		if key == "" {
			return nil, fmt.Errorf("a member without a name")
		}
		steps = append(steps, newStep(key))
	}
	return steps, nil
}
