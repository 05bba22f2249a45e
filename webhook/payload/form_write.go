package payload

import (
	"bytes"
	"strconv"
)

// formWriter writes one form body: the listed fields in their order, then what
// is left of the data.
type formWriter struct {
	dst   []byte
	scope *scope
	data  *tree // the event's data, nil when there is none
	key   []byte
	table map[string]string // of the field being written
}

func (w *formWriter) write(fields []formField) {
	w.data = w.scope.dataTree()
	if w.data != nil {
		for i := range fields {
			fields[i].claim(w.data)
		}
	}
	for i := range fields {
		if holds(fields[i].only, fields[i].except, w.scope.in.Event.Source) {
			w.field(&fields[i])
		}
	}
	w.table = nil
	w.rest()
}

// claim marks the data that a field names or reads, so that it is sent by no
// other field and not once more among the rest, whatever the field's conditions
// come to.
func (f *formField) claim(data *tree) {
	if f.value != nil {
		for _, steps := range f.value.data {
			data.claim(data.find(0, steps))
		}
	}
	n := data.find(0, f.path)
	switch {
	case n < 0:
	case f.shape == shapeRepeat && len(f.tailPath) > 0:
		f.claimElements(data, n)
	case f.value == nil, f.shape == shapeSpread, !data.isContainer(n), data.isEmpty(n):
		data.claim(n)
	}
}

// claimElements marks what list[][id] sends: the id of each element, or the
// element itself when it is plain.
func (f *formField) claimElements(data *tree, n int) {
	if !data.isArray(n) {
		data.claim(f.tailOf(data, n))
		return
	}
	for child := n + 1; child < data.nodes[n].end; child = data.nodes[child].end {
		data.claim(f.tailOf(data, child))
	}
}

// tailOf returns what the part behind [] leads to in one element.
func (f *formField) tailOf(t *tree, element int) int {
	if !t.isContainer(element) {
		return element
	}
	return t.find(element, f.tailPath)
}

func (t *tree) claim(n int) {
	if n >= 0 {
		t.nodes[n].claimed = true
	}
}

// field writes one listed field.
func (w *formWriter) field(f *formField) {
	var v value
	if f.value != nil {
		v = f.value.value(w.scope)
	} else {
		v = memberOf(w.data, f.path)
	}
	w.key = append(w.key[:0], f.key...)
	w.table = f.table
	t, n, inside := v.container()
	switch {
	case v.missing && (f.optional || f.shape != shapePlain):
	case f.shape == shapeSpread && inside:
		w.members(t, n)
	case f.shape == shapeRepeat && inside:
		w.repeat(f, t, n)
	case v.kind == kindList:
		w.list(f, v.list)
	case inside:
		w.nested(f, t, n)
	case v.kind == kindText:
		w.key = append(w.key, f.tail...)
		w.pair(v.text)
	default:
		w.key = append(w.key, f.tail...)
		w.pairJSON(v.raw)
	}
}

// container returns where an array or object lies, taking it apart if need be.
func (v *value) container() (t *tree, n int, is bool) {
	if v.kind != kindJSON || v.raw[0] != '[' && v.raw[0] != '{' {
		return nil, 0, false
	}
	if v.tree != nil {
		return v.tree, v.node, true
	}
	t, err := newTree(v.raw)
	return t, 0, err == nil
}

// list writes a list of texts: joined, under one repeated key, or one key each.
func (w *formWriter) list(f *formField, texts []string) {
	switch {
	case f.shape == shapeRepeat:
		w.key = append(w.key, f.tail...)
		for _, text := range texts {
			w.pair(text)
		}
	case f.join != nil:
		w.pair(joinTexts(texts, *f.join))
	case len(texts) == 0:
		w.pair("")
	default:
		length := len(w.key)
		for i, text := range texts {
			w.key = appendEscapedKey(w.key[:length], strconv.Itoa(i))
			w.pair(text)
		}
	}
}

// nested writes an array or object where one value was expected: joined if the
// field says so and nothing deeper is inside, else member by member.
func (w *formWriter) nested(f *formField, t *tree, n int) {
	if f.join == nil || !t.isArray(n) {
		w.node(t, n)
		return
	}
	var texts []string
	for child := n + 1; child < t.nodes[n].end; child = t.nodes[child].end {
		if t.isContainer(child) {
			w.node(t, n)
			return
		}
		texts = append(texts, formText(t.raw(child)))
	}
	w.pair(joinTexts(texts, *f.join))
}

// repeat writes the same key once per element.
func (w *formWriter) repeat(f *formField, t *tree, n int) {
	w.key = append(w.key, f.tail...)
	if !t.isArray(n) {
		w.element(f, t, n)
		return
	}
	for child := n + 1; child < t.nodes[n].end; child = t.nodes[child].end {
		w.element(f, t, child)
	}
}

func (w *formWriter) element(f *formField, t *tree, n int) {
	if found := f.tailOf(t, n); found >= 0 {
		w.node(t, found)
	}
}

// rest writes the data that no field claims.
func (w *formWriter) rest() {
	switch {
	case w.data == nil || w.data.nodes[0].claimed:
	case w.data.isContainer(0):
		w.key = w.key[:0]
		w.members(w.data, 0)
	case !w.data.isNull(0):
		w.key = append(w.key[:0], unnamed...) // a plain value has no name of its own
		w.node(w.data, 0)
	}
}

// node writes a value under the current key: a plain one as a pair, a container
// member by member, an empty one as an empty value.
func (w *formWriter) node(t *tree, n int) {
	switch {
	case !t.isContainer(n):
		w.pairJSON(t.raw(n))
	case t.isEmpty(n):
		w.pair("")
	default:
		w.members(t, n)
	}
}

// members writes what a container holds, except what fields have claimed.
func (w *formWriter) members(t *tree, n int) {
	length, index := len(w.key), 0
	top := t == w.data && n == 0 && length == 0
	for child := n + 1; child < t.nodes[n].end; child = t.nodes[child].end {
		if !t.nodes[child].claimed {
			w.key = t.appendKey(w.key[:length], child, index, top)
			w.node(t, child)
		}
		index++
	}
	w.key = w.key[:length]
}

// unnamed is where data goes that has no name of its own at the top of a form.
const unnamed = "data"

// appendKey appends the key of a member, or the index of an element: in brackets
// unless it is at the top. A top-level name that holds a bracket would be read
// as a path into some listed field ("list[]" would make list an array), so it
// goes into the brackets of a name that no field lists.
func (t *tree) appendKey(dst []byte, n, index int, top bool) []byte {
	key := t.text[t.nodes[n].keyFrom:t.nodes[n].keyTo]
	var digits [20]byte
	if t.nodes[n].keyFrom == 0 {
		key = strconv.AppendInt(digits[:0], int64(index), 10)
	}
	if top && bytes.ContainsAny(key, "[]") {
		dst, top = append(dst, unnamed...), false
	}
	if !top {
		dst = append(dst, "%5B"...)
	}
	dst = appendEscapedJSON(dst, key)
	if !top {
		dst = append(dst, "%5D"...)
	}
	return dst
}

// pair writes the current key with a text.
func (w *formWriter) pair(text string) {
	w.open()
	if mapped, found := w.table[text]; found {
		text = mapped
	}
	w.dst = appendEscaped(w.dst, text)
}

// pairJSON writes the current key with a plain JSON value.
func (w *formWriter) pairJSON(raw []byte) {
	if w.table != nil {
		w.pair(formText(raw))
		return
	}
	w.open()
	switch raw[0] {
	case '"':
		w.dst = appendEscapedJSON(w.dst, raw[1:len(raw)-1])
	case 't':
		w.dst = append(w.dst, '1')
	case 'f':
		w.dst = append(w.dst, '0')
	case 'n':
	default:
		w.dst = appendEscaped(w.dst, raw) // a number; its + must not become a space
	}
}

func (w *formWriter) open() {
	if len(w.dst) > 0 {
		w.dst = append(w.dst, '&')
	}
	w.dst = append(append(w.dst, w.key...), '=')
}

// formText returns a plain JSON value as a form writes it: PHP's 1 and 0 for
// true and false.
func formText(raw []byte) string {
	switch raw[0] {
	case 't':
		return "1"
	case 'f':
		return "0"
	}
	return plainJSON(raw)
}

func joinTexts(texts []string, separator string) string {
	var joined []byte
	for i, text := range texts {
		if i > 0 {
			joined = append(joined, separator...)
		}
		joined = append(joined, text...)
	}
	return string(joined)
}
