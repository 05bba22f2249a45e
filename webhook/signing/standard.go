package signing

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"posthaste/errs"
	"posthaste/webhook"
)

// The three headers of Standard Webhooks, and the prefixes that tell the kinds
// of its secrets apart.
const (
	standardID        = "webhook-id"
	standardTime      = "webhook-timestamp"
	standardSignature = "webhook-signature"

	prefixHMAC    = "whsec_" // a shared secret: signature v1
	prefixPrivate = "whsk_"  // an ed25519 private key: signature v1a
	prefixPublic  = "whpk_"  // an ed25519 public key: verifies v1a, signs nothing
)

// The specification's limits for a shared secret, in bytes.
const (
	minStandardKey = 24
	maxStandardKey = 64
)

// standard is the scheme of standardwebhooks.com: "{id}.{t}.{body}" signed by
// each secret in its own way, the signatures separated by spaces.
type standard struct{}

func compileStandard(spec Spec) (scheme, error) { return standard{}, refuseFields(spec) }

func (standard) sign(in Input) ([]Header, error) {
	if len(in.Secrets) == 0 {
		return nil, errs.InvalidField("secret", "is needed to sign by Standard Webhooks")
	}
	seconds := strconv.FormatInt(in.Time.Unix(), 10)
	content := newStandardContent(in.ID, seconds, in.Body)
	signatures := make([]string, 0, len(in.Secrets))
	for _, secret := range in.Secrets {
		key, err := parseStandardKey(secret)
		if err != nil {
			return nil, err
		}
		if key.shared == nil && key.private == nil {
			return nil, errs.InvalidField("secret", "is a public key, which cannot sign")
		}
		signatures = append(signatures, key.sign(content))
	}
	return []Header{
		{standardID, in.ID},
		{standardTime, seconds},
		{standardSignature, strings.Join(signatures, " ")},
	}, nil
}

func (standard) verify(in VerifyInput) error {
	id, seconds, given := in.Header(standardID), in.Header(standardTime), in.Header(standardSignature)
	if id == "" || seconds == "" || given == "" {
		return refuse("one of %s, %s and %s is missing", standardID, standardTime, standardSignature)
	}
	number, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return refuse("%s is no number", standardTime)
	}
	if err := checkTime(time.Unix(number, 0), in.Now, in.Tolerance); err != nil {
		return err
	}
	content := newStandardContent(id, seconds, in.Body)
	for _, secret := range in.Secrets {
		key, err := parseStandardKey(secret)
		if err != nil {
			return err
		}
		for signature := range strings.SplitSeq(given, " ") {
			if key.matches(content, signature) {
				return nil
			}
		}
	}
	return refuse("no signature matches")
}

func (standard) headers() []string { return []string{standardID, standardTime, standardSignature} }

func (standard) several() bool { return true }

func (standard) checkSecret(secret webhook.Secret) error {
	key, err := parseStandardKey(secret)
	if err == nil && key.public != nil && key.private == nil {
		return errs.InvalidField("secret", "is a public key; give the private one (%s…)", prefixPrivate)
	}
	return err
}

func (standard) checkTrusted(secret webhook.Secret) error {
	_, err := parseStandardKey(secret)
	return err
}

// standardContent is what is signed, in two parts: a body is large, and an HMAC
// takes it as it lies.
type standardContent struct{ head, body []byte }

func newStandardContent(id, seconds string, body []byte) standardContent {
	return standardContent{head: []byte(id + "." + seconds + "."), body: body}
}

// whole is for ed25519, which reads it twice.
func (c standardContent) whole() []byte { return slices.Concat(c.head, c.body) }

// standardKey is a secret taken apart: shared, or public with or without its
// private half.
type standardKey struct {
	shared  []byte
	private ed25519.PrivateKey
	public  ed25519.PublicKey
}

// parseStandardKey reads a secret by its prefix. The messages show nothing of it.
func parseStandardKey(secret webhook.Secret) (standardKey, error) {
	text := secret.Reveal()
	for _, prefix := range []string{prefixHMAC, prefixPrivate, prefixPublic} {
		encoded, found := strings.CutPrefix(text, prefix)
		if !found {
			continue
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		// The decoder skips line breaks; a secret must not have any.
		if err != nil || strings.ContainsAny(encoded, "\r\n") {
			return standardKey{}, errs.InvalidField("secret", "must be %s followed by base64", prefix)
		}
		return standardKeyOf(prefix, raw)
	}
	return standardKey{}, errs.InvalidField("secret", "must begin with %s or %s", prefixHMAC, prefixPrivate)
}

func standardKeyOf(prefix string, raw []byte) (standardKey, error) {
	switch {
	case prefix == prefixHMAC && len(raw) >= minStandardKey && len(raw) <= maxStandardKey:
		return standardKey{shared: raw}, nil
	case prefix == prefixHMAC:
		return standardKey{}, errs.InvalidField("secret", "must hold between %d and %d bytes in base64", minStandardKey, maxStandardKey)
	case prefix == prefixPublic && len(raw) == ed25519.PublicKeySize:
		return standardKey{public: raw}, nil
	case prefix == prefixPrivate && (len(raw) == ed25519.SeedSize || len(raw) == ed25519.PrivateKeySize):
		private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
		// A private key whose public half is another's would leak the secret
		// through its signatures.
		if len(raw) == ed25519.PrivateKeySize && !private.Equal(ed25519.PrivateKey(raw)) {
			break
		}
		return standardKey{private: private, public: ed25519.PublicKey(private[ed25519.SeedSize:])}, nil
	}
	return standardKey{}, errs.InvalidField("secret", "is no ed25519 key")
}

func (k standardKey) sign(content standardContent) string {
	if k.shared != nil {
		mac := hmac.New(sha256.New, k.shared)
		mac.Write(content.head)
		mac.Write(content.body)
		return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(k.private, content.whole()))
}

func (k standardKey) matches(content standardContent, signature string) bool {
	if k.shared != nil {
		return hmac.Equal([]byte(k.sign(content)), []byte(signature))
	}
	encoded, found := strings.CutPrefix(signature, "v1a,")
	if !found {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(encoded)
	return err == nil && ed25519.Verify(k.public, content.whole(), raw)
}
