package activities

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"html"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/send"
)

// A receiver that prints what it got, as debug pages do, would hand the webhook's
// credentials to everybody who may read the history. This file takes them out of
// an answer before anything keeps it.

// hiddenValue stands for what is a credential.
const hiddenValue = "[hidden]"

const (
	// shortestHidden keeps an answer readable: what is shorter than this stands in
	// any text by chance.
	shortestHidden = 4
	// shortestPart is that of a part of a value, which is a guess at what is secret.
	shortestPart = 8
)

// credentials are what must not be shown of a webhook, the longest first.
type credentials [][]byte

// credentialsOf are the headers that the customer added as credentials, as they
// were sent, and the secrets that sign. The signature is none: it is worth nothing
// for another body.
func credentialsOf(w *models.Webhook, sent []send.Header) credentials {
	var found []string
	for _, header := range sent {
		if isCredential(header.Name, w.Headers) {
			found = append(found, header.Value)
			found = append(found, partsOf(header.Value)...)
		}
	}
	for _, secret := range []models.Secret{w.Secret, w.PreviousSecret} {
		found = append(found, secret.Reveal())
		if body, ok := strings.CutPrefix(secret.Reveal(), "whsec_"); ok && len(body) >= shortestPart {
			found = append(found, body)
		}
	}
	var result credentials
	for _, value := range found {
		if len(value) >= shortestHidden {
			result = append(result, []byte(value))
		}
	}
	slices.SortStableFunc(result, func(a, b []byte) int { return cmp.Compare(len(b), len(a)) })
	return result
}

// isCredential reports whether a header is one that the customer added and that
// is to be hidden from people.
func isCredential(name string, custom map[string]string) bool {
	if !webhook.CarriesCredential(name) {
		return false
	}
	for own := range custom {
		if strings.EqualFold(own, name) {
			return true
		}
	}
	return false
}

// partsOf are what of an Authorization a receiver may show without its scheme: the
// token, and of Basic also the password that PHP and others take out of it.
func partsOf(value string) []string {
	scheme, token, ok := strings.Cut(value, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	parts := []string{strings.TrimSpace(token)}
	if strings.EqualFold(scheme, "Basic") {
		if pair, err := base64.StdEncoding.DecodeString(parts[0]); err == nil {
			_, password, _ := strings.Cut(string(pair), ":")
			parts = append(parts, string(pair), password)
		}
	}
	return slices.DeleteFunc(parts, func(part string) bool { return len(part) < shortestPart })
}

// hide returns a text in which none of the credentials stands, neither as it is
// nor escaped as JSON, HTML and URLs do.
func (c credentials) hide(text []byte) []byte {
	if len(c) == 0 || len(text) == 0 {
		return text
	}
	text = c.cut(text, reading{text: text})
	if bytes.ContainsAny(text, `\%&`) && c.escapable() {
		text = c.cut(text, unescaped(text))
	}
	return text[:min(len(text), send.MaxResponseBody)] // short values are shorter than what stands for them
}

// headers are the answer's headers, by name.
func (c credentials) headers(header http.Header) [][2]string {
	var shown [][2]string
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			shown = append(shown, [2]string{name, string(c.hide([]byte(value)))})
		}
	}
	return shown
}

// escapable reports whether any credential has a character that is ever escaped.
func (c credentials) escapable() bool {
	return slices.ContainsFunc(c, func(secret []byte) bool {
		return bytes.ContainsFunc(secret, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
		})
	})
}

// cut replaces in a text whatever a reading of it shows to be a credential.
func (c credentials) cut(text []byte, read reading) []byte {
	spans := c.spans(read.text)
	if len(spans) == 0 {
		return text
	}
	var kept []byte
	from := 0
	for _, s := range spans {
		if start := read.at(s.from); start >= from {
			kept = append(append(kept, text[from:start]...), hiddenValue...)
		}
		from = max(from, read.at(s.to)) // those that overlap become one
	}
	return append(kept, text[from:]...)
}

// span is a part of a text.
type span struct{ from, to int }

// spans finds all credentials in a text, by where they begin.
func (c credentials) spans(text []byte) []span {
	var found []span
	for _, secret := range c {
		for from := 0; ; {
			i := bytes.Index(text[from:], secret)
			if i < 0 {
				break
			}
			found = append(found, span{from + i, from + i + len(secret)})
			from += i + len(secret)
		}
		if n := begun(text, secret); n > 0 {
			found = append(found, span{len(text) - n, len(text)})
		}
	}
	slices.SortFunc(found, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to)) })
	return found
}

// begun returns how much of a credential a text ends with: an answer may be cut in
// the middle of one. A few characters tell nothing and are left.
func begun(text, secret []byte) int {
	for n := min(len(text), len(secret)-1); n >= min(shortestPart, (len(secret)+1)/2); n-- {
		if bytes.HasSuffix(text, secret[:n]) {
			return n
		}
	}
	return 0
}

// reading is a text with its escapes undone, and where each byte of it came from.
type reading struct {
	text []byte
	from []int // nil: nothing was undone
}

func (r reading) at(i int) int {
	if r.from == nil {
		return i
	}
	return r.from[i]
}

// longestEscape is that of \u002f.
const longestEscape = 6

// unescaped undoes every escape, of whichever kind. One that the text ends in the
// middle of is left out.
func unescaped(text []byte) reading {
	read := reading{text: make([]byte, 0, len(text)), from: make([]int, 0, len(text)+1)}
	for i := 0; i < len(text); {
		plain, n := unescape(text[i:])
		if n == 0 {
			if rest := text[i:]; len(rest) < longestEscape && strings.IndexByte(`\%&`, rest[0]) >= 0 {
				break
			}
			read.text, read.from = append(read.text, text[i]), append(read.from, i)
			i++
			continue
		}
		for range len(plain) {
			read.from = append(read.from, i)
		}
		read.text = append(read.text, plain...)
		i += n
	}
	read.from = append(read.from, len(text))
	return read
}

// unescape returns what an escape at the beginning of a text stands for, and the
// length of the escape: 0 when there is none.
func unescape(text []byte) (plain string, length int) {
	switch {
	case text[0] == '%':
		return inHex(text, 1, 2)
	case text[0] == '&':
		end := bytes.IndexByte(text[:min(len(text), longestEscape+2)], ';')
		escape := string(text[:end+1])
		if plain = html.UnescapeString(escape); plain != escape {
			return plain, end + 1
		}
	case text[0] != '\\' || len(text) == 1:
	case text[1] == 'u':
		return inHex(text, 2, 4)
	case text[1] == 'x':
		return inHex(text, 2, 2)
	case strings.IndexByte(`/"'\`, text[1]) >= 0:
		return string(text[1:2]), 2
	}
	return "", 0
}

// inHex reads the digits of an escape: two are a byte, four a character.
func inHex(text []byte, from, digits int) (plain string, length int) {
	if len(text) < from+digits {
		return "", 0
	}
	value, err := strconv.ParseUint(string(text[from:from+digits]), 16, 16)
	if err != nil {
		return "", 0
	}
	if digits == 2 {
		return string([]byte{byte(value)}), from + digits
	}
	return string(rune(value)), from + digits
}
