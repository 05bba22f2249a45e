package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Temporal's frontend answers and its store can be read, but nothing is written
// any more, as on a full disk: all events are refused, and /readyz says so.
func TestATemporalThatCannotWriteIsNotReady(t *testing.T) {
	t.Parallel()
	own := ownTemporal(t)
	sys, rec := up(t, settings{temporal: own}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	_, taken := sys.tryEnqueue(paid)
	require.True(t, taken)
	rec.await(1, recovery)

	unlock := own.lockStore(t)
	sys.await("an event that is refused", recovery, func() bool { _, taken := sys.tryEnqueue(paid); return !taken })
	for range 5 {
		code, body := sys.probe("/readyz")
		require.Equal(t, http.StatusServiceUnavailable, code, body)
		require.Contains(t, body, "temporal")
		code, body = sys.probe("/healthz")
		require.Equal(t, http.StatusOK, code, body)
	}
	unlock()
	began := time.Now()
	sys.await("an event that is taken", recovery, func() bool { _, taken := sys.tryEnqueue(paid); return taken })
	t.Logf("taken again after %v", time.Since(began))
	code, body := sys.probe("/readyz")
	require.Equal(t, http.StatusOK, code, "one that was taken is enough: %s", body)
}

// Temporal is back at once, as far as a probe can see: a start that was lost counts
// for a while even so, and no longer when nobody tries another.
func TestALostStartSpeaksAgainstTemporal(t *testing.T) {
	t.Parallel()
	own := ownTemporal(t)
	sys := up(t, settings{temporal: own})
	own.freeze(t)
	_, taken := sys.tryEnqueue(paid)
	own.thaw(t)
	require.False(t, taken)
	lost := time.Now()
	require.True(t, own.serves("default"))
	code, body := sys.probe("/readyz")
	require.Equal(t, http.StatusServiceUnavailable, code, body)
	require.Contains(t, body, "temporal")
	sys.awaitReady()
	require.Greater(t, time.Since(lost), 8*time.Second)
}

// Nobody sends events, so nothing but the probe itself can tell.
func TestReadinessAsksTemporalsStoreEachTime(t *testing.T) {
	t.Parallel()
	own := ownTemporal(t)
	sys := up(t, settings{temporal: own})
	const probes = 20
	before, began := own.lookups(t), time.Now()
	for range probes {
		code, body := sys.probe("/readyz")
		require.Equal(t, http.StatusOK, code, body)
	}
	t.Logf("%v a probe", time.Since(began)/probes)
	sys.await("as many look-ups", 10*time.Second, func() bool { return own.lookups(t)-before >= probes })
}

// lookups is how often the server has asked its store for a workflow.
func (s *temporalServer) lookups(t *testing.T) (total float64) {
	t.Helper()
	for _, line := range metricsAt(t, s.metrics) {
		if !strings.HasPrefix(line, "persistence_latency_count") || !strings.Contains(line, `operation="GetCurrentExecution"`) {
			continue
		}
		var count float64
		_, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &count)
		require.NoError(t, err, line)
		total += count
	}
	return total
}

// lockStore keeps the server from writing to its database, until unlock.
func (s *temporalServer) lockStore(t *testing.T) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "temporal.db"))
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "PRAGMA busy_timeout = 10000")
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	unlock = func() {
		_, _ = conn.ExecContext(context.Background(), "ROLLBACK") // a second time there is nothing to undo
		_ = conn.Close()
		_ = db.Close()
	}
	t.Cleanup(unlock)
	return unlock
}
