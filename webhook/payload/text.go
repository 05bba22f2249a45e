package payload

import (
	"unicode/utf16"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// plainByte tells the bytes that stand for themselves in a JSON string and need
// no look at all: ASCII but controls, quote and backslash. DEL is one of them.
var plainByte = func() (table [256]bool) {
	for b := ' '; b < utf8.RuneSelf; b++ {
		table[b] = b != '"' && b != '\\'
	}
	return table
}()

// appendString appends text as a JSON string the way JSON.stringify writes it:
// & < > U+2028 U+2029 raw, controls escaped. Bytes that are not UTF-8 become
// U+FFFD.
func appendString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(text); {
		if plainByte[text[i]] {
			i++
			continue
		}
		if text[i] >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, text[start:i]...)
				dst = append(dst, "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, text[start:i]...)
		dst = appendUnit(dst, rune(text[i]))
		i++
		start = i
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

// appendUnit appends a character of a string as JSON.stringify writes it: a
// lone surrogate stays an escape, for nothing else can hold it.
func appendUnit(dst []byte, r rune) []byte {
	switch {
	case r == '"', r == '\\':
		return append(dst, '\\', byte(r))
	case r == '\b':
		return append(dst, '\\', 'b')
	case r == '\f':
		return append(dst, '\\', 'f')
	case r == '\n':
		return append(dst, '\\', 'n')
	case r == '\r':
		return append(dst, '\\', 'r')
	case r == '\t':
		return append(dst, '\\', 't')
	case r < ' ' || utf16.IsSurrogate(r):
		return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
	}
	return utf8.AppendRune(dst, r)
}

// unquote returns the characters of a canonical JSON string, given without its
// quotes. A lone surrogate becomes U+FFFD, as wherever text has to be UTF-8.
func unquote(inner []byte) string {
	start := 0
	for start < len(inner) && inner[start] != '\\' {
		start++
	}
	if start == len(inner) {
		return string(inner)
	}
	out := append(make([]byte, 0, len(inner)), inner[:start]...)
	for i := start; i < len(inner); {
		if inner[i] != '\\' {
			out = append(out, inner[i])
			i++
			continue
		}
		r, size := readEscape(inner[i:])
		if size == 0 { // not canonical after all: kept as it is
			out = append(out, inner[i])
			i++
			continue
		}
		out = utf8.AppendRune(out, r) // a surrogate is written as U+FFFD
		i += size
	}
	return string(out)
}

// simpleEscapes are the escapes of one letter.
var simpleEscapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// readEscape reads one escape at the start of text, a surrogate pair as one.
// Size 0 says that it is none.
func readEscape[T ~string | ~[]byte](text T) (r rune, size int) {
	if len(text) < 2 {
		return 0, 0
	}
	if simple := simpleEscapes[text[1]]; simple != 0 {
		return rune(simple), 2
	}
	r, ok := readHexEscape(text)
	if !ok {
		return 0, 0
	}
	if r >= 0xD800 && r < 0xDC00 {
		if low, ok := readHexEscape(text[6:]); ok && low >= 0xDC00 && low < 0xE000 {
			return utf16.DecodeRune(r, low), 12
		}
	}
	return r, 6
}

// readHexEscape reads \uXXXX at the start of text.
func readHexEscape[T ~string | ~[]byte](text T) (r rune, ok bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	for i := 2; i < 6; i++ {
		b := text[i]
		switch {
		case b >= '0' && b <= '9':
			b -= '0'
		case b >= 'a' && b <= 'f':
			b -= 'a' - 10
		case b >= 'A' && b <= 'F':
			b -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(b)
	}
	return r, true
}
