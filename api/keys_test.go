package api

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNewKey(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 200 {
		key, err := newKey(rand.Reader)
		require.NoError(t, err)
		require.Regexp(t, `^phk_[0-9A-Za-z]{49}$`, key)
		require.True(t, looksLikeKey(key), key)
		require.False(t, seen[key])
		seen[key] = true
	}
	for _, bits := range []byte{0x00, 0xff} { // the ends of what 43 digits hold
		key, err := newKey(bytes.NewReader(bytes.Repeat([]byte{bits}, keyRandom)))
		require.NoError(t, err)
		require.Len(t, key, keyLength)
		require.True(t, looksLikeKey(key))
	}
	_, err := newKey(iotest.ErrReader(errors.New("no entropy")))
	require.Error(t, err)
}

// A key given out once has to be known for good: form and hash must not change.
// The values were computed by another program.
func TestKeyVector(t *testing.T) {
	t.Parallel()
	key, err := newKey(bytes.NewReader([]byte("32 bytes that are not random, no")))
	require.NoError(t, err)
	require.Equal(t, "phk_c8GymBRdFDWtXDWaQr1y1b9Qq0rbxmd0TRZGVul8tTp2SwIFY", key)
	require.Equal(t, "d61418fe7ba6ae5b34af17fefd71f13aa5dd8cc9dfe639fd656c066da0cbcb12", keyHash(key))
}

// One wrong character, or two that changed places, are seen without asking the
// database.
func TestKeyTypos(t *testing.T) {
	t.Parallel()
	key, err := newKey(rand.Reader)
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		typo := []byte(key)
		i := rapid.IntRange(0, keyLength-1).Draw(t, "at")
		typo[i] = rapid.Byte().Draw(t, "instead")
		if string(typo) != key && looksLikeKey(string(typo)) {
			t.Fatalf("%s passes", typo)
		}
		swapped := []byte(key)
		j := rapid.IntRange(0, keyLength-1).Draw(t, "with")
		swapped[i], swapped[j] = swapped[j], swapped[i]
		if string(swapped) != key && looksLikeKey(string(swapped)) {
			t.Fatalf("%s passes", swapped)
		}
	})
}
