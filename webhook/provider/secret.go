package provider

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"posthaste/errs"
	"posthaste/webhook"
)

// Defaults and limits of secrets.
const (
	defaultSecretBytes     = 32
	minSecretBytes         = 16
	maxSecretBytes         = 64
	defaultSecretMaxLength = 256
)

// secretEncodings is every way to write a generated secret.
var secretEncodings = map[string]func([]byte) string{
	"base64":    base64.StdEncoding.EncodeToString,
	"base64url": base64.RawURLEncoding.EncodeToString,
	"hex":       hex.EncodeToString,
}

// withDefaults fills what a profile may leave out.
func (r SecretRule) withDefaults() SecretRule {
	if r.MaxLength == 0 {
		r.MaxLength = defaultSecretMaxLength
	}
	if r.Bytes == 0 {
		r.Bytes = defaultSecretBytes
	}
	if r.Encoding == "" {
		r.Encoding = "base64"
	}
	return r
}

// GenerateSecret makes a secret by the profile's rule from the given source of
// randomness. Where the rule lets callers alone give secrets, or has none, it
// returns errs.Invalid on "secret".
func (p *Profile) GenerateSecret(random io.Reader) (webhook.Secret, error) {
	rule := p.schema.Secret
	switch rule.Rule {
	case SecretGiven:
		return "", errs.InvalidField("secret", "must be given: %s does not generate secrets", p.schema.Title)
	case SecretNone:
		return "", errs.InvalidField("secret", "does not exist: %s does not sign", p.schema.Title)
	case SecretGenerated, SecretEither:
	}
	raw := make([]byte, rule.Bytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("read randomness for a secret: %w", err)
	}
	return webhook.Secret(rule.Prefix + secretEncodings[rule.Encoding](raw)), nil
}

// SecretRule returns what a webhook's secret must be and how one is made.
func (p *Profile) SecretRule() SecretRule { return p.schema.Secret }

// CheckSecret returns what is wrong with a secret that a caller gave, or "". It
// is part of CheckSubscription; a rotation with a given secret asks it alone.
func (p *Profile) CheckSecret(secret webhook.Secret) string {
	rule, text := p.schema.Secret, secret.Reveal()
	switch rule.Rule {
	case SecretGenerated:
		return "is generated; leave it out"
	case SecretNone:
		return fmt.Sprintf("has no use: %s does not sign; leave it out", p.schema.Title)
	case SecretGiven, SecretEither:
	}
	length := utf8.RuneCountInString(text)
	switch {
	case length < max(rule.MinLength, 1):
		return fmt.Sprintf("must be at least %d characters", max(rule.MinLength, 1))
	case length > rule.MaxLength:
		return fmt.Sprintf("must be at most %d characters", rule.MaxLength)
	}
	for _, c := range text {
		if c == utf8.RuneError || unicode.IsControl(c) {
			return "must be text without control characters"
		}
	}
	for _, generation := range p.generations {
		if err := generation.signer.CheckSecret(secret); err != nil {
			return cmp.Or(secretFault(err), "cannot be used")
		}
	}
	return ""
}

// secretFault is the text of a scheme's objection to a secret; "" for any other
// error.
func secretFault(err error) string {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return coded.Fields["secret"]
	}
	return ""
}
