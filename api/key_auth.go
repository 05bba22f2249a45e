package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"posthaste/errs"
	"posthaste/models"
)

const (
	headerAPIKey = "X-API-Key"
	// keyFresh is how long a key is taken from memory: so long does one work in
	// another process after it was revoked in this one.
	keyFresh = 5 * time.Second
	// keysKept is how many keys are remembered: some megabytes.
	keysKept = 10_000
	// touchPatience is how long a request waits for its key's use to be noted,
	// which happens once a minute and is no reason to fail.
	touchPatience = 500 * time.Millisecond
)

// keyStore is what this authenticator asks of the ledger.
type keyStore interface {
	// APIKeyByHash returns errs.NotFound when there is no such key.
	APIKeyByHash(ctx context.Context, hash string) (models.APIKey, error)
	// TouchAPIKey notes the use of a key that was read some seconds ago at most.
	TouchAPIKey(ctx context.Context, key models.APIKey) error
}

// keyAuthenticator knows a caller by an API key. A key is looked up by its hash,
// so that no comparison tells anything by the time it takes.
type keyAuthenticator struct {
	store  keyStore
	now    func() time.Time
	logger *slog.Logger
	known  *cache[seenKey]
}

// seenKey is a key as it was last read.
type seenKey struct {
	models.APIKey
	until time.Time
}

func newKeyAuthenticator(store keyStore, now func() time.Time, logger *slog.Logger) *keyAuthenticator {
	return &keyAuthenticator{store: store, now: now, logger: logger, known: newCache[seenKey](keysKept)}
}

// authenticate implements authenticator.
func (a *keyAuthenticator) authenticate(ctx context.Context, header http.Header) (principal, bool, error) {
	values := header.Values(headerAPIKey)
	if len(values) == 0 {
		return principal{}, false, nil
	}
	if len(values) > 1 {
		return principal{}, true, unauthorized("Send one %s header", headerAPIKey)
	}
	if !looksLikeKey(values[0]) { // said at the dashboard's form too, where nobody knows of headers
		return principal{}, true, unauthorized("The API key is none of this server; was it copied whole?")
	}
	key, err := a.find(ctx, keyHash(values[0]))
	switch {
	case errs.Is(err, errs.NotFound):
		return principal{}, true, unauthorized("The API key is not known; it may have been revoked")
	case err != nil:
		return principal{}, true, err
	case key.ExpiresAt != nil && !a.now().Before(*key.ExpiresAt):
		return principal{}, true, unauthorized("The API key has expired; make a new one")
	}
	who := principal{Tenant: key.Tenant, Key: key.ID}
	if key.ExpiresAt != nil {
		who.ExpiresAt = *key.ExpiresAt
	}
	return who, true, nil
}

// find returns the key as it is, or as it was some seconds ago.
func (a *keyAuthenticator) find(ctx context.Context, hash string) (models.APIKey, error) {
	if known, found := a.known.get(hash); found && a.now().Before(known.until) {
		return known.APIKey, nil
	}
	before := a.known.changes()
	key, err := a.store.APIKeyByHash(ctx, hash)
	if err != nil {
		return models.APIKey{}, err
	}
	a.known.fill(hash, seenKey{key, a.now().Add(keyFresh)}, before)
	a.touch(ctx, key)
	return key, nil
}

// touch notes the use of a key, at most once a minute.
func (a *keyAuthenticator) touch(ctx context.Context, key models.APIKey) {
	ctx, cancel := context.WithTimeout(ctx, touchPatience)
	defer cancel()
	if err := a.store.TouchAPIKey(ctx, key); err != nil {
		a.logger.WarnContext(ctx, "cannot note the use of an API key", "apiKey", key.ID, "error", err)
	}
}

// forget stops a key at once.
func (a *keyAuthenticator) forget(id string) {
	a.known.drop(func(known seenKey) bool { return known.ID == id })
}
