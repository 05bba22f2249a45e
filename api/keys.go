package api

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"io"
	"math/big"
	"strings"

	"posthaste/errs"
)

// An API key is phk_, 256 random bits and a checksum, in letters and digits
// alone: phk_[0-9A-Za-z]{49}. A scanner for leaked credentials can tell it from
// other text, and so can we, without a look into the database.
const (
	keyPrefix    = "phk_"
	keyRandom    = 32 // bytes
	keyDigits    = 43 // base-62 digits of 256 bits
	keySumDigits = 6  // base-62 digits of 32 bits
	keyLength    = len(keyPrefix) + keyDigits + keySumDigits
	// keyShown is how much of a key lists show: enough to tell one's keys apart,
	// and 220 bits short of using one.
	keyShown = len(keyPrefix) + 6
)

// newKey makes a key.
func newKey(random io.Reader) (string, error) {
	bits := make([]byte, keyRandom)
	if _, err := io.ReadFull(random, bits); err != nil {
		return "", errs.Wrap(err, errs.Internal, "No key could be made")
	}
	key := keyPrefix + base62(new(big.Int).SetBytes(bits), keyDigits)
	return key + keySum(key), nil
}

// looksLikeKey tells whether a text could be a key of ours: its form and its
// checksum are right.
func looksLikeKey(text string) bool {
	if len(text) != keyLength || !strings.HasPrefix(text, keyPrefix) {
		return false
	}
	body := text[:keyLength-keySumDigits]
	return text[len(body):] == keySum(body)
}

func keySum(text string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(text)))), keySumDigits)
}

// base62 writes a number with so many digits.
func base62(n *big.Int, digits int) string {
	text := n.Text(62)
	return strings.Repeat("0", digits-len(text)) + text
}

// keyHash is how a key is stored and found. A plain hash is enough: there is
// nothing to guess in 256 random bits.
func keyHash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}
