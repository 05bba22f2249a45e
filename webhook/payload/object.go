package payload

import (
	"cmp"
	"slices"
	"strconv"
)

// member is one member of an object that is being read: where its key (without
// quotes) and its value lie in the output.
type member struct {
	keyFrom, keyTo   int
	from, to         int
	index            uint32 // the key as an array index
	isIndex, dropped bool
}

// manyMembers is from how many members on a table finds repeated keys; below,
// comparing each with each is faster.
const manyMembers = 12

// object reads an object and writes its members as they come. Only where
// JavaScript would order them otherwise is the object written anew.
func (s *scanner) object() *fault {
	base, start := len(s.members), len(s.out)
	s.out = append(s.out, '{')
	s.at++
	s.space()
	if s.peek() == '}' {
		s.at++
		s.out = append(s.out, '}')
		return nil
	}
	var seen map[string]int
	reorder := false
	for {
		next, err := s.key()
		if err != nil {
			return err
		}
		first := s.findKey(&seen, base, next)
		s.members = append(s.members, next)
		this := len(s.members) - 1
		if err := s.memberValue(this); err != nil {
			return err
		}
		if first >= 0 {
			// The last value wins, in the first one's place.
			s.members[first].from, s.members[first].to = s.members[this].from, s.members[this].to
			s.members[this].dropped = true
		}
		reorder = reorder || first >= 0 || next.isIndex
		s.space()
		if s.peek() == '}' {
			break
		}
		if s.peek() != ',' {
			return s.unexpected()
		}
		s.at++
		s.out = append(s.out, ',')
	}
	s.at++
	s.out = append(s.out, '}')
	if reorder {
		s.rewrite(start, s.members[base:])
	}
	s.members = s.members[:base]
	return nil
}

// key reads the key of a member and the colon.
func (s *scanner) key() (member, *fault) {
	s.space()
	if s.peek() != '"' {
		return member{}, s.unexpected()
	}
	from := len(s.out) + 1
	if err := s.string(); err != nil {
		return member{}, err
	}
	next := member{keyFrom: from, keyTo: len(s.out) - 1}
	next.index, next.isIndex = arrayIndex(s.out[next.keyFrom:next.keyTo])
	s.space()
	if s.peek() != ':' {
		return member{}, s.unexpected()
	}
	s.at++
	s.out = append(s.out, ':')
	s.space()
	return next, nil
}

func (s *scanner) memberValue(this int) *fault {
	from := len(s.out)
	if err := s.value(); err != nil {
		key := s.out[s.members[this].keyFrom:s.members[this].keyTo]
		err.steps = append(err.steps, "."+shorten(string(key)))
		return err
	}
	s.members[this].from, s.members[this].to = from, len(s.out)
	return nil
}

// findKey returns the earlier member with the same key, -1 when there is none.
func (s *scanner) findKey(seen *map[string]int, base int, next member) int {
	key := s.out[next.keyFrom:next.keyTo]
	earlier := s.members[base:]
	if len(earlier) < manyMembers {
		for i, other := range earlier {
			if string(s.out[other.keyFrom:other.keyTo]) == string(key) {
				return base + i
			}
		}
		return -1
	}
	if *seen == nil {
		*seen = make(map[string]int, 4*manyMembers)
		for i, other := range earlier {
			if !other.dropped {
				(*seen)[string(s.out[other.keyFrom:other.keyTo])] = base + i
			}
		}
	}
	if first, found := (*seen)[string(key)]; found {
		return first
	}
	(*seen)[string(key)] = len(s.members)
	return -1
}

// rewrite writes the object that starts at the given place anew: whole numbers
// first, ascending, then the others in their order, each key once.
func (s *scanner) rewrite(start int, members []member) {
	kept := make([]member, 0, len(members))
	for _, m := range members {
		if !m.dropped {
			kept = append(kept, m)
		}
	}
	slices.SortStableFunc(kept, func(a, b member) int {
		switch {
		case a.isIndex && b.isIndex:
			return cmp.Compare(a.index, b.index)
		case a.isIndex:
			return -1
		case b.isIndex:
			return 1
		}
		return 0
	})
	old := slices.Clone(s.out[start:])
	s.out = append(s.out[:start], '{')
	for i, m := range kept {
		if i > 0 {
			s.out = append(s.out, ',')
		}
		s.out = append(s.out, '"')
		s.out = append(s.out, old[m.keyFrom-start:m.keyTo-start]...)
		s.out = append(s.out, '"', ':')
		s.out = append(s.out, old[m.from-start:m.to-start]...)
	}
	s.out = append(s.out, '}')
}

// maxArrayIndex is the greatest array index of ECMAScript: 2^32 - 2.
const maxArrayIndex = 1<<32 - 2

// arrayIndex returns the array index that a key is, if it is one: "7", but not
// "07", "-1" or "4294967295".
func arrayIndex(key []byte) (uint32, bool) {
	if len(key) == 0 || len(key) > 10 || key[0] < '0' || key[0] > '9' || key[0] == '0' && len(key) > 1 {
		return 0, false
	}
	index, err := strconv.ParseUint(string(key), 10, 32)
	if err != nil || index > maxArrayIndex {
		return 0, false
	}
	return uint32(index), true
}
