package payload

import "bytes"

// formPlain tells the bytes that stand for themselves in a form: those that
// PHP's urlencode leaves alone. Notably ~ and * are not among them.
var formPlain = func() (table [256]bool) {
	for b := range table {
		table[b] = b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' ||
			b == '-' || b == '_' || b == '.'
	}
	return table
}()

const upperHexDigits = "0123456789ABCDEF"

// appendEscaped appends text in application/x-www-form-urlencoded form, exactly
// as PHP's urlencode and http_build_query write it: a space as +, the rest in
// upper-case hex.
func appendEscaped[T ~string | ~[]byte](dst []byte, text T) []byte {
	start := 0
	for i := range len(text) {
		b := text[i]
		if formPlain[b] {
			continue
		}
		dst = append(dst, text[start:i]...)
		start = i + 1
		if b == ' ' {
			dst = append(dst, '+')
		} else {
			dst = append(dst, '%', upperHexDigits[b>>4], upperHexDigits[b&15])
		}
	}
	return append(dst, text[start:]...)
}

// appendEscapedKey appends one step of a key below the first: [step].
func appendEscapedKey[T ~string | ~[]byte](dst []byte, text T) []byte {
	dst = append(dst, "%5B"...)
	dst = appendEscaped(dst, text)
	return append(dst, "%5D"...)
}

// appendEscapedJSON is appendEscaped for the inside of a canonical JSON string.
func appendEscapedJSON(dst, inner []byte) []byte {
	if bytes.IndexByte(inner, '\\') < 0 {
		return appendEscaped(dst, inner)
	}
	return appendEscaped(dst, unquote(inner))
}
