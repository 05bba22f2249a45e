// Package signing turns a body, a time and a webhook's secrets into the headers
// that prove to a receiver who sent the body. Every scheme is one line in the
// table below. Nothing here reads a clock: the time of the attempt comes in.
package signing

import (
	"maps"
	"slices"
	"strings"
	"time"

	"posthaste/errs"
	"posthaste/webhook"
)

// Spec is the `signing` part of a provider profile. Scheme names a scheme of
// the table; the other fields belong to scheme hmac and must be empty elsewhere.
type Spec struct {
	Scheme string `yaml:"scheme"`
	// Header is the name of the header that carries Value.
	Header string `yaml:"header"`
	// Digest is the hash under the HMAC: sha1, sha256, sha384 or sha512.
	Digest string `yaml:"digest"`
	// Encoding is how the digest is written: hex, base64 or base64url.
	Encoding string `yaml:"encoding"`
	// Content is what is signed, of {id}, {t} and {body}, such as "{t}.{body}".
	Content string `yaml:"content"`
	// Value is what the header holds, of {id}, {t} and {sig}, such as
	// "t={t},v2={sig}".
	Value string `yaml:"value"`
	// TimeUnit is the unit of {t}: seconds or milliseconds since 1970.
	TimeUnit string `yaml:"timeUnit"`
	// IDHeader and TimeHeader, when set, carry {id} and {t} in headers of their
	// own, for schemes whose Value has no room for them.
	IDHeader   string `yaml:"idHeader"`
	TimeHeader string `yaml:"timeHeader"`
}

// Header is one header of a request, the name as the provider writes it.
type Header struct {
	Name  string
	Value string
}

// Input is what a signature covers. Secrets are newest first; during a rotation
// overlap there are several, and a scheme that allows several signatures makes
// one for each.
type Input struct {
	ID      string
	Time    time.Time
	Body    []byte
	Secrets []webhook.Secret
}

// VerifyInput is what a receiver has: a way to read the request's headers, the
// body as it came, the secrets it trusts, its clock, and how far the signed
// time may be from that clock (0 = do not look at the time).
type VerifyInput struct {
	Header    func(name string) string
	Body      []byte
	Secrets   []webhook.Secret
	Now       time.Time
	Tolerance time.Duration
}

// scheme is one way of signing, ready to use by many goroutines.
type scheme interface {
	sign(in Input) ([]Header, error)
	verify(in VerifyInput) error
	headers() []string
	several() bool
	checkSecret(secret webhook.Secret) error
	checkTrusted(secret webhook.Secret) error
}

// schemes is every scheme there is. A new one is a file and a line here.
var schemes = map[string]func(Spec) (scheme, error){
	"none":              compileNone,
	"hmac":              compileHMAC,
	"standard-webhooks": compileStandard,
}

// Schemes returns the name of every scheme, sorted.
func Schemes() []string { return slices.Sorted(maps.Keys(schemes)) }

// Signer signs and verifies by one Spec. It is safe for concurrent use.
type Signer struct {
	scheme scheme
	spec   Spec
}

// Compile checks a Spec once. A fault is errs.Invalid on the field of the Spec
// ("digest", "content"); an unknown name is a fault, never a default.
func Compile(spec Spec) (*Signer, error) {
	compile, known := schemes[spec.Scheme]
	if !known {
		return nil, errs.InvalidField("scheme", "unknown scheme %q; known: %s", spec.Scheme, strings.Join(Schemes(), ", "))
	}
	compiled, err := compile(spec)
	if err != nil {
		return nil, err
	}
	return &Signer{scheme: compiled, spec: spec}, nil
}

// Sign returns the headers to add, in order. Without a secret, scheme hmac adds
// none and standard-webhooks refuses with errs.Invalid on "secret".
func (s *Signer) Sign(in Input) ([]Header, error) { return s.scheme.sign(in) }

// Verify returns nil when the headers hold a signature of the body by one of
// the secrets, made within the tolerance; otherwise errs.Unauthorized with a
// message that says what is amiss and shows nothing secret.
func (s *Signer) Verify(in VerifyInput) error { return s.scheme.verify(in) }

// Spec returns what the signer was compiled from, for those who show receivers
// how to verify.
func (s *Signer) Spec() Spec { return s.spec }

// Headers returns the names of the headers that Sign may add.
func (s *Signer) Headers() []string { return s.scheme.headers() }

// Several reports whether one request can carry a signature per secret, so that
// an old secret may stay valid for a while during a rotation.
func (s *Signer) Several() bool { return s.scheme.several() }

// CheckSecret returns errs.Invalid on "secret" when the scheme cannot sign with
// the secret.
func (s *Signer) CheckSecret(secret webhook.Secret) error { return s.scheme.checkSecret(secret) }

// CheckTrusted returns errs.Invalid on "secret" when the scheme cannot verify by
// the secret. A receiver may hold less than a sender: a public key.
func (s *Signer) CheckTrusted(secret webhook.Secret) error { return s.scheme.checkTrusted(secret) }

// refuse is the answer of every failed verification.
func refuse(format string, args ...any) error {
	return errs.New(errs.Unauthorized, format, args...)
}

// checkTime refuses a signed time too far from the receiver's clock.
func checkTime(signed, now time.Time, tolerance time.Duration) error {
	if tolerance <= 0 {
		return nil
	}
	if age := now.Sub(signed); age > tolerance {
		return refuse("the signature is too old: %s", age.Round(time.Second))
	}
	if ahead := signed.Sub(now); ahead > tolerance {
		return refuse("the signature is %s in the future", ahead.Round(time.Second))
	}
	return nil
}

// refuseFields reports the first field that is set although the scheme has no
// use for it: a profile that sets it expects something that will not happen.
func refuseFields(spec Spec) error {
	for _, field := range []struct{ name, value string }{
		{"header", spec.Header}, {"digest", spec.Digest}, {"encoding", spec.Encoding},
		{"content", spec.Content}, {"value", spec.Value}, {"timeUnit", spec.TimeUnit},
		{"idHeader", spec.IDHeader}, {"timeHeader", spec.TimeHeader},
	} {
		if field.value != "" {
			return errs.InvalidField(field.name, "has no meaning in scheme %s", spec.Scheme)
		}
	}
	return nil
}
