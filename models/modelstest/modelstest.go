// Package modelstest gives tests a real ledger: on a SQLite file and in a
// PostgreSQL schema of their own, migrated, and gone when the test ends.
package modelstest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// Kind is one of the two databases.
type Kind string

// The two kinds. Kinds lists them.
const (
	SQLite   Kind = "sqlite"
	Postgres Kind = "postgres"
)

// Kinds returns both kinds, the one that is always there first.
func Kinds() []Kind { return []Kind{SQLite, Postgres} }

// Each runs one suite on both databases, each with a store of its own, in
// parallel.
func Each(t *testing.T, run func(t *testing.T, store *models.Store)) {
	t.Helper()
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			run(t, Open(t, kind))
		})
	}
}

// Open returns a migrated store that is closed and removed at the end of the
// test. Where PostgreSQL is neither running nor installed the test is skipped,
// or fails if POSTHASTE_TEST_REQUIRE lists postgres.
func Open(tb testing.TB, kind Kind) *models.Store {
	tb.Helper()
	return OpenWith(tb, models.Options{URL: URL(tb, kind)})
}

// OpenWith migrates the database at o.URL (see URL) and opens it with these
// options; the Sealer is the test one and the clock the real one unless they
// are set.
func OpenWith(tb testing.TB, o models.Options) *models.Store {
	tb.Helper()
	if o.Sealer == nil {
		o.Sealer = Sealer()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	_, err := models.MigrateUp(tb.Context(), o.URL)
	require.NoError(tb, err)
	store, err := models.Open(tb.Context(), o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, store.Close()) })
	return store
}

// URL returns the URL of an empty database of the kind that is removed at the
// end of the test.
func URL(tb testing.TB, kind Kind) string {
	tb.Helper()
	if kind == SQLite {
		return "sqlite://" + filepath.Join(tb.TempDir(), "posthaste.db")
	}
	return postgresSchema(tb)
}

// cleanupContext outlives the test's own, which has ended when cleanup runs.
func cleanupContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

// testKey is the fixed key of the test Sealer.
const testKey = "an AES-256 key for nothing real!"

// Sealer returns a real Sealer (AES-GCM, random nonce) with a fixed key, so that
// stores opened one after the other on one database understand each other.
func Sealer() models.Sealer {
	block, err := aes.NewCipher([]byte(testKey))
	if err != nil {
		panic(err) // the key has the right length
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // AES has the right block size
	}
	return sealer{aead}
}

type sealer struct{ aead cipher.AEAD }

// Seal puts a random nonce in front of the ciphertext.
func (s sealer) Seal(plain, context []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plain, context), nil
}

// Open reverses Seal.
func (s sealer) Open(sealed, context []byte) ([]byte, error) {
	return s.aead.Open(nil, nil, sealed, context)
}

// Current is always true: there is one key.
func (sealer) Current([]byte) bool { return true }
