package config

import (
	"fmt"
	"log/slog"
)

// hidden is what every secret prints as.
const hidden = "[secret]"

// Secret is a setting that must not be shown: it prints as [secret] through
// fmt (under every verb), encoding/json, text encoders and log/slog.
type Secret string

// Format hides the secret under every verb of fmt, %d and %x included.
func (Secret) Format(state fmt.State, _ rune) { _, _ = state.Write([]byte(hidden)) }

// String hides the secret.
func (Secret) String() string { return hidden }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return hidden }

// MarshalText hides the secret from text, JSON and YAML encoders.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON hides the secret from encoding/json.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// LogValue hides the secret from log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// Reveal returns the secret itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// IsSet reports whether there is a secret at all.
func (s Secret) IsSet() bool { return s != "" }
