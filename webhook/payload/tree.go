package payload

import (
	"errors"
	"slices"
)

// tree is canonical JSON taken apart: its values in the order of the text, each
// container followed by what it holds. Taking apart copies nothing.
type tree struct {
	text  []byte
	nodes []node
}

// node is one value of a tree.
type node struct {
	keyFrom, keyTo int  // its key in the text, without quotes; elements have none
	from, to       int  // the value in the text
	end            int  // the node behind the last one inside it
	claimed        bool // a form field sends it, or decides that it is not sent
}

// errNotCanonical says that text which should have come through Canonical has
// not.
var errNotCanonical = errors.New("the data is not canonical JSON")

// newTree takes canonical JSON apart. Any other text gives an error or a tree
// that does not lead outside the text.
func newTree(text []byte) (*tree, error) {
	t := &tree{}
	return t, t.take(text)
}

// take is newTree into a tree that is there, with the room it has.
func (t *tree) take(text []byte) error {
	t.text, t.nodes = text, slices.Grow(t.nodes[:0], 16+len(text)/16)
	at, ok := t.read(0, 0, 0, 0)
	if !ok || at != len(text) {
		return errNotCanonical
	}
	return nil
}

// read takes apart the value at the given place and returns the place behind.
func (t *tree) read(at, keyFrom, keyTo, depth int) (int, bool) {
	if at >= len(t.text) || depth > MaxDepth {
		return 0, false
	}
	this := len(t.nodes)
	t.nodes = append(t.nodes, node{keyFrom: keyFrom, keyTo: keyTo, from: at})
	var to int
	var ok bool
	switch t.text[at] {
	case '{', '[':
		to, ok = t.readContainer(at, depth)
	case '"':
		to, ok = t.skipString(at)
	default:
		to = t.skipWord(at)
		ok = to > at
	}
	t.nodes[this].to, t.nodes[this].end = to, len(t.nodes)
	return to, ok
}

func (t *tree) readContainer(at, depth int) (int, bool) {
	closing := t.text[at] + 2 // ] is two behind [, } is two behind {
	inObject := t.text[at] == '{'
	at++
	if at < len(t.text) && t.text[at] == closing {
		return at + 1, true
	}
	for {
		keyFrom, keyTo := 0, 0
		if inObject {
			next, ok := t.skipString(at)
			if !ok || next >= len(t.text) || t.text[next] != ':' {
				return 0, false
			}
			keyFrom, keyTo = at+1, next-1
			at = next + 1
		}
		next, ok := t.read(at, keyFrom, keyTo, depth+1)
		if !ok || next >= len(t.text) {
			return 0, false
		}
		at = next + 1
		switch t.text[next] {
		case closing:
			return at, true
		case ',':
		default:
			return 0, false
		}
	}
}

// skipString returns the place behind the string at the given place.
func (t *tree) skipString(at int) (int, bool) {
	if at >= len(t.text) || t.text[at] != '"' {
		return 0, false
	}
	for at++; at < len(t.text); at++ {
		switch t.text[at] {
		case '"':
			return at + 1, true
		case '\\':
			at++
		}
	}
	return 0, false
}

// skipWord returns the place behind a number, true, false or null.
func (t *tree) skipWord(at int) int {
	for at < len(t.text) {
		switch t.text[at] {
		case ',', ']', '}', ':', '"', '[', '{':
			return at
		}
		at++
	}
	return at
}

// raw returns the text of a value.
func (t *tree) raw(n int) []byte { return t.text[t.nodes[n].from:t.nodes[n].to] }

func (t *tree) isObject(n int) bool    { return t.text[t.nodes[n].from] == '{' }
func (t *tree) isArray(n int) bool     { return t.text[t.nodes[n].from] == '[' }
func (t *tree) isContainer(n int) bool { return t.isObject(n) || t.isArray(n) }
func (t *tree) isEmpty(n int) bool     { return t.nodes[n].end == n+1 }
func (t *tree) isNull(n int) bool      { return t.text[t.nodes[n].from] == 'n' }

// find returns the value that the steps lead to from the given one, -1 when
// there is none. A step is a key, or the index of an element.
func (t *tree) find(n int, steps []step) int {
	for i := range steps {
		if n = t.child(n, &steps[i]); n < 0 {
			return -1
		}
	}
	return n
}

func (t *tree) child(n int, want *step) int {
	end := t.nodes[n].end
	switch {
	case t.isObject(n):
		for child := n + 1; child < end; child = t.nodes[child].end {
			if string(t.text[t.nodes[child].keyFrom:t.nodes[child].keyTo]) == want.key {
				return child
			}
		}
	case t.isArray(n):
		index := 0
		for child := n + 1; child < end; child = t.nodes[child].end {
			if index == want.index {
				return child
			}
			index++
		}
	}
	return -1
}

// step leads from a value into one of its members or elements.
type step struct {
	key   string // as canonical JSON writes it, without quotes
	index int    // the key as the index of an element; -1 when it is none
}

func newStep(key string) step {
	quoted := appendString(nil, key)
	s := step{key: string(quoted[1 : len(quoted)-1]), index: -1}
	if index, ok := arrayIndex([]byte(key)); ok {
		s.index = int(index)
	}
	return s
}
