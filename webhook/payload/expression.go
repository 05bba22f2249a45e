package payload

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// expression is a leaf of a template, compiled.
type expression struct {
	get      getter
	optional bool     // `?`: a missing value leaves the member out
	literal  []byte   // canonical JSON, when the leaf is no more than that
	data     [][]step // what of the event's data it reads
}

// value returns what the expression comes to.
func (e *expression) value(s *scope) value {
	if e.literal != nil {
		return value{raw: e.literal}
	}
	return e.get(s)
}

// newExpression compiles one leaf: a scalar from YAML.
func newExpression(leaf any) (*expression, error) {
	text, isText := leaf.(string)
	if !isText {
		literal, err := scalarLiteral(leaf)
		return &expression{literal: literal}, err
	}
	switch {
	case !strings.Contains(text, "$"):
		return &expression{literal: appendString(nil, text)}, nil
	case len(text) > 1 && text[0] == '$' && text[1] != '$' && text[1] != '{':
		return newChoice(text)
	}
	return newTextWithValues(text)
}

// scalarLiteral writes a YAML scalar as canonical JSON.
func scalarLiteral(leaf any) ([]byte, error) {
	switch leaf := leaf.(type) {
	case nil:
		return nullText, nil
	case bool:
		return strconv.AppendBool(nil, leaf), nil
	case int, int64, uint64, float64:
		number, err := Canonical("literal", []byte(fmt.Sprint(leaf)))
		if err != nil { // beyond 2^53, or .inf and .nan
			return nil, fmt.Errorf("%v is a number that JavaScript cannot hold exactly", leaf)
		}
		return number, nil
	}
	return nil, fmt.Errorf("%v is not text, a number, a boolean or null", leaf)
}

// newChoice compiles `$a`, `$a?` and `$a ?? $b ?? literal`.
func newChoice(text string) (*expression, error) {
	text, optional := strings.CutSuffix(strings.TrimSpace(text), "?")
	e := &expression{optional: optional}
	var choices []getter
	for choice := range strings.SplitSeq(text, "??") {
		choice = strings.TrimSpace(choice)
		name, isReference := strings.CutPrefix(choice, "$")
		if !isReference {
			literal, err := Canonical("literal", []byte(choice))
			if err != nil {
				return nil, fmt.Errorf("%q is neither a reference nor JSON", choice)
			}
			choices = append(choices, func(*scope) value { return jsonValue(literal) })
			continue
		}
		found, err := newReference(name)
		if err != nil {
			return nil, err
		}
		if found.inData {
			e.data = append(e.data, found.data)
		}
		choices = append(choices, found.get)
	}
	e.get = firstOf(choices)
	return e, nil
}

// firstOf returns the first value that is not missing, else the last one.
func firstOf(choices []getter) getter {
	if len(choices) == 1 {
		return choices[0]
	}
	return func(s *scope) value {
		var last value
		for _, get := range choices {
			if last = get(s); !last.missing {
				break
			}
		}
		return last
	}
}

// dollar finds what stands behind each dollar sign in text with values: a
// second dollar sign, or a name in braces.
var dollar = regexp.MustCompile(`\$(\$|\{[^}]*\})?`)

// newTextWithValues compiles text such as biz_${event.tenant}. A value that is
// missing adds nothing.
func newTextWithValues(text string) (*expression, error) {
	e := &expression{}
	var parts []getter
	addText := func(text string) {
		if text != "" {
			parts = append(parts, func(*scope) value { return textValue(text) })
		}
	}
	from := 0
	for _, at := range dollar.FindAllStringIndex(text, -1) {
		addText(text[from:at[0]])
		from = at[1]
		switch found := text[at[0]:at[1]]; found {
		case "$":
			return nil, errors.New("a dollar sign is written $$, a value in text ${name}")
		case "$$":
			addText("$")
		default:
			choice, err := newChoice("$" + found[2:len(found)-1])
			if err != nil {
				return nil, err
			}
			e.data = append(e.data, choice.data...)
			parts = append(parts, choice.get)
		}
	}
	addText(text[from:])
	e.get = func(s *scope) value {
		var joined []byte
		for _, get := range parts {
			part := get(s)
			joined = append(joined, part.plain()...)
		}
		return textValue(string(joined))
	}
	return e, nil
}
