package signing

import (
	"fmt"
	"slices"
	"strings"
)

// template is text with placeholders in braces, such as "t={t},v2={sig}".
type template []part

// part is either literal text or a placeholder's name.
type part struct {
	literal string
	name    string
}

// parseTemplate splits the text; only the given placeholder names are known.
func parseTemplate(text string, known ...string) (template, error) {
	var parts template
	for text != "" {
		open := strings.IndexAny(text, "{}")
		if open < 0 {
			return append(parts, part{literal: text}), nil
		}
		if open > 0 {
			parts = append(parts, part{literal: text[:open]})
		}
		end := strings.IndexByte(text[open:], '}')
		if text[open] == '}' || end < 0 {
			return nil, fmt.Errorf("has a brace without its partner")
		}
		name := text[open+1 : open+end]
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown placeholder {%s}; known: {%s}", name, strings.Join(known, "}, {"))
		}
		parts = append(parts, part{name: name})
		text = text[open+end+1:]
	}
	return parts, nil
}

// uses reports whether the placeholder occurs.
func (t template) uses(name string) bool {
	return slices.ContainsFunc(t, func(p part) bool { return p.name == name })
}

// readable returns an error when values could not be taken out of the filled
// text again: a placeholder twice, or two without text between them.
func (t template) readable() error {
	seen := map[string]bool{}
	for i, p := range t {
		if p.name == "" {
			continue
		}
		if seen[p.name] {
			return fmt.Errorf("has {%s} twice", p.name)
		}
		if i > 0 && t[i-1].name != "" {
			return fmt.Errorf("has no text between {%s} and {%s}", t[i-1].name, p.name)
		}
		seen[p.name] = true
	}
	return nil
}

// literals returns the text between the placeholders.
func (t template) literals() string {
	var text strings.Builder
	for _, p := range t {
		text.WriteString(p.literal)
	}
	return text.String()
}

// values stand in place of the placeholders; {body} is none of them.
type values struct{ id, t, sig string }

// of returns the place of the value of a placeholder, nil for literal text.
func (v *values) of(name string) *string {
	switch name {
	case "id":
		return &v.id
	case "t":
		return &v.t
	case "sig":
		return &v.sig
	}
	return nil
}

// appendTo appends the part, filled in.
func (p part) appendTo(dst []byte, v *values) []byte {
	if value := v.of(p.name); value != nil {
		return append(dst, *value...)
	}
	return append(dst, p.literal...)
}

// fill writes the template with the values in place of the placeholders.
func (t template) fill(v *values) string {
	text := make([]byte, 0, 128) // enough for a time and a signature
	for _, p := range t {
		text = p.appendTo(text, v)
	}
	return string(text)
}

// read is the inverse of fill: the values that make the text, or false.
func (t template) read(text string) (values, bool) {
	var v values
	for i, p := range t {
		if p.name == "" {
			rest, found := strings.CutPrefix(text, p.literal)
			if !found {
				return values{}, false
			}
			text = rest
			continue
		}
		end := len(text)
		if i+1 < len(t) {
			if end = strings.Index(text, t[i+1].literal); end < 0 {
				return values{}, false
			}
		}
		*v.of(p.name), text = text[:end], text[end:]
	}
	return v, text == ""
}
