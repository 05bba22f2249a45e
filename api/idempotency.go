package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"posthaste/errs"
	"posthaste/webhook"

	"github.com/google/uuid"
)

// A key comes in the header, or with an event of a batch as its member.
const (
	headerIdempotencyKey = "Idempotency-Key"
	memberIdempotencyKey = "idempotencyKey"
)

// maxKeyChars bounds a key, and wantKey says what one is.
const (
	maxKeyChars = 255
	wantKey     = "must be one value of 1 to 255 visible ASCII characters"
)

// keyNamespace makes event ids out of idempotency keys. It must never change:
// a key sent again after an upgrade has to meet the same id.
var keyNamespace = uuid.MustParse("6f1c3c0a-54d1-5a35-9a3c-1f7a2f0b7c55")

// idempotencyKey returns the request's key; "" when it has none.
func idempotencyKey(header http.Header) (string, error) {
	keys := header.Values(headerIdempotencyKey)
	if len(keys) == 0 {
		return "", nil
	}
	if len(keys) > 1 || !isKey(keys[0]) {
		return "", errs.InvalidField(headerIdempotencyKey, wantKey)
	}
	return keys[0], nil
}

func isKey(text string) bool {
	visible := len(text) >= 1 && len(text) <= maxKeyChars
	for i := range len(text) {
		visible = visible && text[i] > ' ' && text[i] < 0x7f
	}
	return visible
}

// ownKey returns the key that an event of a batch has itself; "" when it has none.
// It stands for what the same key in the header of an event sent alone stands for.
func ownKey(body *object) string {
	var key string
	if read(body, memberIdempotencyKey, wantKey, &key) && body.has(memberIdempotencyKey) && !isKey(key) {
		body.fault(memberIdempotencyKey, wantKey)
	}
	return key
}

// identified gives the event its id: a new one, or the one that its key stands
// for together with the hash that tells a repeated key from a reused one.
func identified(event, given webhook.Event, key, occurredAt string) (webhook.Event, error) {
	if key == "" {
		id, err := uuid.NewV7()
		event.ID = id.String()
		return event, errs.Wrap(err, errs.Internal, "No id could be made")
	}
	event.ID = uuid.NewSHA1(keyNamespace, []byte(event.Tenant+"\x00"+key)).String()
	hash, err := bodyHash(given, occurredAt)
	event.BodyHash = hash
	return event, err
}

// bodyHash is the SHA-256 of what a caller enqueued, in canonical form, so that
// spacing makes no difference. The time counts as it was written: a default one
// differs from call to call.
func bodyHash(event webhook.Event, occurredAt string) (string, error) {
	attributes, err := json.Marshal(event.Attributes)
	if err != nil {
		return "", fmt.Errorf("encoding attributes: %w", err)
	}
	source := event.Source
	if source == "" {
		source = webhook.SourceSystem
	}
	var whole strings.Builder
	for _, part := range []string{
		event.Type, event.Provider, string(source), string(event.Data), string(event.CustomData),
		string(attributes), occurredAt,
	} {
		fmt.Fprintf(&whole, "%d:%s,", len(part), part) // lengths keep neighbours apart
	}
	digest := sha256.Sum256([]byte(whole.String()))
	return hex.EncodeToString(digest[:]), nil
}
