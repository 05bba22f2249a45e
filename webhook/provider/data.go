package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"

	"posthaste/webhook"
)

// number is a JSON number as written.
type number = json.Number

// parseMembers reads an event's data for the checks. Data that is no object has
// no members.
func parseMembers(data webhook.JSON) (map[string]any, error) {
	if len(data) == 0 {
		return nil, nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	members, _ := value.(map[string]any)
	return members, nil
}

// lookup follows a path such as contact.email.
func lookup(members map[string]any, path string) (any, bool) {
	name, rest, deeper := strings.Cut(path, ".")
	value, found := members[name]
	if !found || !deeper {
		return value, found
	}
	inner, _ := value.(map[string]any)
	return lookup(inner, rest)
}

// fieldTypes says which JSON values each type of a FieldSchema lets through.
var fieldTypes = map[string]func(any) bool{
	"any":     func(any) bool { return true },
	"scalar":  isScalar,
	"string":  isType[string],
	"number":  isType[number],
	"integer": isInteger,
	"boolean": isType[bool],
	"object":  isType[map[string]any],
	"array":   isType[[]any],
}

func isType[T any](value any) bool {
	_, ok := value.(T)
	return ok
}

func isScalar(value any) bool {
	return isType[string](value) || isType[number](value) || isType[bool](value)
}

func isInteger(value any) bool {
	text, ok := value.(number)
	if !ok {
		return false
	}
	rational, ok := new(big.Rat).SetString(string(text))
	return ok && rational.IsInt()
}

// checkData holds the event's data to the fields that the profile lists. Members
// that it does not list are the producer's own and pass.
func (k *kind) checkData(members map[string]any, faults map[string]string) {
	members = k.renamed(members)
	for _, field := range k.Data {
		value, _ := lookup(members, field.Name)
		name := "data." + k.givenName(field.Name)
		switch {
		case value == nil && field.Required:
			faults[name] = "is required for " + k.Type
		case value == nil:
		case !fieldTypes[field.Type](value):
			faults[name] = "must be of type " + field.Type
		case len(field.Values) > 0 && !slices.Contains(field.Values, fmt.Sprint(value)):
			faults[name] = "must be one of " + strings.Join(field.Values, ", ")
		}
	}
}

// renamed gives the members the names they have in this version.
func (k *kind) renamed(members map[string]any) map[string]any {
	if len(k.Rename) == 0 {
		return members
	}
	result := maps.Clone(members)
	for from, to := range k.Rename {
		if value, found := members[from]; found {
			delete(result, from)
			if _, taken := members[to]; !taken {
				result[to] = value
			}
		}
	}
	return result
}

// givenName is the name by which faults call a field: the default version's, so
// that one mistake in an event of two versions is named once.
func (k *kind) givenName(name string) string {
	if k.isDefault {
		return name
	}
	for from, to := range k.Rename {
		if to == name {
			return from
		}
	}
	return name
}

// renameMembers gives the top members of an object the names they have in a
// version, every other byte as it is. A member whose new name is taken is left
// out: the one that has the name already says the same.
func renameMembers(data webhook.JSON, rename map[string]string) (webhook.JSON, error) {
	if len(rename) == 0 || len(data) == 0 || data[0] != '{' {
		return data, nil
	}
	members, err := splitObject(data)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(data)+32)
	out = append(out, '{')
	for _, m := range members {
		key := m.rawKey
		if to, found := rename[m.key]; found {
			if slices.ContainsFunc(members, func(other member) bool { return other.key == to }) {
				continue
			}
			key = []byte(`"` + to + `"`)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), m.value...)
	}
	return append(out, '}'), nil
}

// member is one member of an object, as text.
type member struct {
	key    string
	rawKey []byte
	value  json.RawMessage
}

// splitObject takes canonical object text apart without changing a byte of it.
func splitObject(data webhook.JSON) ([]member, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("read the event's data: %w", err)
	}
	var members []member
	for decoder.More() {
		start := decoder.InputOffset()
		token, err := decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("read the event's data: %w", err)
		}
		key, _ := token.(string)
		m := member{key: key, rawKey: bytes.TrimLeft(data[start:decoder.InputOffset()], ",")}
		if err := decoder.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("read the event's data: %w", err)
		}
		members = append(members, m)
	}
	return members, nil
}
