package payload

import (
	"bytes"

	"posthaste/errs"
	"posthaste/webhook"
)

// MaxDepth is how deep arrays and objects may nest. Receivers' parsers differ in
// what they bear; 64 is far beyond any real event and harms none of them.
const MaxDepth = 64

// maxShownText is how much of a key or number an error repeats.
const maxShownText = 64

// Canonical returns the text as Node's JSON.stringify(JSON.parse(text)) prints
// it, byte for byte: compact; & < > U+2028 U+2029 raw; keys in the order given,
// but whole numbers first, ascending; of a repeated key the last value, in the
// first one's place; numbers in ECMAScript form.
//
// Refused, as errs.Invalid naming the member at fault below the given field
// ("data.items[3].amount"): what JSON.parse refuses, invalid UTF-8, nesting
// deeper than MaxDepth, and a number that JavaScript cannot hold exactly.
func Canonical(field string, text []byte) (webhook.JSON, error) {
	var room [16]member
	s := scanner{text: text, out: make([]byte, 0, len(text)+8), members: room[:0]}
	if bytes.HasPrefix(text, []byte("\xEF\xBB\xBF")) {
		return nil, errs.InvalidField(field, "starts with a byte order mark")
	}
	if fault := s.document(); fault != nil {
		return nil, errs.InvalidField(fault.path(field), "%s", fault.message)
	}
	return s.out, nil
}

// CanonicalObject is Canonical for text that must be a JSON object.
func CanonicalObject(field string, text []byte) (webhook.JSON, error) {
	out, err := Canonical(field, text)
	if err != nil {
		return nil, err
	}
	if out[0] != '{' {
		return nil, errs.InvalidField(field, "must be a JSON object")
	}
	return out, nil
}
