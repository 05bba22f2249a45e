package provider

import (
	"bytes"
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

// omission is an OmitSchema, compiled.
type omission struct {
	steps []omitStep
	value []byte // canonical; nil = whatever the value is
}

// omitStep leads into a member, or into each element of the array it holds.
type omitStep struct {
	key  string // with its quotes
	each bool
}

func newOmissions(list []OmitSchema) []omission {
	omissions := make([]omission, len(list))
	for i, schema := range list {
		if schema.Value.given {
			omissions[i].value = schema.Value.text
		}
		for step := range strings.SplitSeq(schema.Member, ".") {
			name, each := strings.CutSuffix(step, eachElement)
			omissions[i].steps = append(omissions[i].steps, omitStep{payload.Quote(name), each})
		}
	}
	return omissions
}

// omitMembers returns the data without the members that the event leaves out,
// every other byte as it is.
func omitMembers(data webhook.JSON, list []omission) (webhook.JSON, error) {
	for _, omit := range list {
		var err error
		if data, err = omit.without(data, omit.steps); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// without takes the member at the end of the steps out of the object; what is no
// object stays as it is.
func (o omission) without(data []byte, steps []omitStep) ([]byte, error) {
	if len(data) == 0 || data[0] != '{' {
		return data, nil
	}
	members, err := splitObject(data)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(members, func(m payload.Member) bool { return string(m.Key) == steps[0].key })
	switch {
	case i < 0:
		return data, nil
	case len(steps) > 1:
		if members[i].Value, err = o.withoutDeeper(members[i].Value, steps[0].each, steps[1:]); err != nil {
			return nil, err
		}
		return joinObject(members), nil
	case o.value == nil || bytes.Equal(o.value, members[i].Value):
		return joinObject(slices.Delete(members, i, i+1)), nil
	}
	return data, nil
}

// withoutDeeper goes on below a member: into the object itself, or into each
// element of the array.
func (o omission) withoutDeeper(value []byte, each bool, steps []omitStep) ([]byte, error) {
	if !each {
		return o.without(value, steps)
	}
	if len(value) == 0 || value[0] != '[' {
		return value, nil
	}
	elements, err := payload.Elements(value)
	if err != nil {
		return nil, fmt.Errorf("read the event's data: %w", err)
	}
	out := append(make([]byte, 0, len(value)), '[')
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
