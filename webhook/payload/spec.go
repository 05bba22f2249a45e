package payload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"posthaste/webhook"
)

// Spec is the `payload` part of a profile: one way of writing the bodies of one
// provider, of one version of it, or of one event type. It is complete in
// itself. Its YAML keys:
//
//	format:      json, standard, cloudevents or form
//	contentType: replaces the format's own content type
//	envelope:    format json: the body; format cloudevents: more context
//	             attributes (Template says how it is written)
//	form:        format form: which keys, in which order (Form)
type Spec struct {
	Format      string   `yaml:"format"`
	ContentType string   `yaml:"contentType"`
	Envelope    Template `yaml:"envelope"`
	Form        Form     `yaml:"form"`
}

// Template is an ordered tree as written in YAML: mappings keep their order,
// and every leaf is a literal or an expression.
//
//	apiVersion: "2021-08-23"            a literal: text, number, boolean, null, [] or {}
//	type: $event.type                   a reference: the member takes its value and its JSON type
//	customData: $event.customData?      optional: the key is left out when there is no value
//	id: $data.id ?? $event.id           the first one that has a value
//	rows: $data.rows ?? []              ... or a literal, written as JSON
//	businessId: biz_${event.tenant}     text with values in it
//	price: $$5                          a dollar sign is written twice
//
// Leaves with brackets, braces or a colon need quotes where YAML would read
// these otherwise, above all inside its own [] and {}.
//
// A value is missing when the member is absent or null, an attribute was not
// given, a list is empty or a flag is false; a reference without `?` and `??`
// then gives null, "", [] or false by its kind.
//
// References: event.id, .tenant, .provider, .type, .source, .occurredAt,
// .acceptedAt, .test, .data, .customData, .attributes.campaignId, .listIds,
// .schemaId, .bulk, .campaignTrigger, .initiatedBy (all under attributes);
// webhook.id, .tenant, .provider, .name, .url, .version, .filters.campaignId,
// .filters.listId, .filters.schemaId; delivery.id; now.
//
// A time reads 2026-05-30T10:00:00.000Z; with .offset behind it
// 2026-05-30T10:00:00+00:00, with .unix or .unixMilli the number.
//
// A member of the event's data is $data.contact.email; a name with other
// characters goes into brackets: $data.account.fields[Address 1]. An array
// element is $data.items[0]. $event.customData.name works alike.
type Template struct {
	tree any // nil, scalar, []any or yaml.MapSlice
}

// UnmarshalYAML keeps the order of mappings, at every depth: the order is read
// from the keys, the values one by one.
func (t *Template) UnmarshalYAML(unmarshal func(any) error) error {
	var plain any
	if err := unmarshal(&plain); err != nil {
		return err
	}
	switch plain.(type) {
	case map[string]any, map[any]any, yaml.MapSlice:
		return t.readMapping(unmarshal)
	case []any:
		var elements []Template
		if err := unmarshal(&elements); err != nil {
			return err
		}
		list := make([]any, len(elements))
		for i, element := range elements {
			list[i] = element.tree
		}
		t.tree = list
		return nil
	}
	t.tree = plain
	return nil
}

func (t *Template) readMapping(unmarshal func(any) error) error {
	var order yaml.MapSlice
	if err := unmarshal(&order); err != nil {
		return err
	}
	var values map[string]Template
	if err := unmarshal(&values); err != nil {
		return err
	}
	members := make(yaml.MapSlice, len(order))
	for i, item := range order {
		members[i] = yaml.MapItem{Key: item.Key, Value: values[fmt.Sprint(item.Key)].tree}
	}
	t.tree = members
	return nil
}

// Form says which keys a form body has. Its YAML keys:
//
//	groups: named lists of fields, to be used in other lists
//	events: the fields of each event type
//	fields: the fields of every event type that events does not name
//
// Data that no listed field names or reads follows behind the listed ones, in
// the data's own order, so that nothing the producer gave is dropped. A listed
// key owns its name: a data member that would be sent under the very same key is
// left out when the field takes its value from elsewhere, or when its condition
// does not hold.
//
// Keys and values are encoded as PHP's http_build_query does it; true is 1,
// false is 0, null is empty, numbers are canonical.
type Form struct {
	Groups map[string][]Field `yaml:"groups"`
	Events map[string][]Field `yaml:"events"`
	Fields []Field            `yaml:"fields"`
}

// EventTypes returns the event types that have fields of their own, sorted, so
// that a profile can hold them to its catalogue.
func (f Form) EventTypes() []string { return sortedKeys(f.Events) }

// Field is one listed key of a form body. In YAML it is the key alone, with a
// `?` behind it when optional ("contact[email]", "form[id]?"), or a mapping:
//
//	group:         use the fields of that group here; alone in its mapping
//	key:           as the receiver reads it: contact[email]. `contact[fields][*]`
//	               sends one key per member of the object or array found there;
//	               `list[][id]` sends the same key once per element
//	value:         a literal or an expression as in Template; absent = the member
//	               of the event's data that the key names (contact[email] is
//	               $data.contact.email)
//	map:           text to text, for values that read differently on the wire
//	               ({api: admin}); others pass
//	join:          an array of plain values is sent as one text, joined by this;
//	               without it, or with anything deeper, one key per element
//	presence:      always (empty when missing; the default) or optional (no key
//	               when missing); [*] and [] send what there is
//	sources:       only for events of these sources
//	exceptSources: not for events of these sources
type Field struct {
	Group         string            `yaml:"group"`
	Key           string            `yaml:"key"`
	Value         Template          `yaml:"value"`
	Map           map[string]string `yaml:"map"`
	Join          *string           `yaml:"join"`
	Presence      string            `yaml:"presence"`
	Sources       []webhook.Source  `yaml:"sources"`
	ExceptSources []webhook.Source  `yaml:"exceptSources"`
}

// The two presences.
const (
	presenceAlways   = "always"
	presenceOptional = "optional"
)

// UnmarshalYAML reads the short form, a key alone, and the mapping.
func (f *Field) UnmarshalYAML(unmarshal func(any) error) error {
	var short string
	if err := unmarshal(&short); err == nil {
		f.Key = short
		if key, optional := strings.CutSuffix(short, "?"); optional {
			f.Key, f.Presence = key, presenceOptional
		}
		return nil
	}
	type mapping Field
	return unmarshal((*mapping)(f))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func quotedList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(quoted, ", ")
}
