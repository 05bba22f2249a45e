package keyset_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/keyset"
)

func BenchmarkKeyset(b *testing.B) {
	line, err := keyset.Generate()
	require.NoError(b, err)
	keys, err := keyset.Parse(line)
	require.NoError(b, err)
	secret, place := []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), []byte("webhook/acme/1")
	sealed, err := keys.Seal(secret, place)
	require.NoError(b, err)
	b.Run("op=seal/value=secret", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := keys.Seal(secret, place); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("op=open/value=secret", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := keys.Open(sealed, place); err != nil {
				b.Fatal(err)
			}
		}
	})
}
