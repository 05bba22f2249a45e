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
	"posthaste/webhook/payload"
)

// number is a JSON number as written.
type number = json.Number

// listReads lists the top members of an event's data that its checks look at: their
// names by how they stand in the data. Most of a large event is passed on unread.
func (k *kind) listReads(rules []attribute) {
	k.reads = map[string]string{}
	add := func(path string) {
		name, _, _ := strings.Cut(path, ".")
		k.reads[payload.Quote(name)] = name
	}
	for _, rule := range rules {
		if path, found := strings.CutPrefix(rule.rule.From, fromData); found {
			add(path)
		}
	}
	for _, field := range k.Data {
		add(field.Name)
	}
	if len(k.Data) == 0 {
		return
	}
	for from, to := range k.Rename {
		add(from)
		add(to)
	}
}

// readMembers reads what the checks of these kinds look at. Data that is no
// object has no members.
func readMembers(data webhook.JSON, kinds []*kind) (map[string]any, error) {
	none := !slices.ContainsFunc(kinds, func(k *kind) bool { return len(k.reads) > 0 })
	if none || len(data) == 0 || data[0] != '{' {
		return nil, nil
	}
	list, err := splitObject(data)
	if err != nil {
		return nil, err
	}
	members := map[string]any{}
	for _, m := range list {
		for _, k := range kinds {
			if name, read := k.reads[string(m.Key)]; read {
				if members[name], err = parseValue(m.Value); err != nil {
					return nil, err
				}
				break
			}
		}
	}
	return members, nil
}

// parseValue reads canonical JSON, plain values without a decoder.
func parseValue(text []byte) (any, error) {
	switch text[0] {
	case 'n':
		return nil, nil
	case 't', 'f':
		return text[0] == 't', nil
	case '"':
		if bytes.IndexByte(text, '\\') < 0 {
			return string(text[1 : len(text)-1]), nil
		}
	case '{', '[':
	default:
		return number(text), nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	return value, err
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
// out: the one that has the name already says the same. Names come quoted.
func renameMembers(data webhook.JSON, rename map[string]string) (webhook.JSON, error) {
	if len(rename) == 0 || len(data) == 0 || data[0] != '{' {
		return data, nil
	}
	members, err := splitObject(data)
	if err != nil {
		return nil, err
	}
	kept := make([]payload.Member, 0, len(members))
	changed := false
	for _, m := range members {
		if to, found := rename[string(m.Key)]; found {
			changed = true
			if slices.ContainsFunc(members, func(other payload.Member) bool { return string(other.Key) == to }) {
				continue
			}
			m.Key = []byte(to)
		}
		kept = append(kept, m)
	}
	if !changed {
		return data, nil
	}
	return joinObject(kept), nil
}

// splitObject takes canonical object text apart without changing a byte of it.
func splitObject(data []byte) ([]payload.Member, error) {
	members, err := payload.Members(data)
	if err != nil {
		return nil, fmt.Errorf("read the event's data: %w", err)
	}
	return members, nil
}

// joinObject is the inverse of splitObject.
func joinObject(members []payload.Member) []byte {
	room := 2
	for _, m := range members {
		room += len(m.Key) + len(m.Value) + 2
	}
	out := append(make([]byte, 0, room), '{')
	for _, m := range members {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, m.Key...), ':'), m.Value...)
	}
	return append(out, '}')
}
