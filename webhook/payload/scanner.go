package payload

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// scanner reads JSON text once and writes it in canonical form as it goes.
type scanner struct {
	text    []byte
	at      int
	out     []byte
	depth   int
	members []member // of all objects that are open, the innermost last
}

// fault is what is wrong, and where: the steps lead from the inside out.
type fault struct {
	message string
	steps   []string
}

func (f *fault) path(root string) string {
	path := []byte(root)
	for _, step := range slices.Backward(f.steps) {
		if len(path) == 0 && step[0] == '.' {
			step = step[1:]
		}
		path = append(path, step...)
	}
	return string(path)
}

func (s *scanner) fail(message string, args ...any) *fault {
	return &fault{message: fmt.Sprintf(message, args...)}
}

// unexpected is a syntax error at the current place.
func (s *scanner) unexpected() *fault {
	if s.at >= len(s.text) {
		return s.fail("is not valid JSON: it ends too early, at byte %d", s.at)
	}
	r, size := utf8.DecodeRune(s.text[s.at:])
	if r == utf8.RuneError && size == 1 {
		return s.fail("is not valid UTF-8 at byte %d", s.at)
	}
	return s.fail("is not valid JSON: unexpected %q at byte %d", r, s.at)
}

func (s *scanner) document() *fault {
	s.space()
	if err := s.value(); err != nil {
		return err
	}
	s.space()
	if s.at < len(s.text) {
		return s.fail("is not valid JSON: something follows the value, at byte %d", s.at)
	}
	return nil
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) value() *fault {
	switch b := s.peek(); {
	case b == '"':
		return s.string()
	case b == '{' || b == '[':
		return s.nested(b)
	case b == '-' || b >= '0' && b <= '9':
		return s.number()
	case b == 't':
		return s.word("true")
	case b == 'f':
		return s.word("false")
	case b == 'n':
		return s.word("null")
	}
	return s.unexpected()
}

func (s *scanner) word(word string) *fault {
	for i := range len(word) {
		if s.at >= len(s.text) || s.text[s.at] != word[i] {
			return s.unexpected()
		}
		s.at++
	}
	s.out = append(s.out, word...)
	return nil
}

func (s *scanner) nested(open byte) *fault {
	if s.depth == MaxDepth {
		return s.fail("nests deeper than %d levels, at byte %d", MaxDepth, s.at)
	}
	s.depth++
	var err *fault
	if open == '{' {
		err = s.object()
	} else {
		err = s.array()
	}
	s.depth--
	return err
}

func (s *scanner) array() *fault {
	s.out = append(s.out, '[')
	s.at++
	s.space()
	if s.peek() == ']' {
		s.at++
		s.out = append(s.out, ']')
		return nil
	}
	for index := 0; ; index++ {
		s.space()
		if err := s.value(); err != nil {
			err.steps = append(err.steps, fmt.Sprintf("[%d]", index))
			return err
		}
		s.space()
		switch s.peek() {
		case ',':
			s.out = append(s.out, ',')
			s.at++
		case ']':
			s.out = append(s.out, ']')
			s.at++
			return nil
		default:
			return s.unexpected()
		}
	}
}

func (s *scanner) string() *fault {
	s.at++
	s.out = append(s.out, '"')
	start := s.at
	for s.at < len(s.text) {
		b := s.text[s.at]
		if plainByte[b] {
			s.at++
			continue
		}
		if b >= utf8.RuneSelf {
			r, size := utf8.DecodeRune(s.text[s.at:])
			if r == utf8.RuneError && size == 1 {
				return s.unexpected()
			}
			s.at += size
			continue
		}
		s.out = append(s.out, s.text[start:s.at]...)
		switch b {
		case '"':
			s.out = append(s.out, '"')
			s.at++
			return nil
		case '\\':
			r, size := readEscape(s.text[s.at:])
			if size == 0 {
				return s.fail("is not valid JSON: bad escape at byte %d", s.at)
			}
			s.out = appendUnit(s.out, r)
			s.at += size
		default:
			return s.unexpected() // a control character
		}
		start = s.at
	}
	return s.unexpected()
}

func (s *scanner) number() *fault {
	start := s.at
	if s.peek() == '-' {
		s.at++
	}
	if s.peek() == '0' {
		s.at++
	} else if !s.digits() {
		return s.unexpected()
	}
	if s.peek() == '.' {
		s.at++
		if !s.digits() {
			return s.unexpected()
		}
	}
	if b := s.peek(); b == 'e' || b == 'E' {
		s.at++
		if b := s.peek(); b == '+' || b == '-' {
			s.at++
		}
		if !s.digits() {
			return s.unexpected()
		}
	}
	out, exact := appendNumber(s.out, string(s.text[start:s.at]))
	if !exact {
		return s.fail("is a number that JavaScript cannot hold exactly: %s at byte %d; send it as a string",
			shorten(string(s.text[start:s.at])), start)
	}
	s.out = out
	return nil
}

// digits skips digits and reports whether there were any.
func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > start
}

// shorten cuts text that an error repeats, between characters.
func shorten(text string) string {
	if len(text) <= maxShownText {
		return text
	}
	end := maxShownText
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
