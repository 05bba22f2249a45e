package signing

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // as an HMAC it holds, and some receivers know nothing newer
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"posthaste/errs"
	"posthaste/webhook"
)

// digests is every hash an HMAC may use.
var digests = map[string]func() hash.Hash{
	"sha1":   sha1.New,
	"sha256": sha256.New,
	"sha384": sha512.New384,
	"sha512": sha512.New,
}

// encodings is every way to write a digest.
var encodings = map[string]func([]byte) string{
	"hex":       hex.EncodeToString,
	"base64":    base64.StdEncoding.EncodeToString,
	"base64url": base64.URLEncoding.EncodeToString,
}

// timeUnits says how {t} is written.
var timeUnits = map[string]struct {
	write func(time.Time) int64
	read  func(int64) time.Time
}{
	"seconds":      {time.Time.Unix, func(t int64) time.Time { return time.Unix(t, 0) }},
	"milliseconds": {time.Time.UnixMilli, time.UnixMilli},
}

// generic signs with an HMAC whose parts a profile spells out. The key is the
// secret's text as it stands, and the newest secret alone signs: most receivers
// of such headers expect exactly one signature.
type generic struct {
	spec    Spec
	content template
	value   template
}

func compileHMAC(spec Spec) (scheme, error) {
	if err := checkHMACNames(spec); err != nil {
		return nil, err
	}
	content, err := parseTemplate(spec.Content, "id", "t", "body")
	if err == nil && !content.uses("body") {
		return nil, errs.InvalidField("content", "must contain {body}")
	}
	if err != nil {
		return nil, errs.InvalidField("content", "%v", err)
	}
	value, err := parseTemplate(spec.Value, "id", "t", "sig")
	if err == nil {
		err = value.readable()
	}
	if err != nil {
		return nil, errs.InvalidField("value", "%v", err)
	}
	if !value.uses("sig") {
		return nil, errs.InvalidField("value", "must contain {sig}")
	}
	if !httpguts.ValidHeaderFieldValue(value.literals()) {
		return nil, errs.InvalidField("value", "cannot stand in a header")
	}
	signer := &generic{spec: spec, content: content, value: value}
	return signer, signer.checkReceiver()
}

// checkHMACNames looks every name of the Spec up.
func checkHMACNames(spec Spec) error {
	if !httpguts.ValidHeaderFieldName(spec.Header) {
		return errs.InvalidField("header", "%q is no header name", spec.Header)
	}
	for _, optional := range []struct{ field, name string }{{"idHeader", spec.IDHeader}, {"timeHeader", spec.TimeHeader}} {
		if optional.name != "" && !httpguts.ValidHeaderFieldName(optional.name) {
			return errs.InvalidField(optional.field, "%q is no header name", optional.name)
		}
	}
	if digests[spec.Digest] == nil {
		return errs.InvalidField("digest", "unknown digest %q; known: %s", spec.Digest, names(digests))
	}
	if encodings[spec.Encoding] == nil {
		return errs.InvalidField("encoding", "unknown encoding %q; known: %s", spec.Encoding, names(encodings))
	}
	if _, known := timeUnits[spec.TimeUnit]; spec.TimeUnit != "" && !known {
		return errs.InvalidField("timeUnit", "unknown unit %q; known: %s", spec.TimeUnit, names(timeUnits))
	}
	return nil
}

// checkReceiver refuses a Spec that no receiver could verify: what is signed
// must be sent.
func (g *generic) checkReceiver() error {
	if g.content.uses("id") && !g.value.uses("id") && g.spec.IDHeader == "" {
		return errs.InvalidField("content", "signs {id}, which neither value nor idHeader sends")
	}
	if g.content.uses("t") && !g.sendsTime() {
		return errs.InvalidField("content", "signs {t}, which neither value nor timeHeader sends")
	}
	if g.sendsTime() && g.spec.TimeUnit == "" {
		return errs.InvalidField("timeUnit", "must be seconds or milliseconds where {t} is used")
	}
	return nil
}

func (g *generic) sendsTime() bool { return g.value.uses("t") || g.spec.TimeHeader != "" }

func (g *generic) sign(in Input) ([]Header, error) {
	if len(in.Secrets) == 0 {
		return nil, nil
	}
	v := values{id: in.ID}
	if g.sendsTime() {
		v.t = strconv.FormatInt(timeUnits[g.spec.TimeUnit].write(in.Time), 10)
	}
	v.sig = g.digest(in.Secrets[0], &v, in.Body)
	var headers []Header
	if g.spec.IDHeader != "" {
		headers = append(headers, Header{g.spec.IDHeader, in.ID})
	}
	if g.spec.TimeHeader != "" {
		headers = append(headers, Header{g.spec.TimeHeader, v.t})
	}
	return append(headers, Header{g.spec.Header, g.value.fill(&v)}), nil
}

func (g *generic) digest(secret webhook.Secret, v *values, body []byte) string {
	mac := hmac.New(digests[g.spec.Digest], []byte(secret.Reveal()))
	text := make([]byte, 0, 64) // enough for an id and a time
	for _, p := range g.content {
		if p.name == "body" {
			mac.Write(body)
			continue
		}
		text = p.appendTo(text[:0], v)
		mac.Write(text)
	}
	return encodings[g.spec.Encoding](mac.Sum(nil))
}

func (g *generic) verify(in VerifyInput) error {
	given := in.Header(g.spec.Header)
	if given == "" {
		return refuse("the header %s is missing", g.spec.Header)
	}
	v, ok := g.value.read(given)
	if !ok {
		return refuse("the header %s is not of the form %s", g.spec.Header, g.spec.Value)
	}
	if g.spec.IDHeader != "" {
		v.id = in.Header(g.spec.IDHeader)
	}
	if g.spec.TimeHeader != "" {
		v.t = in.Header(g.spec.TimeHeader)
	}
	if g.sendsTime() {
		number, err := strconv.ParseInt(v.t, 10, 64)
		if err != nil {
			return refuse("the signed time is no number")
		}
		if err := checkTime(timeUnits[g.spec.TimeUnit].read(number), in.Now, in.Tolerance); err != nil {
			return err
		}
	}
	for _, secret := range in.Secrets {
		if hmac.Equal([]byte(g.digest(secret, &v, in.Body)), []byte(v.sig)) {
			return nil
		}
	}
	return refuse("no signature matches")
}

func (g *generic) headers() []string {
	var headers []string
	for _, name := range []string{g.spec.IDHeader, g.spec.TimeHeader, g.spec.Header} {
		if name != "" {
			headers = append(headers, name)
		}
	}
	return headers
}

func (g *generic) several() bool { return false }

func (g *generic) checkSecret(secret webhook.Secret) error {
	if secret == "" {
		return errs.InvalidField("secret", "must not be empty")
	}
	return nil
}

func (g *generic) checkTrusted(secret webhook.Secret) error { return g.checkSecret(secret) }

// names lists a table's keys for a message.
func names[V any](table map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(table)), ", ")
}
