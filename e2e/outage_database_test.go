package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDatabaseCutUnderLoad(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true, proxied: true}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	sys.lively()
	load := sys.publish(outagePublishers, outagePause, false)
	load.during(8*time.Second, func() {
		sys.databaseProxy.cut()
		sys.awaitUnready(5*time.Second, "database")
		began := time.Now()
		code, a := sys.call("POST", "/api/events", paid, "Idempotency-Key", "order-1042")
		require.Equal(t, http.StatusServiceUnavailable, code, a.raw)
		require.NotEmpty(t, a.header.Get("Retry-After"))
		require.Less(t, time.Since(began), doorAnswer)
	}, sys.databaseProxy.heal)
	sys.awaitReady()
	load.stop(doorAnswer)
	require.Zero(t, load.refused, "without a key nothing of the ledger is needed")
	load.arrivedOnce(rec, recovery)
}

// Packets vanish: no connection is refused, none is closed, and nobody answers.
func TestDatabaseSilentUnderLoad(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true, proxied: true}), newReceiver(t, nil)
	hook := sys.createWebhook(rec.URL)
	sys.lively()
	plain := sys.publish(outagePublishers, outagePause, false)
	keyed := sys.as(t, "other").publish(outagePublishers, outagePause, true)
	plain.during(0, func() { // as long as what follows takes
		sys.databaseProxy.blackhole()
		sys.awaitUnready(5*time.Second, "database")
		began := time.Now()
		code, a := sys.call("GET", "/api/webhooks/"+hook.ID, "")
		require.Equal(t, http.StatusServiceUnavailable, code, a.raw)
		require.Less(t, time.Since(began), 14*time.Second, "a request has 10 s in all")
		for range 5 {
			began = time.Now()
			code, _ = sys.call("POST", "/api/events", paid, "Idempotency-Key", "order-1042")
			require.Equal(t, http.StatusServiceUnavailable, code)
			require.Less(t, time.Since(began), 5*time.Second)
		}
		began = time.Now()
		code, a = sys.call("POST", "/api/events/batch", batchOf(300), "Idempotency-Key", "orders-of-today")
		require.Equal(t, http.StatusServiceUnavailable, code, a.raw)
		require.NotEmpty(t, a.header.Get("Retry-After"))
		require.Less(t, time.Since(began), 8*time.Second, "not one look-up after the other")
	}, sys.databaseProxy.heal)
	sys.awaitReady()
	plain.stop(doorAnswer)
	require.Zero(t, plain.refused, "without a key nothing of the ledger is needed")
	plain.arrivedOnce(rec, recovery)
	keyed.stop(7 * time.Second)
	require.Positive(t, keyed.refused)
}

// A database that is slow is used as fast as it goes; whether it counts as ready
// depends on whether it says so in time.
func TestDatabaseSlowUnderLoad(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true, proxied: true}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	sys.lively()
	load := sys.publish(outagePublishers, outagePause, false)
	load.during(5*time.Second, func() { sys.databaseProxy.slow(300*time.Millisecond, 50*time.Millisecond) }, sys.databaseProxy.heal)
	sys.awaitReady()
	load.stop(doorAnswer)
	require.Zero(t, load.refused)
	load.arrivedOnce(rec, recovery)
}

// The database does what it was asked, commits included, and resets the
// connection instead of saying so: nobody knows what was stored. It is found out.
func TestDatabaseResetsConnectionsAfterCommits(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true, proxied: true}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	sys.lively()
	load := sys.publish(outagePublishers, outagePause, false)
	load.during(4*time.Second, sys.databaseProxy.resetPeer, sys.databaseProxy.heal)
	load.stop(doorAnswer)
	require.Zero(t, load.refused)
	load.arrivedOnce(rec, recovery)
}

// batchOf is the body of a batch of so many events.
func batchOf(n int) string {
	return `{"events":[` + strings.TrimSuffix(strings.Repeat(paid+",", n), ",") + `]}`
}
