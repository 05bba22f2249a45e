package models

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"posthaste/errs"
)

// Secret is a webhook's signing secret in plain. It prints as [secret]
// everywhere and is sealed before it reaches a column.
type Secret string

// Format hides the secret from every verb of fmt.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalJSON hides the secret from every encoder.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"[secret]"`), nil }

// Reveal returns the secret itself: for signing, and for the one answer that
// shows it.
func (s Secret) Reveal() string { return string(s) }

// Sealer encrypts what must not lie in a column in plain. Context binds a
// sealed value to its place: what was sealed with one context opens with no
// other. Current tells whether a value was sealed with the key that seals now.
// A Sealer must be safe for concurrent use.
type Sealer interface {
	Seal(plain, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
	Current(sealed []byte) bool
}

// The sealed columns. The name is part of the context, so that a value moved to
// another column, row or tenant does not open.
const (
	sealedSecret         = "secret"
	sealedPreviousSecret = "previous_secret"
	sealedHeaders        = "headers"
	sealedRequestHeaders = "request_headers"
)

// sealContext names the place of a sealed value: tenant, the id of the row it
// belongs to and the column.
func sealContext(tenant, id, column string) []byte {
	return []byte(tenant + "\x00" + id + "\x00" + column)
}

// seal encrypts a value; nothing stays nothing (NULL).
func (s *Store) seal(plain []byte, tenant, id, column string) ([]byte, error) {
	if len(plain) == 0 {
		return nil, nil
	}
	sealed, err := s.sealer.Seal(plain, sealContext(tenant, id, column))
	return sealed, errs.Wrap(err, errs.Internal, "Cannot seal the %s of %s", column, id)
}

// open decrypts what seal made.
func (s *Store) open(sealed []byte, tenant, id, column string) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	plain, err := s.sealer.Open(sealed, sealContext(tenant, id, column))
	return plain, errs.Wrap(err, errs.Internal,
		"Cannot open the sealed %s of %s: the encryption keyset is not the one it was sealed with", column, id)
}

// sealJSON seals the JSON form of a value.
func (s *Store) sealJSON(value any, tenant, id, column string) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "Cannot encode the %s of %s", column, id)
	}
	return s.seal(text, tenant, id, column)
}

// openJSON opens what sealJSON made into the value pointed to, which stays as
// it is when nothing was sealed.
func (s *Store) openJSON(sealed []byte, tenant, id, column string, into any) error {
	text, err := s.open(sealed, tenant, id, column)
	if err != nil || text == nil {
		return err
	}
	return errs.Wrap(json.Unmarshal(text, into), errs.Internal, "Cannot decode the %s of %s", column, id)
}
