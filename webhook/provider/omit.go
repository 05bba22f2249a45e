package provider

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"posthaste/webhook"
	"posthaste/webhook/payload"
)

// eachElement stands behind a name in the path of an OmitSchema: what follows is
// looked for in every element of the array of that name.
const eachElement = "[]"

// checkOmit looks at what an event leaves out and makes the values canonical, so
// that they can be compared with the data as text.
func checkOmit(doc *document, key string, list []OmitSchema) {
	for i := range list {
		place := fmt.Sprintf("%s.omit[%d]", key, i)
		steps := strings.Split(list[i].Member, ".")
		last := steps[len(steps)-1]
		if slices.Contains(steps, "") || slices.Contains(steps, eachElement) || strings.HasSuffix(last, eachElement) {
			doc.fault(place+".member", "must be a path such as note or rows[].note")
		}
		if !list[i].Value.given {
			continue
		}
		text, err := payload.Canonical("value", list[i].Value.text)
		if err != nil {
			doc.fault(place+".value", "%v", err)
		}
		list[i].Value.text = text
	}
}

// omitMembers returns the data without the members that the event leaves out,
// every other byte as it is.
func omitMembers(data webhook.JSON, list []OmitSchema) (webhook.JSON, error) {
	for _, omit := range list {
		var err error
		if data, err = omit.without(data, strings.Split(omit.Member, ".")); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// without takes the member at the end of the steps out of the object; what is no
// object stays as it is.
func (o OmitSchema) without(data []byte, steps []string) ([]byte, error) {
	if len(data) == 0 || data[0] != '{' {
		return data, nil
	}
	members, err := splitObject(data)
	if err != nil {
		return nil, err
	}
	name, each := strings.CutSuffix(steps[0], eachElement)
	kept := members[:0]
	for _, m := range members {
		switch {
		case m.key != name:
		case len(steps) > 1:
			if m.value, err = o.withoutDeeper(m.value, each, steps[1:]); err != nil {
				return nil, err
			}
		case !o.Value.given || bytes.Equal(o.Value.text, m.value):
			continue
		}
		kept = append(kept, m)
	}
	return joinObject(kept), nil
}

// withoutDeeper goes on below a member: into the object itself, or into each
// element of the array.
func (o OmitSchema) withoutDeeper(value []byte, each bool, steps []string) ([]byte, error) {
	if !each {
		return o.without(value, steps)
	}
	if len(value) == 0 || value[0] != '[' {
		return value, nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(value, &elements); err != nil {
		return nil, fmt.Errorf("read the event's data: %w", err)
	}
	out := []byte{'['}
	for i, element := range elements {
		rest, err := o.without(element, steps)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, rest...)
	}
	return append(out, ']'), nil
}

// joinObject is the inverse of splitObject.
func joinObject(members []member) []byte {
	out := []byte{'{'}
	for _, m := range members {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, m.rawKey...), ':'), m.value...)
	}
	return append(out, '}')
}
