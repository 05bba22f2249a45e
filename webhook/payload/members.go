package payload

// Member is one member of an object, as canonical JSON writes it.
type Member struct {
	Key   []byte // with its quotes
	Value []byte
}

// Quote returns a name as Member.Key has it.
func Quote(name string) string { return string(appendString(nil, name)) }

// Members takes a canonical object apart, its top alone, and copies nothing.
func Members(object []byte) ([]Member, error) {
	members := make([]Member, 0, 16)
	err := eachInside(object, '{', func(key, value []byte) {
		members = append(members, Member{Key: key, Value: value})
	})
	return members, err
}

// Elements takes a canonical array apart, its top alone, and copies nothing.
func Elements(array []byte) ([][]byte, error) {
	var elements [][]byte
	err := eachInside(array, '[', func(_, value []byte) { elements = append(elements, value) })
	return elements, err
}

// eachInside calls found for each value inside a container. It looks into the
// values no deeper than it must to find their ends.
func eachInside(text []byte, open byte, found func(key, value []byte)) error {
	closing := open + 2 // ] is two behind [, } is two behind {
	last := len(text) - 1
	if last < 1 || text[0] != open || text[last] != closing {
		return errNotCanonical
	}
	t := tree{text: text[:last]}
	for at := 1; at < last; {
		from := at
		var key []byte
		if open == '{' {
			next, ok := t.skipString(at)
			if !ok || next >= last || text[next] != ':' {
				return errNotCanonical
			}
			key, from = text[at:next], next+1
		}
		to, ok := t.skipValue(from)
		if !ok || to < last && (text[to] != ',' || to+1 == last) {
			return errNotCanonical
		}
		found(key, text[from:to])
		at = to + 1
	}
	return nil
}

// skipValue returns the place behind the value at the given place.
func (t *tree) skipValue(at int) (int, bool) {
	if at >= len(t.text) {
		return 0, false
	}
	switch t.text[at] {
	case '"':
		return t.skipString(at)
	case '{', '[':
		return t.skipContainer(at)
	}
	to := t.skipWord(at)
	return to, to > at
}

func (t *tree) skipContainer(at int) (int, bool) {
	for depth := 0; at < len(t.text); {
		switch t.text[at] {
		case '"':
			next, ok := t.skipString(at)
			if !ok {
				return 0, false
			}
			at = next
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return at + 1, true
			}
		}
		at++
	}
	return 0, false
}
