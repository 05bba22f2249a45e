package payload

import (
	"regexp"

	"github.com/goccy/go-yaml"
)

// attributeName is what CloudEvents allows as the name of a context attribute:
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#naming-conventions
var attributeName = regexp.MustCompile(`^[a-z0-9]{1,20}$`)

// fixedAttributes may not be replaced by an envelope: they say what Posthaste
// itself knows.
var fixedAttributes = map[string]bool{
	"specversion": true, "id": true, "time": true, "datacontenttype": true, "data": true,
}

// compileCloudEvents compiles format cloudevents: one event in structured JSON
// mode, CloudEvents 1.0. The envelope may replace source and type and add
// attributes (subject, extensions); it holds no nested values.
func compileCloudEvents(spec Spec) (writer, error) {
	if err := refuseForm(spec); err != nil {
		return nil, err
	}
	body := yaml.MapSlice{
		{Key: "specversion", Value: "1.0"},
		{Key: "id", Value: "$event.id"},
		{Key: "source", Value: "/${event.provider}/${event.tenant}"},
		{Key: "type", Value: "$event.type"},
		{Key: "time", Value: "$event.occurredAt"},
		{Key: "datacontenttype", Value: "application/json"},
	}
	more, isMapping := spec.Envelope.tree.(yaml.MapSlice)
	if spec.Envelope.tree != nil && !isMapping {
		return nil, specFault("envelope", "must be a mapping of context attributes")
	}
	for _, attribute := range more {
		name, _ := attribute.Key.(string)
		if !attributeName.MatchString(name) || fixedAttributes[name] {
			return nil, specFault("envelope", "%v cannot be set as a context attribute", attribute.Key)
		}
		switch attribute.Value.(type) {
		case yaml.MapSlice, []any, nil:
			return nil, specFault("envelope."+name, "must be a plain value")
		}
		body = setMember(body, name, attribute.Value)
	}
	return compileTemplate(append(body, yaml.MapItem{Key: "data", Value: "$event.data"}))
}

// setMember replaces the value of a key, or adds the key at the end.
func setMember(members yaml.MapSlice, key string, value any) yaml.MapSlice {
	for i := range members {
		if members[i].Key == key {
			members[i].Value = value
			return members
		}
	}
	return append(members, yaml.MapItem{Key: key, Value: value})
}
