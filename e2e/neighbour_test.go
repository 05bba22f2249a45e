package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestRateLimitHoldsAcrossProcesses has two processes deliver to one webhook. Times
// of arrival alone do not tell whether they keep to its limit, as a busy machine
// moves them about: what counts is which slot in the line each POST was made in, and
// that it was not made before.
func TestRateLimitHoldsAcrossProcesses(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{postgres: true})
	kept := slotsOf(t, sys)
	rec := newReceiver(t, kept.look)
	sys.start("api").awaitReady()
	for range 2 {
		sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	}
	const limit, events = 5, 30
	sys.createWebhook(rec.URL, fmt.Sprintf(`"maxPerSecond":%d`, limit))
	for range events {
		sys.enqueue(paid)
	}
	rec.await(events, 60*time.Second)
	sys.await("all recorded", 10*time.Second, func() bool { return len(rec.all()) == events })
	kept.mu.Lock()
	defer kept.mu.Unlock()
	require.NoError(t, kept.failure)
	slices.SortFunc(kept.slots, time.Time.Compare)
	require.Len(t, kept.slots, events)
	for i := range events - 1 {
		require.GreaterOrEqual(t, kept.slots[i+1].Sub(kept.slots[i]), time.Second/limit, "slots %d and %d", i, i+1)
	}
	slices.Sort(kept.late)
	require.Positive(t, kept.late[0], "a POST came before its slot")
	require.Less(t, kept.late[events/2], time.Second, "most POSTs come in their slots and not in a bunch later: %v", kept.late)
}

// slots are those of the POSTs to a receiver, and how long after the beginning of
// its slot each arrived.
type slots struct {
	ledger  *pgx.Conn
	mu      sync.Mutex
	slots   []time.Time
	late    []time.Duration
	failure error
}

func slotsOf(t *testing.T, sys *system) *slots {
	t.Helper()
	ledger, err := pgx.Connect(t.Context(), sys.database)
	require.NoError(t, err)
	t.Cleanup(func() { _ = ledger.Close(context.Background()) }) // the test's own context has ended
	_, err = ledger.Exec(t.Context(), "SELECT set_config('posthaste.tenant', '*', false)")
	require.NoError(t, err)
	return &slots{ledger: ledger}
}

// look looks a delivery's slot up before its POST is answered: once that is
// recorded the slot is gone.
func (s *slots) look(_ int, w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var slot time.Time
	err := s.ledger.QueryRow(r.Context(), "SELECT slot_at FROM deliveries WHERE event_id = $1", r.Header.Get("Webhook-Id")).Scan(&slot)
	s.failure = errors.Join(s.failure, err)
	s.slots, s.late = append(s.slots, slot), append(s.late, at.Sub(slot))
	w.WriteHeader(http.StatusNoContent)
}

// TestHangingReceiverCostsTemporalLittle counts what a receiver that accepts and
// never answers makes Temporal write once its breaker is open: each event is
// started and its delivery waits for its turn by a timer, in one write; then it
// asks rarely. Without the breaker each would be begun and ended for every retry
// beside.
func TestHangingReceiverCostsTemporalLittle(t *testing.T) {
	t.Parallel()
	server := ownTemporal(t)
	sys := up(t, settings{temporal: server})
	rec := newReceiver(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	w := sys.createWebhook(rec.URL, `"timeoutSeconds":1`)
	const trips = 10 // attempts without an answer after which the breaker opens
	for range trips {
		sys.enqueue(paid)
	}
	sys.await("the breaker to open", 20*time.Second, func() bool {
		return strings.Count(strings.Join(sys.reasons(w.ID), " "), "timeout") >= trips
	})
	before, arrived := server.toldWrites(t), len(rec.all())
	const events = 40
	var last accepted
	for range events {
		last = sys.enqueue(paid)
	}
	sys.awaitStates(last.ID, 10*time.Second, "pending")
	written := server.toldWrites(t).since(before)
	require.Equal(t, events, written["CreateWorkflowExecution"])
	require.Less(t, written.sum(), events*3, "the start, the timer, and of a few the next: %v", written)
	require.LessOrEqual(t, len(rec.all())-arrived, 2, "nothing but a probe is sent")
}
