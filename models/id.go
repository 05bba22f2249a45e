package models

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// DeliveryID returns the id of the delivery of an event to a webhook: always
// the same for the same event, so that planning it twice makes one row. It has
// the shape of a UUIDv7 and sorts by the time the event was accepted.
func DeliveryID(acceptedAt time.Time, eventID, webhookID string) string {
	sum := sha256.Sum256([]byte(eventID + "\x00" + webhookID))
	return timeOrdered(acceptedAt, sum[:])
}

// NewID returns a fresh id that sorts by the time it was made at (a UUIDv7).
func NewID(now time.Time) string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	return timeOrdered(now, random[:])
}

// lastMillis is the last time that a UUIDv7 has room for, in the year 10889.
const lastMillis = 1<<48 - 1

// timeOrdered builds a UUIDv7: 48 bits of milliseconds, then the given bits. A
// time that they do not hold becomes the nearest one that they do, so that every
// filter by time may be one by id.
func timeOrdered(at time.Time, bits []byte) string {
	var id uuid.UUID
	var millis [8]byte
	binary.BigEndian.PutUint64(millis[:], uint64(min(max(at.UnixMilli(), 0), lastMillis)))
	copy(id[:6], millis[2:])
	copy(id[6:], bits)
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// timeOf returns the time in a UUIDv7, to the millisecond.
func timeOf(id string) time.Time {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return time.Time{}
	}
	var millis [8]byte
	copy(millis[2:], parsed[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(millis[:]))).UTC()
}

// isUUID reports whether a text is a UUID in the one form we write.
func isUUID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}

// maxKeyLength is above any id or tenant name we make.
const maxKeyLength = 128

// couldExist reports whether an id or a tenant name could be in a table at all.
// PostgreSQL refuses text with a zero byte or broken UTF-8, so such a value is
// answered as absent before it gets there. "*" stands for all tenants and is
// never one of them.
func couldExist(keys ...string) bool {
	for _, key := range keys {
		if key == "" || key == allTenants || len(key) > maxKeyLength || !storable(key) {
			return false
		}
	}
	return true
}

// storable reports whether a TEXT column of both databases takes the value.
func storable(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	for i := range len(text) {
		if text[i] == 0 {
			return false
		}
	}
	return true
}
