package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/workflows"
)

// writes reads how many transactions of the kind a Temporal server has made.
func (s *temporalServer) writes(t *testing.T, operation string) int {
	t.Helper()
	response, err := http.Get(s.metrics)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	line := regexp.MustCompile(`^persistence_requests\{.*operation="` + operation + `".*\} (\S+)$`)
	total := 0.0
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if found := line.FindStringSubmatch(lines.Text()); found != nil {
			n, err := strconv.ParseFloat(found[1], 64)
			require.NoError(t, err)
			total += n
		}
	}
	return int(total)
}

// TestRateLimitHoldsAcrossProcesses has two processes deliver to one webhook.
func TestRateLimitHoldsAcrossProcesses(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{postgres: true}), newReceiver(t, nil)
	sys.start("api").awaitReady()
	for range 2 {
		sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	}
	const limit, events = 5, 30
	sys.createWebhook(rec.URL, fmt.Sprintf(`"maxPerSecond":%d`, limit))
	for range events {
		sys.enqueue(paid)
	}
	got := rec.await(events, 60*time.Second)
	for i := range got {
		if j := i + limit + 1; j < len(got) {
			// The clock of arrival lies behind that of sending by what a busy
			// machine makes of it, so a slot of grace is given.
			require.Greater(t, got[j].at.Sub(got[i].at), time.Second*(limit-1)/limit, "arrivals %d to %d", i, j)
		}
	}
	sys.await("all recorded", 10*time.Second, func() bool { return len(rec.all()) == events })
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
	before, arrived := server.writes(t, "UpdateWorkflowExecution"), len(rec.all())
	const events = 40
	var last accepted
	for range events {
		last = sys.enqueue(paid)
	}
	sys.awaitStates(last.ID, 10*time.Second, "pending")
	writes := 0
	sys.await("the server to count its writes", 10*time.Second, func() bool { // it does so about every second
		writes = server.writes(t, "UpdateWorkflowExecution") - before
		return writes >= events
	})
	require.Less(t, writes, events*2, "updates for %d events", events)
	require.LessOrEqual(t, len(rec.all())-arrived, 2, "nothing but a probe is sent")
}

// TestWhatTheFastLaneCosts counts what docs/architecture.md says of it: a write to
// start each workflow and one to end it.
func TestWhatTheFastLaneCosts(t *testing.T) {
	t.Parallel()
	server := ownTemporal(t)
	sys, rec := up(t, settings{temporal: server}), newReceiver(t, nil)
	sys.createWebhook(rec.URL)
	sys.awaitDone(sys.enqueue(paid).ID) // and the worker is warm
	creates, updates := server.writes(t, "CreateWorkflowExecution"), server.writes(t, "UpdateWorkflowExecution")
	const count = 100
	for range count {
		sys.awaitDone(sys.enqueue(paid).ID)
	}
	sys.await("the server to count its writes", 10*time.Second, func() bool {
		return server.writes(t, "UpdateWorkflowExecution")-updates >= count
	})
	require.LessOrEqual(t, server.writes(t, "CreateWorkflowExecution")-creates, count*5/4)
	require.LessOrEqual(t, server.writes(t, "UpdateWorkflowExecution")-updates, count*5/4)
}

// TestWhatTheDurableLaneCosts counts what docs/architecture.md says of it.
func TestWhatTheDurableLaneCosts(t *testing.T) {
	t.Parallel()
	server := ownTemporal(t)
	sys, rec := up(t, settings{temporal: server}), newReceiver(t, nil)
	sys.createWebhook(rec.URL, `"maxPerSecond":1000`) // a webhook with a limit has the durable lane
	sys.awaitDone(sys.enqueue(paid).ID)               // and the worker is warm
	creates, updates := server.writes(t, "CreateWorkflowExecution"), server.writes(t, "UpdateWorkflowExecution")
	const count = 100
	var last accepted
	for range count {
		last = sys.enqueue(paid)
		sys.awaitDone(last.ID)
	}
	// The server has a few workflows of its own, which write too.
	require.LessOrEqual(t, server.writes(t, "CreateWorkflowExecution")-creates, count*5/4)
	require.LessOrEqual(t, server.writes(t, "UpdateWorkflowExecution")-updates, count*9/2, "three more than in the fast lane")
	require.Len(t, events(t, sys.temporalClient(), workflows.EventWorkflowID(sys.tenant, last.ID)), 12, "five more than in the fast lane: the activity has no marker")
}
