package payload

import (
	"math"
	"strconv"
	"strings"
)

// maxPlainDigits is how many digits an integer may have to be copied as it is:
// every integer of 15 digits is exact in a double and printed plainly.
const maxPlainDigits = 15

// appendNumber appends a JSON number as ECMAScript prints it, and reports
// whether the value survives: its digits must be those of the shortest text
// that gives the same double. The text must be a well-formed JSON number.
func appendNumber(dst []byte, text string) ([]byte, bool) {
	if plain, ok := plainInteger(text); ok {
		return append(dst, plain...), true
	}
	if isPlainDecimal(text) {
		return append(dst, text...), true
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil { // out of range; the text is well-formed
		return dst, false
	}
	var room [32]byte
	shortest := strconv.AppendFloat(room[:0], math.Abs(value), 'e', -1, 64)
	if !sameDecimal(text, string(shortest)) {
		return dst, false
	}
	return appendECMAScript(dst, value < 0, shortest), true
}

// plainInteger returns the text of a short integer; -0 is 0, as in JavaScript.
func plainInteger(text string) (string, bool) {
	digits := text
	if text[0] == '-' {
		digits = text[1:]
	}
	if len(digits) > maxPlainDigits {
		return "", false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return "", false
		}
	}
	if digits == "0" {
		return "0", true
	}
	return text, true
}

// tiny begins the decimals that ECMAScript prints with an exponent.
const tiny = "0.000000"

// isPlainDecimal reports whether a number with a point, such as a price, reads as
// ECMAScript would print it. A decimal of at most 15 digits is the shortest text
// of its double, unless zeros end it.
func isPlainDecimal(text string) bool {
	if text[0] == '-' {
		text = text[1:]
	}
	if len(text) > maxPlainDigits+1 || text[len(text)-1] == '0' || strings.HasPrefix(text, tiny) {
		return false
	}
	for i := range len(text) {
		if b := text[i]; b != '.' && (b < '0' || b > '9') {
			return false
		}
	}
	return strings.Contains(text, ".")
}

// appendFloat appends a double as ECMAScript prints it.
func appendFloat(dst []byte, value float64) []byte {
	var room [32]byte
	return appendECMAScript(dst, value < 0, strconv.AppendFloat(room[:0], math.Abs(value), 'e', -1, 64))
}

// appendECMAScript lays out the shortest form "d.ddde±xx" by the rules of
// Number::toString (ECMA-262, 6.1.6.1.20): k digits, the point behind the n-th.
func appendECMAScript(dst []byte, negative bool, shortest []byte) []byte {
	var room [24]byte
	digits, n := room[:0], 0
	for i, b := range shortest {
		if b == 'e' {
			exponent, _ := strconv.Atoi(string(shortest[i+1:])) // strconv wrote it
			n = exponent + 1
			break
		}
		if b != '.' {
			digits = append(digits, b)
		}
	}
	if len(digits) == 1 && digits[0] == '0' {
		return append(dst, '0') // -0 too
	}
	if negative {
		dst = append(dst, '-')
	}
	k := len(digits)
	switch {
	case k <= n && n <= 21:
		dst = append(dst, digits...)
		return appendZeros(dst, n-k)
	case 0 < n && n <= 21:
		dst = append(dst, digits[:n]...)
		dst = append(dst, '.')
		return append(dst, digits[n:]...)
	case -6 < n && n <= 0:
		dst = appendZeros(append(dst, '0', '.'), -n)
		return append(dst, digits...)
	}
	dst = append(dst, digits[0])
	if k > 1 {
		dst = append(append(dst, '.'), digits[1:]...)
	}
	dst = append(dst, 'e')
	if n > 0 {
		dst = append(dst, '+')
	}
	return strconv.AppendInt(dst, int64(n-1), 10)
}

func appendZeros(dst []byte, count int) []byte {
	for range count {
		dst = append(dst, '0')
	}
	return dst
}

// sameDecimal reports whether two number texts stand for the same decimal
// value, signs aside, however they are written (1.10, 11e-1).
func sameDecimal(a, b string) bool {
	first, second := readDecimal(a), readDecimal(b)
	if first.exponent != second.exponent {
		return false
	}
	for {
		x, y := first.next(), second.next()
		if x != y {
			return false
		}
		if x == 0 {
			return true
		}
	}
}

// decimal walks over the significant digits of a number text, which read
// 0.ddd times ten to the exponent.
type decimal struct {
	digits   string // from the first to the last digit that is not 0; may hold a point
	exponent int
}

func readDecimal(text string) decimal {
	if text[0] == '-' {
		text = text[1:]
	}
	mantissa, exponent := splitExponent(text)
	point, first, last := len(mantissa), -1, -1
	for i := range len(mantissa) {
		switch mantissa[i] {
		case '.':
			point = i
		case '0':
		default:
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return decimal{} // zero, whatever the exponent
	}
	if first > point {
		exponent++ // the point itself stands between
	}
	return decimal{digits: mantissa[first : last+1], exponent: exponent + point - first}
}

// exponentLimit stops counting where every double is long 0 or infinite, so that
// a silly exponent cannot overflow.
const exponentLimit = 1 << 30

func splitExponent(text string) (mantissa string, exponent int) {
	for i := range len(text) {
		if text[i] != 'e' && text[i] != 'E' {
			continue
		}
		rest, sign := text[i+1:], 1
		if rest[0] == '-' || rest[0] == '+' {
			if rest[0] == '-' {
				sign = -1
			}
			rest = rest[1:]
		}
		for j := range len(rest) {
			exponent = min(exponent*10+int(rest[j]-'0'), exponentLimit)
		}
		return text[:i], sign * exponent
	}
	return text, 0
}

// next returns the next digit, 0 at the end.
func (d *decimal) next() byte {
	for len(d.digits) > 0 {
		digit := d.digits[0]
		d.digits = d.digits[1:]
		if digit != '.' {
			return digit
		}
	}
	return 0
}
