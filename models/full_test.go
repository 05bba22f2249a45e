package models_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// steered opens a store whose clock the test moves.
func steered(t *testing.T, kind modelstest.Kind) (w world, pass func(time.Duration)) {
	t.Helper()
	var ahead atomic.Int64
	clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	store := modelstest.OpenWith(t, models.Options{URL: modelstest.URL(t, kind), Now: clock})
	return world{t, store}, func(d time.Duration) { ahead.Add(int64(d)) }
}

// SQLite has no room: what is written is refused as by a database that is away,
// what is there can be read, a record waits until there is room and is stored
// once, and the ping says so meanwhile.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	w, pass := steered(t, modelstest.SQLite)
	hook, d := w.delivery("acme")
	room := func(pages string) {
		t.Helper()
		require.NoError(t, w.store.Exec("PRAGMA max_page_count = "+pages))
	}
	room("1") // no more than there are
	large := w.event("acme", func(e *models.Event) { e.Data = make([]byte, 1<<20) })
	_, err := w.store.Resolve(t.Context(), models.ResolveInput{Events: []models.Event{large}, Match: everyone})
	requireCode(t, errs.Unavailable, err)
	require.ErrorContains(t, err, "The database cannot be written")
	requireCode(t, errs.Unavailable, w.store.Ping(t.Context()))
	_, err = w.store.Webhook(t.Context(), "acme", hook.ID)
	require.NoError(t, err, "it can be read")

	record := delivered([]models.Delivery{d})[0]
	record.Attempt.ResponseBody = make([]byte, 1<<20)
	patient := make(chan error, 1)
	pass(time.Hour)
	go func() { patient <- w.store.Record(t.Context(), record) }()
	require.Never(t, func() bool { return len(patient) > 0 }, 300*time.Millisecond, time.Millisecond)
	requireCode(t, errs.Unavailable, w.store.Ping(t.Context()))
	room("1000000")
	require.NoError(t, <-patient)
	after, attempts := w.reload(d)
	require.Equal(t, models.StateDelivered, after.State)
	require.Len(t, attempts, 1)
	requireCode(t, errs.Unavailable, w.store.Ping(t.Context()))
	pass(10 * time.Second)
	require.NoError(t, w.store.Ping(t.Context()), "long ago")
}

// Which refusals speak against the database, and which against the statement or
// the moment alone.
func TestPingRemembersWhatWasRefused(t *testing.T) {
	t.Parallel()
	for _, kind := range modelstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w, pass := steered(t, kind)
			fails := func(err error) { require.Error(t, w.store.InTransaction(t.Context(), func() error { return err })) }
			for _, passing := range []error{
				&pgconn.PgError{Code: "53300"}, &pgconn.PgError{Code: "57014"}, &pgconn.PgError{Code: "23505"}, liteError(5), liteError(1),
			} {
				fails(passing)
				require.NoError(t, w.store.Ping(t.Context()), "%#v", passing)
			}
			for _, lasting := range []error{
				&pgconn.PgError{Code: "53100"}, &pgconn.PgError{Code: "58030"}, &pgconn.PgError{Code: "25006"}, liteError(13), liteError(10 | 3<<8),
			} {
				fails(lasting)
				pass(5 * time.Second)
				err := w.store.Ping(t.Context())
				requireCode(t, errs.Unavailable, err)
				require.ErrorIs(t, err, lasting)
				pass(5 * time.Second)
				require.NoError(t, w.store.Ping(t.Context()), "somebody has to try again")
			}
		})
	}
}
