package payload

import (
	"strings"
	"sync"
	"time"

	"posthaste/errs"
)

// scope is what expressions read from while one body is rendered, and the room
// that rendering needs.
type scope struct {
	in     Input
	data   tree
	custom tree
	fault  error  // the first fault in the input; Render returns it
	body   []byte // where the body is written before its length is known
}

// scopes keeps the room for the next body.
var scopes = sync.Pool{New: func() any { return new(scope) }}

func newScope(in Input) *scope {
	s, _ := scopes.Get().(*scope)
	s.in = in
	return s
}

// release lets go of everything but the room.
func (s *scope) release() {
	*s = scope{data: tree{nodes: s.data.nodes[:0]}, custom: tree{nodes: s.custom.nodes[:0]}, body: s.body[:0]}
	scopes.Put(s)
}

// dataTree returns the event's data taken apart, nil when there is none.
func (s *scope) dataTree() *tree { return s.takenApart(&s.data, s.in.Event.Data) }

// customTree returns the event's customData taken apart, nil when there is none.
func (s *scope) customTree() *tree { return s.takenApart(&s.custom, s.in.Event.CustomData) }

// takenApart takes the text apart when it is first asked for.
func (s *scope) takenApart(t *tree, text []byte) *tree {
	if len(text) == 0 || s.fault != nil {
		return nil
	}
	if t.text != nil {
		return t
	}
	if err := t.take(text); err != nil {
		s.fault = errs.Wrap(err, errs.Internal, "event %s cannot be rendered", s.in.Event.ID)
		return nil
	}
	return t
}

// value is what an expression comes to: text, a list of texts, or JSON, which
// may lie in a tree.
type value struct {
	kind    valueKind
	missing bool // absent, null, not given: optional members leave it out
	text    string
	list    []string
	raw     []byte
	tree    *tree // where raw comes from, when it is part of a tree
	node    int
}

type valueKind uint8

const (
	kindJSON valueKind = iota
	kindText
	kindList
)

var nullText = []byte("null")

func textValue(text string) value { return value{kind: kindText, text: text} }
func givenText(text string) value { return value{kind: kindText, text: text, missing: text == ""} }
func listValue(l []string) value  { return value{kind: kindList, list: l, missing: len(l) == 0} }
func jsonValue(raw []byte) value  { return value{raw: raw, missing: string(raw) == "null"} }
func missingValue() value         { return value{raw: nullText, missing: true} }
func numberValue(n int64) value   { return value{raw: appendFloat(nil, float64(n))} }
func timeValue(t time.Time) value { return textValue(t.UTC().Format(timeLayout)) }
func nodeValue(t *tree, n int) value {
	return value{raw: t.raw(n), missing: t.isNull(n), tree: t, node: n}
}

func flagValue(flag bool) value {
	if flag {
		return value{raw: []byte("true")}
	}
	return value{raw: []byte("false"), missing: true}
}

// The two text forms of a time: as JavaScript's toISOString gives it, and with
// a numeric offset, to the second.
const (
	timeLayout   = "2006-01-02T15:04:05.000Z"
	offsetLayout = "2006-01-02T15:04:05-07:00"
)

// appendJSON appends the value as JSON.
func (v *value) appendJSON(dst []byte) []byte {
	switch v.kind {
	case kindText:
		return appendString(dst, v.text)
	case kindList:
		dst = append(dst, '[')
		for i, text := range v.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, text)
		}
		return append(dst, ']')
	case kindJSON:
		return append(dst, v.raw...)
	}
	return dst
}

// plain returns the value as text within text: strings without quotes, nothing
// for null, lists joined by commas, the rest as JSON.
func (v *value) plain() string {
	switch v.kind {
	case kindText:
		return v.text
	case kindList:
		return strings.Join(v.list, ",")
	case kindJSON:
		return plainJSON(v.raw)
	}
	return ""
}

// plainJSON is plain for JSON text.
func plainJSON(raw []byte) string {
	switch {
	case raw[0] == 'n':
		return ""
	case raw[0] == '"' && len(raw) > 1:
		return unquote(raw[1 : len(raw)-1])
	}
	return string(raw)
}
