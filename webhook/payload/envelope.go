package payload

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// segment is one step of writing a JSON body: fixed text, then perhaps a value.
type segment struct {
	text  []byte
	value *expression // nil = the text alone
	comma bool        // something may stand before it: a comma is due unless it is the first
}

// compileJSON compiles format json: the body is the envelope.
func compileJSON(spec Spec) (writer, error) {
	if err := refuseForm(spec); err != nil {
		return nil, err
	}
	if spec.Envelope.tree == nil {
		return nil, specFault("envelope", "is missing; format json needs one")
	}
	return compileTemplate(spec.Envelope.tree)
}

func refuseForm(spec Spec) error {
	if spec.Form.Fields != nil || spec.Form.Events != nil || spec.Form.Groups != nil {
		return specFault("form", "has no meaning in format %s", spec.Format)
	}
	return nil
}

// compileTemplate turns a template tree into a writer of JSON.
func compileTemplate(root any) (writer, error) {
	var c templateCompiler
	if err := c.add("envelope", root, segment{}); err != nil {
		return nil, err
	}
	segments := c.segments
	return func(dst []byte, s *scope) ([]byte, error) {
		for i := range segments {
			dst = segments[i].append(dst, s)
		}
		return dst, nil
	}, nil
}

func (g *segment) append(dst []byte, s *scope) []byte {
	var v value
	if g.value != nil {
		v = g.value.value(s)
		if v.missing && g.value.optional {
			return dst
		}
	}
	if g.comma {
		if last := dst[len(dst)-1]; last != '{' && last != '[' {
			dst = append(dst, ',')
		}
	}
	dst = append(dst, g.text...)
	if g.value != nil {
		dst = v.appendJSON(dst)
	}
	return dst
}

type templateCompiler struct{ segments []segment }

// add compiles the node at a place of the template. The lead is what its first
// segment starts with: the key of a member.
func (c *templateCompiler) add(place string, node any, lead segment) error {
	switch node := node.(type) {
	case yaml.MapSlice:
		lead.text = append(lead.text, '{')
		c.segments = append(c.segments, lead)
		return c.addMembers(place, node)
	case []any:
		lead.text = append(lead.text, '[')
		c.segments = append(c.segments, lead)
		for i, element := range node {
			if err := c.add(fmt.Sprintf("%s[%d]", place, i), element, segment{comma: true}); err != nil {
				return err
			}
		}
		c.segments = append(c.segments, segment{text: []byte("]")})
		return nil
	}
	leaf, err := newExpression(node)
	if err != nil {
		return specFault(place, "%v", err)
	}
	if leaf.literal != nil {
		lead.text = append(lead.text, leaf.literal...)
	} else {
		lead.value = leaf
	}
	c.segments = append(c.segments, lead)
	return nil
}

func (c *templateCompiler) addMembers(place string, members yaml.MapSlice) error {
	for _, member := range members {
		key, isText := member.Key.(string)
		if !isText {
			return specFault(place, "the key %v must be text", member.Key)
		}
		// JavaScript would move such a key to the front.
		if _, isIndex := arrayIndex([]byte(key)); isIndex {
			return specFault(place, "the key %q must not be a whole number", key)
		}
		lead := segment{text: append(appendString(nil, key), ':'), comma: true}
		if err := c.add(place+"."+key, member.Value, lead); err != nil {
			return err
		}
	}
	c.segments = append(c.segments, segment{text: []byte("}")})
	return nil
}
