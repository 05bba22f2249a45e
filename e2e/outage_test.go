package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Of outages of Temporal, of the database, and of the network between: whatever
// was accepted arrives, and arrives once, the door says 503 in time where it must,
// and everything goes on by itself when the outage is over.

// outageLoad is what the tests of outages publish: some 40 events a second.
const (
	outagePublishers = 4
	outagePause      = 100 * time.Millisecond
	recovery         = 2 * time.Minute // of everything, on a machine that other tests use too
)

// doorAnswer is the longest that the door lets a publisher wait: 2 s for a
// Temporal that does not answer (workflows has the exact test), and twice as much
// for a machine that is busy.
const doorAnswer = 6 * time.Second

// during runs an outage of some length under way, and returns when the publishers
// were served again after it.
func (load *traffic) during(length time.Duration, begin, end func()) {
	load.sys.t.Helper()
	load.sys.await("events before the outage", recovery, func() bool { taken, _ := load.soFar(); return taken >= 20 })
	begin()
	<-time.After(length)
	taken, _ := load.soFar()
	end()
	load.sys.await("events after the outage", recovery, func() bool { now, _ := load.soFar(); return now >= taken+20 })
}

func TestTemporalKilledUnderLoad(t *testing.T) {
	t.Parallel()
	own := ownTemporal(t)
	sys, rec := up(t, settings{temporal: own}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	sys.lively()
	load := sys.publish(outagePublishers, outagePause, true)
	load.during(5*time.Second, func() {
		own.kill()
		sys.awaitUnready(5*time.Second, "temporal")
	}, func() { own.restart(t) })
	sys.awaitReady()
	load.stop(doorAnswer)
	require.Positive(t, load.refused)
	load.arrivedOnce(rec, recovery)
}

func TestTemporalFrozenUnderLoad(t *testing.T) {
	t.Parallel()
	own := ownTemporal(t)
	sys, rec := up(t, settings{temporal: own}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	sys.lively()
	load := sys.publish(outagePublishers, outagePause, false)
	load.during(8*time.Second, func() {
		own.freeze(t)
		sys.awaitUnready(6*time.Second, "temporal")
		began := time.Now()
		code, a := sys.call("POST", "/api/events/batch", batchOf(300))
		require.Equal(t, http.StatusServiceUnavailable, code, a.raw)
		require.NotEmpty(t, a.header.Get("Retry-After"))
		require.Less(t, time.Since(began), doorAnswer)
	}, func() { own.thaw(t) })
	sys.awaitReady()
	load.stop(doorAnswer)
	require.Greater(t, load.refused, 50, "once it is known, refusals are quick")
	load.arrivedOnce(rec, recovery)
}

// The start arrives and its answer does not: 503, though the event is there. The
// key finds it.
func TestAStartWhoseAnswerIsLostIsFoundByItsKey(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true, proxied: true}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	sys.temporalProxy.add("timeout", "downstream", map[string]any{"timeout": 0})
	code, a := sys.call("POST", "/api/events", paid, "Idempotency-Key", "order-1042")
	require.Equal(t, http.StatusServiceUnavailable, code, a.raw)
	require.NotEmpty(t, a.header.Get("Retry-After"))
	sys.temporalProxy.heal()
	sys.await("the repeated key", recovery, func() bool {
		code, a = sys.call("POST", "/api/events", paid, "Idempotency-Key", "order-1042")
		return code != http.StatusServiceUnavailable
	})
	require.Equal(t, http.StatusOK, code, a.raw)
	require.True(t, into[accepted](t, a).Duplicate)
	sys.awaitStates(into[accepted](t, a).ID, recovery, "delivered")
	require.Len(t, rec.all(), 1)
}

func TestEverythingCutAtOnce(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true, proxied: true}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	sys.lively()
	load := sys.publish(outagePublishers, outagePause, true)
	load.during(5*time.Second, func() {
		sys.databaseProxy.cut()
		sys.temporalProxy.cut()
		sys.awaitUnready(5*time.Second, "database", "temporal")
	}, func() {
		sys.temporalProxy.heal() // one after the other, as things come back
		sys.awaitUnready(5*time.Second, "database")
		sys.databaseProxy.heal()
	})
	sys.awaitReady()
	load.stop(doorAnswer)
	require.Positive(t, load.refused)
	load.arrivedOnce(rec, recovery)
}

// The worker loses Temporal while the door has it and the receiver can be
// reached: what it had begun it ends and records, and nothing is sent twice.
func TestAWorkerThatLosesTemporalAlone(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{postgres: true})
	rec := newReceiver(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		<-time.After(200 * time.Millisecond) // so that POSTs are under way whenever the line is cut
		w.WriteHeader(http.StatusNoContent)
	})
	sys.start("api").awaitReady()
	way := proxied(t, sys.server.address)
	sys.start("worker", "POSTHASTE_TEMPORAL_ADDRESS="+way.address, fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	sys.createWebhook(rec.URL)
	load := sys.publish(outagePublishers, outagePause, false)
	rec.await(20, recovery)
	load.during(5*time.Second, way.cut, way.heal)
	load.stop(doorAnswer)
	require.Zero(t, load.refused, "the door has Temporal")
	load.arrivedOnce(rec, 3*recovery) // on a busy machine Temporal hands lost tasks out late
}
