package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"posthaste/errs"
)

// object reads the members of one JSON object strictly, and gathers everything
// that is wrong in one map: a member of the wrong type, one given twice, one
// nobody asked for. A null leaves a member at its zero value, which is how a
// PATCH takes a setting back. Faults are keyed by path, such as
// "retry.delaysSeconds[2]".
type object struct {
	path    string // "" for the body
	members map[string]json.RawMessage
	known   map[string]bool
	faults  map[string]string // shared by the objects of one body
}

func newObject(path string, members map[string]json.RawMessage, faults map[string]string) *object {
	return &object{path: path, members: members, known: map[string]bool{}, faults: faults}
}

// parseObject takes valid JSON apart; nil when it is no object.
func parseObject(text []byte, path string, faults map[string]string) *object {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return nil
	}
	found := newObject(path, map[string]json.RawMessage{}, faults)
	for decoder.More() {
		token, err := decoder.Token()
		name, isText := token.(string)
		var value json.RawMessage
		if err != nil || !isText || decoder.Decode(&value) != nil {
			return nil // cannot be: the text was checked
		}
		if _, twice := found.members[name]; twice {
			found.fault(name, "is given twice")
		}
		found.members[name] = value
	}
	return found
}

// at is the path of a member.
func (o *object) at(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// fault notes the first thing that is wrong with a member.
func (o *object) fault(name, format string, args ...any) {
	if _, already := o.faults[o.at(name)]; !already {
		o.faults[o.at(name)] = fmt.Sprintf(format, args...)
	}
}

// given tells whether the member is there, be it null.
func (o *object) given(name string) bool {
	_, ok := o.members[name]
	return ok
}

// has tells whether the member is there and not null.
func (o *object) has(name string) bool {
	value, ok := o.members[name]
	return ok && string(value) != "null"
}

// require faults members that are absent or null.
func (o *object) require(names ...string) {
	for _, name := range names {
		if !o.has(name) {
			o.fault(name, "is required")
		}
	}
}

// refuse faults members that exist but cannot be set here.
func (o *object) refuse(reason string, names ...string) {
	for _, name := range names {
		o.known[name] = true
		if o.given(name) {
			o.fault(name, "%s", reason)
		}
	}
}

// done faults every member that was not read and returns all faults as one
// error; nil when there are none.
func (o *object) done() error {
	o.close()
	if len(o.faults) == 0 {
		return nil
	}
	return errs.InvalidFields(o.faults)
}

func (o *object) close() {
	for name := range o.members {
		if !o.known[name] {
			o.fault(name, "is not a known field")
		}
	}
}

// raw returns the member as it was sent; nil when absent or null.
func (o *object) raw(name string) json.RawMessage {
	o.known[name] = true
	if !o.has(name) {
		return nil
	}
	return o.members[name]
}

// child returns the member as an object; nil when absent, null or at fault. The
// caller closes it.
func (o *object) child(name string) *object {
	value := o.raw(name)
	if value == nil {
		return nil
	}
	found := parseObject(value, o.at(name), o.faults)
	if found == nil {
		o.fault(name, "must be an object")
	}
	return found
}

// text reads a string of at most limit characters.
func (o *object) text(name string, limit int, into *string) {
	if !read(o, name, "must be a string", into) {
		return
	}
	if reason := textFault(*into, limit); reason != "" {
		o.fault(name, "%s", reason)
	}
}

// textFault says what is wrong with a text that goes into a column or a header.
func textFault(text string, limit int) string {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "must not hold control characters"
	}
	if len([]rune(text)) > limit {
		return fmt.Sprintf("must have at most %d characters", limit)
	}
	return ""
}

// whole reads a whole number.
func (o *object) whole(name string, into *int) { read(o, name, "must be a whole number", into) }

// number reads any number.
func (o *object) number(name string, into *float64) { read(o, name, "must be a number", into) }

// flag reads true or false.
func (o *object) flag(name string, into *bool) { read(o, name, "must be true or false", into) }

// texts reads a list of at most count strings.
func (o *object) texts(name string, count, limit int, into *[]string) {
	list := readList(o, name, count, "must be a string", into)
	for i, text := range list {
		if reason := textFault(text, limit); reason != "" {
			o.fault(fmt.Sprintf("%s[%d]", name, i), "%s", reason)
		}
	}
}

// wholes reads a list of at most count whole numbers.
func (o *object) wholes(name string, count int, into *[]int) {
	readList(o, name, count, "must be a whole number", into)
}

// textMap reads an object whose values are all strings.
func (o *object) textMap(name string, count, limit int, into *map[string]string) {
	if o.given(name) {
		*into = map[string]string{}
	}
	members := o.child(name)
	if members == nil {
		return
	}
	if len(members.members) > count {
		o.fault(name, "must have at most %d members", count)
		return
	}
	for key := range members.members {
		var value string
		members.require(key)
		members.text(key, limit, &value)
		(*into)[key] = value
	}
}

// read decodes a member into a value of a plain type, and tells whether it did.
// A null sets the zero value; an absent member changes nothing.
func read[T any](o *object, name, wanted string, into *T) bool {
	o.known[name] = true
	if !o.given(name) {
		return false
	}
	var value T
	if err := json.Unmarshal(o.members[name], &value); err != nil {
		o.fault(name, "%s", wanted)
		return false
	}
	*into = value
	return true
}

// elements reads a list of at most count values of any kind, as they were sent,
// and tells whether it did.
func (o *object) elements(name string, count int) ([]json.RawMessage, bool) {
	var elements []json.RawMessage
	if !read(o, name, "must be a list", &elements) {
		return nil, false
	}
	if len(elements) > count {
		o.fault(name, "must have at most %d elements", count)
		return nil, false
	}
	return elements, true
}

// readList decodes a list whose elements are all of one plain type.
func readList[T any](o *object, name string, count int, wanted string, into *[]T) []T {
	elements, given := o.elements(name, count)
	if !given {
		return nil
	}
	list := make([]T, len(elements))
	for i, element := range elements {
		if string(element) == "null" || json.Unmarshal(element, &list[i]) != nil {
			o.fault(fmt.Sprintf("%s[%d]", name, i), "%s", wanted)
		}
	}
	*into = slices.Clip(list)
	return list
}
