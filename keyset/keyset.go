// Package keyset holds the keys that seal webhook secrets and headers at rest in
// the database, and payloads in Temporal. It is a leaf of its own because more than one room
// needs it and none of them should own keys (docs/decisions/0003-keyset-room.md).
//
// A keyset is an AEAD keyset of Tink, written as one line of base64. It may
// hold several keys: the primary seals, every one opens, so that keys rotate
// without a pause (rotate.go).
package keyset

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"posthaste/errs"
)

// hidden is what a keyset prints as.
const hidden = "[keyset]"

// Keyset seals and opens. It is safe for concurrent use and prints as [keyset].
type Keyset struct {
	aead   tink.AEAD
	prefix []byte // what the primary key's values begin with
}

// Generate returns a new keyset with one AES-256-GCM key, as one line.
func Generate() (string, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return "", fmt.Errorf("make a key: %w", err)
	}
	return encode(handle)
}

// Parse reads the line that Generate, Add, Promote or Retire wrote: base64 of a Tink keyset
// in cleartext, binary or JSON. It returns errs.Invalid when the line is none;
// the error never holds any part of the line.
func Parse(line string) (*Keyset, error) {
	handle, err := decode(line)
	if err != nil {
		return nil, err
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, otherKind()
	}
	primary, err := handle.Primary()
	if err != nil {
		return nil, otherKind()
	}
	named, ok := primary.Key().(interface{ OutputPrefix() []byte })
	if !ok || len(named.OutputPrefix()) == 0 {
		return nil, otherKind() // a key that leaves no name on what it seals can never be retired
	}
	return &Keyset{aead: primitive, prefix: named.OutputPrefix()}, nil
}

func otherKind() error {
	return errs.New(errs.Invalid, "the keyset holds keys of another kind: it must hold AEAD keys, as posthaste keygen makes them")
}

// Seal encrypts plain with the primary key. The same context must be given to
// Open: it ties a sealed value to its place, so that it cannot be moved to
// another row.
func (k *Keyset) Seal(plain, context []byte) ([]byte, error) {
	sealed, err := k.aead.Encrypt(plain, context)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Open decrypts what Seal made with any key of the keyset.
func (k *Keyset) Open(sealed, context []byte) ([]byte, error) {
	plain, err := k.aead.Decrypt(sealed, context)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "a sealed value does not open: it was sealed with a key that POSTHASTE_ENCRYPTION_KEYSET does not hold, or it was changed")
	}
	return plain, nil
}

// Current reports whether a value was sealed with the key that seals now. It
// reads the key's name at the value's front and opens nothing.
func (k *Keyset) Current(sealed []byte) bool { return bytes.HasPrefix(sealed, k.prefix) }

// Format hides the keys under every verb of fmt.
func (*Keyset) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(hidden)) }

// String hides the keys.
func (*Keyset) String() string { return hidden }

// MarshalJSON hides the keys.
func (*Keyset) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// LogValue hides the keys from log/slog.
func (*Keyset) LogValue() slog.Value { return slog.StringValue(hidden) }

func encode(handle *keyset.Handle) (string, error) {
	var buffer bytes.Buffer
	if err := insecurecleartextkeyset.Write(handle, keyset.NewBinaryWriter(&buffer)); err != nil {
		return "", fmt.Errorf("write the keyset: %w", err)
	}
	return base64.StdEncoding.EncodeToString(buffer.Bytes()), nil
}

// decode drops the causes on purpose: a parser's message may quote its input.
func decode(line string) (*keyset.Handle, error) {
	line = strings.TrimSpace(line)
	if line == "" {
		return nil, errs.New(errs.Invalid, "the keyset is empty: run `posthaste keygen` and set POSTHASTE_ENCRYPTION_KEYSET to its line")
	}
	raw, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the keyset is no base64: POSTHASTE_ENCRYPTION_KEYSET must be the whole line that `posthaste keygen` printed")
	}
	var reader keyset.Reader = keyset.NewBinaryReader(bytes.NewReader(raw))
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		reader = keyset.NewJSONReader(bytes.NewReader(raw))
	}
	handle, err := insecurecleartextkeyset.Read(reader)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the keyset cannot be read: POSTHASTE_ENCRYPTION_KEYSET must be the whole line that `posthaste keygen` printed")
	}
	return handle, nil
}
