package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"posthaste/errs"
	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// ledger is the part of the ledger that stands at the door, with a clock that a
// test moves and a database that it stops.
type ledger struct {
	mutex   sync.Mutex
	now     time.Time
	down    error
	reads   int
	touches int
	tenants map[string]models.Tenant
	keys    map[string]models.APIKey
	during  func() // happens while a read is under way
}

func newLedger() *ledger {
	return &ledger{now: testNow, tenants: map[string]models.Tenant{}, keys: map[string]models.APIKey{}}
}

func (l *ledger) clock() time.Time {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.now
}

func (l *ledger) later(by time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.now = l.now.Add(by)
}

func (l *ledger) set(id, status string, perMinute int) models.Tenant {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.tenants[id] = models.Tenant{ID: id, Status: status, Limits: models.Limits{EventsPerMinute: perMinute}}
	return l.tenants[id]
}

// Tenant implements doorStore.
func (l *ledger) Tenant(_ context.Context, id string) (models.Tenant, error) {
	l.mutex.Lock()
	l.reads++
	found, known := l.tenants[id]
	down, during := l.down, l.during
	l.mutex.Unlock()
	if during != nil {
		during()
	}
	if !known || down != nil {
		found = models.Tenant{ID: id, Status: models.TenantActive, Limits: models.Limits{EventsPerMinute: 60}}
	}
	return found, down
}

// APIKeyByHash implements keyStore.
func (l *ledger) APIKeyByHash(_ context.Context, hash string) (models.APIKey, error) {
	l.mutex.Lock()
	l.reads++
	found, known := l.keys[hash]
	down, during := l.down, l.during
	l.mutex.Unlock()
	if during != nil {
		during()
	}
	if down == nil && !known {
		down = errs.New(errs.NotFound, "none")
	}
	return found, down
}

// TouchAPIKey implements keyStore.
func (l *ledger) TouchAPIKey(context.Context, models.APIKey) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.touches++
	return errs.New(errs.Unavailable, "busy") // which is no reason to fail
}

func (l *ledger) door() *door { return newDoor(l, l.clock, slog.New(slog.DiscardHandler)) }

// admitted counts how many of n events get in, one by one.
func admitted(t *testing.T, d *door, tenant string, n int) int {
	t.Helper()
	count := 0
	for range n {
		got, err := d.admit(t.Context(), tenant, 1)
		require.Equal(t, err == nil, got == 1)
		count += got
	}
	return count
}

func TestEventsPerMinute(t *testing.T) {
	t.Parallel()
	tests := []struct {
		perMinute, burst, in30Seconds int
	}{
		{1, 1, 0},
		{3, 3, 1}, // what a low limit allows may come whenever it likes
		{10, 10, 5},
		{24, 10, 10}, // full again after 25 seconds, and then it waits
		{60, 10, 10},
		{66, 11, 11}, // from here on it is a sixth
		{6000, 1000, 1000},
		{0, 5000, 5000}, // no limit
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.perMinute), func(t *testing.T) {
			t.Parallel()
			l := newLedger()
			l.set("acme", models.TenantActive, tt.perMinute)
			d := l.door()
			require.Equal(t, tt.burst, admitted(t, d, "acme", 5000))
			l.later(30 * time.Second)
			require.Equal(t, tt.in30Seconds, admitted(t, d, "acme", 5000))
		})
	}
}

// Over a minute of steady asking, a tenant gets its limit, and the burst once.
func TestEventsPerMinuteHoldInTheLongRun(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.set("acme", models.TenantActive, 600)
	d := l.door()
	total := 0
	for range 600 {
		total += admitted(t, d, "acme", 3)
		l.later(100 * time.Millisecond)
	}
	require.InDelta(t, 100+600, total, 2)
}

func TestRetryAfterIsWhenTheNextOneFits(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.set("acme", models.TenantActive, 4)
	d := l.door()
	require.Equal(t, 4, admitted(t, d, "acme", 5))
	l.later(5 * time.Second)
	got, err := d.admit(t.Context(), "acme", 3)
	require.Zero(t, got)
	var refusal *errs.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, errs.RateLimited, refusal.Code)
	require.InDelta(t, 10, refusal.RetryAfter.Seconds(), 0.001)
	l.later(refusal.RetryAfter + time.Millisecond)
	got, err = d.admit(t.Context(), "acme", 3)
	require.Error(t, err)
	require.Equal(t, 1, got)
}

// A request that goes through whole or not at all may hold more than the bucket
// ever does. It gets in when that is full, and what it took too much is missing
// afterwards, so that the limit holds in the long run.
func TestAllOrNone(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.set("acme", models.TenantActive, 60)
	d := l.door()
	waits := func(n int) time.Duration {
		t.Helper()
		var refusal *errs.Error
		require.ErrorAs(t, d.admitAll(t.Context(), "acme", n), &refusal)
		require.Equal(t, errs.RateLimited, refusal.Code)
		return refusal.RetryAfter.Round(time.Millisecond)
	}
	require.NoError(t, d.admitAll(t.Context(), "acme", 4))
	require.Equal(t, 4*time.Second, waits(10))
	require.Equal(t, 4*time.Second, waits(25), "full is enough")
	require.NoError(t, d.admitAll(t.Context(), "acme", 6), "who is refused takes nothing")
	l.later(10 * time.Second)
	require.NoError(t, d.admitAll(t.Context(), "acme", 25))
	require.Equal(t, 16*time.Second, waits(1))
	l.later(15 * time.Second)
	require.Zero(t, admitted(t, d, "acme", 1))
	l.later(time.Second)
	require.Equal(t, 1, admitted(t, d, "acme", 2))
	l.set("free", models.TenantActive, 0)
	require.NoError(t, d.admitAll(t.Context(), "free", 5000))
}

func TestEventsOfManyAtOnce(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.set("acme", models.TenantActive, 600)
	d := l.door()
	var total atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 50 {
				got, _ := d.admit(t.Context(), "acme", 1)
				total.Add(int64(got))
			}
		})
	}
	all.Wait()
	require.Equal(t, int64(100), total.Load())
	require.Equal(t, 1, l.reads, "those who come at once share one read")
}

func TestANewLimitHoldsForTheSameBucket(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.set("acme", models.TenantActive, 60)
	d := l.door()
	require.Equal(t, 10, admitted(t, d, "acme", 20))
	d.learn(l.set("acme", models.TenantActive, 6))
	require.Zero(t, admitted(t, d, "acme", 20), "it is no new bucket")
	l.later(time.Minute)
	require.Equal(t, 6, admitted(t, d, "acme", 20))
	d.learn(l.set("acme", models.TenantActive, 0))
	require.Equal(t, 500, admitted(t, d, "acme", 500))
}

func TestTenantsAreRememberedForSeconds(t *testing.T) {
	t.Parallel()
	l := newLedger()
	d := l.door()
	status := func() string { return d.tenant(t.Context(), "acme").Status }
	require.Equal(t, models.TenantActive, status())
	l.set("acme", models.TenantInactive, 0) // by another process
	l.later(tenantFresh - time.Millisecond)
	require.Equal(t, models.TenantActive, status())
	l.later(time.Millisecond)
	require.Equal(t, models.TenantInactive, status())
	require.Equal(t, 2, l.reads)
}

// While the database is down, what was known last holds, or the defaults; and
// it is not asked for every event.
func TestTenantsWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	l := newLedger()
	logs := &bytes.Buffer{}
	d := newDoor(l, l.clock, slog.New(slog.NewTextHandler(logs, nil)))
	l.set("acme", models.TenantInactive, 600)
	require.Equal(t, models.TenantInactive, d.tenant(t.Context(), "acme").Status)

	l.down = errs.New(errs.Unavailable, "down")
	for range 3 {
		l.later(tenantFresh)
		for range 10 {
			require.Equal(t, models.TenantInactive, d.tenant(t.Context(), "acme").Status)
			require.Equal(t, 60, d.tenant(t.Context(), "stranger").Limits.EventsPerMinute)
		}
	}
	require.Equal(t, 1+3*2, l.reads)
	require.Contains(t, logs.String(), "tenant=stranger known=false")

	l.down = nil
	l.set("acme", models.TenantActive, 600)
	l.later(tenantFresh)
	require.Equal(t, models.TenantActive, d.tenant(t.Context(), "acme").Status)
}

// A change that is made while a read is under way is not undone by it.
func TestAChangeDuringARead(t *testing.T) {
	t.Parallel()
	l := newLedger()
	d := l.door()
	l.during = func() {
		l.during = nil
		d.learn(l.set("acme", models.TenantInactive, 0))
	}
	d.tenant(t.Context(), "acme")
	require.Equal(t, models.TenantInactive, d.tenant(t.Context(), "acme").Status)
}

// A request that ends early does not fail the read that others wait for.
func TestTenantsOfARequestThatEnded(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.set("acme", models.TenantInactive, 0)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, models.TenantInactive, l.door().tenant(ended, "acme").Status)
}

// keyring is an authenticator over a ledger with one key.
func keyring(t *testing.T) (*ledger, *keyAuthenticator, http.Header) {
	t.Helper()
	key, err := newKey(rand.Reader)
	require.NoError(t, err)
	l := newLedger()
	l.keys[keyHash(key)] = models.APIKey{ID: "id-1", Tenant: "acme", Hash: keyHash(key)}
	return l, newKeyAuthenticator(l, l.clock, slog.New(slog.DiscardHandler)), http.Header{"X-Api-Key": {key}}
}

func TestKeysAreRememberedForSeconds(t *testing.T) {
	t.Parallel()
	l, a, header := keyring(t)
	for range 5 {
		who, found, err := a.authenticate(t.Context(), header)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, principal{Tenant: "acme", Key: "id-1"}, who)
	}
	require.Equal(t, []int{1, 1}, []int{l.reads, l.touches})

	clear(l.keys) // revoked by another process
	l.later(keyFresh - time.Millisecond)
	_, _, err := a.authenticate(t.Context(), header)
	require.NoError(t, err)
	l.later(time.Millisecond)
	_, _, err = a.authenticate(t.Context(), header)
	require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
}

func TestARememberedKeyExpiresOnTime(t *testing.T) {
	t.Parallel()
	l, a, header := keyring(t)
	key := l.keys[keyHash(header.Get(headerAPIKey))]
	until := testNow.Add(time.Second)
	key.ExpiresAt = &until
	l.keys[key.Hash] = key
	_, _, err := a.authenticate(t.Context(), header)
	require.NoError(t, err)
	l.later(time.Second)
	_, _, err = a.authenticate(t.Context(), header)
	require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
	require.ErrorContains(t, err, "expired")
}

// A key that is revoked while it is being looked up stops all the same.
func TestAKeyRevokedDuringALookup(t *testing.T) {
	t.Parallel()
	l, a, header := keyring(t)
	l.during = func() {
		l.during = nil
		clear(l.keys)
		a.forget("id-1")
	}
	_, _, err := a.authenticate(t.Context(), header)
	require.NoError(t, err, "it began before")
	_, _, err = a.authenticate(t.Context(), header)
	require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
}

func TestKeysWhileTheDatabaseIsDown(t *testing.T) {
	t.Parallel()
	l, a, header := keyring(t)
	l.down = &errs.Error{Code: errs.Unavailable, Message: "down"}
	_, found, err := a.authenticate(t.Context(), header)
	require.True(t, found)
	require.Equal(t, errs.Unavailable, errs.CodeOf(err), "a key that cannot be looked up is not a bad one")
}

func TestKeysThatAreNoneAskNobody(t *testing.T) {
	t.Parallel()
	l, a, header := keyring(t)
	for _, values := range [][]string{{""}, {"phk_"}, {header.Get(headerAPIKey), header.Get(headerAPIKey)}, {header.Get(headerAPIKey) + " "}} {
		_, found, err := a.authenticate(t.Context(), http.Header{"X-Api-Key": values})
		require.True(t, found)
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
	}
	_, found, err := a.authenticate(t.Context(), http.Header{})
	require.NoError(t, err)
	require.False(t, found)
	require.Zero(t, l.reads)
}
