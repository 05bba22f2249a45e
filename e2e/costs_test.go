package e2e

import (
	"fmt"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/workflows"
)

// cost is what one event, or one batch, takes of Temporal.
type cost struct {
	// stated is the line of docs/architecture.md that says so.
	stated          string
	writes, history int
	// times is how often it is made: often where it is quick, so that what comes up
	// now and then shows too.
	times   int
	prepare func(sys *system) // the tenant's webhooks
	enqueue func(sys *system) (workflowID string)
}

const (
	saidOfOne     = "| one event, one webhook, delivered at once | 2 | 7 |"
	saidOfBatch   = "| a batch of 64 events, one webhook, delivered at once | 2 | 9 |"
	saidOfTwo     = "| the same with the API in another process than the worker | 3 | as above |"
	saidOfDurable = "| a delivery that takes the durable lane at once | + 3 | + 5 |"
	saidOfRetry   = "| a delivery that failed in the fast lane, with its first retry | + 5 | + 6 |"
	saidOfRetries = "| each further retry | + 2 | 0 |"
)

// TestWhatAnEventCostsTemporal counts writes and history events of each kind of
// event, and holds docs/architecture.md to them.
func TestWhatAnEventCostsTemporal(t *testing.T) {
	t.Parallel()
	const seconds = `"retry":{"mode":"schedule","delaysSeconds":[1,1,1]}`
	costsOf(t, []string{"all"}, []cost{
		{saidOfOne, 2, 7, 10, webhooks(1, 0), single},
		{"| one event, N webhooks (to 10), delivered at once | 2 | 6 + N |", 2, 16, 10, webhooks(10, 0), single},
		{"| one event, 11 to 100 webhooks, delivered at once | 2 | 6, and one for each slice of 25 |", 2, 10, 5, webhooks(100, 0), single},
		{saidOfBatch, 2, 9, 10, webhooks(1, 0), batch},
		{saidOfDurable, 2 + 3, 7 + 5, 10, webhooks(1, 0, `"maxPerSecond":1000`), single}, // a webhook with a limit has no other lane
		{saidOfRetry, 2 + 5, 7 + 6, 3, webhooks(1, 1, seconds), single},
		{saidOfRetries, 2 + 5 + 2*2, 7 + 6, 3, webhooks(1, 3, seconds), single},
	})
}

// TestWhatAnEventCostsTemporalFromAnotherProcess is the same where nobody can be
// given the first workflow task with the answer to the start.
func TestWhatAnEventCostsTemporalFromAnotherProcess(t *testing.T) {
	t.Parallel()
	costsOf(t, []string{"api", "worker"}, []cost{
		{saidOfTwo, 3, 7, 10, webhooks(1, 0), single},
		{saidOfTwo, 3, 9, 10, webhooks(1, 0), batch},
		{saidOfDurable, 3 + 3, 7 + 5, 10, webhooks(1, 0, `"maxPerSecond":1000`), single},
	})
}

// TestWhatAnotherTurnCostsTemporal is that of a tenant with one call of the fast lane
// at a time, and receivers that take a while.
func TestWhatAnotherTurnCostsTemporal(t *testing.T) {
	t.Parallel()
	two := func(sys *system) {
		rec := newReceiver(sys.t, func(int, http.ResponseWriter, *http.Request) { <-time.After(200 * time.Millisecond) })
		fanOut(sys, rec, 2)
	}
	costsOf(t, []string{"all"}, []cost{
		{"| each further turn of a slice for which the fast lane had no room | + 3 | + 6 |", 2 + 3, 8 + 6, 10, two, single},
	}, "POSTHASTE_FAST_SLOTS=7", "POSTHASTE_POLLERS=2") // one share, and room for eager starts
}

// costsOf measures each in an installation of one process for each role.
func costsOf(t *testing.T, roles []string, costs []cost, env ...string) {
	t.Helper()
	documented, err := os.ReadFile("../docs/architecture.md")
	require.NoError(t, err)
	server := ownTemporal(t)
	installation := install(t, settings{temporal: server, env: env})
	installation.start(roles[0]).awaitReady()
	for _, role := range roles[1:] {
		installation.start(role, fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	}
	tenants := make([]*system, len(costs))
	for i, c := range costs {
		tenants[i] = installation.as(t, fmt.Sprintf("tenant-%d", i))
		c.prepare(tenants[i])
	}
	tenants[0].awaitResult(costs[0].enqueue(tenants[0])) // somebody works
	before := server.settledWrites(t)
	for i, c := range costs {
		require.Contains(t, string(documented), c.stated+"\n")
		sys := tenants[i]
		for range c.times {
			id := c.enqueue(sys)
			sys.awaitResult(id)
			require.Len(t, events(t, sys.temporalClient(), id), c.history, c.stated)
		}
		after := server.settledWrites(t)
		after.requireAbout(t, before, c.times*c.writes, c.stated)
		before = after
	}
}

func single(sys *system) string {
	sys.t.Helper()
	return workflows.EventWorkflowID(sys.tenant, sys.enqueue(paid).ID)
}

func batch(sys *system) string {
	sys.t.Helper()
	return workflows.SharedWorkflowID(sys.tenant, sys.enqueueBatch(numbered(64))[0].ID)
}

// webhooks makes so many of them for a receiver that refuses each delivery a few
// times before it takes it.
func webhooks(many, refusals int, extra ...string) func(*system) {
	return func(sys *system) {
		sys.t.Helper()
		var mu sync.Mutex
		asked := map[string]int{}
		rec := newReceiver(sys.t, func(_ int, w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			delivery := r.URL.Path + r.Header.Get("webhook-id")
			asked[delivery]++
			if asked[delivery] <= refusals {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
		for i := range many {
			sys.createWebhook(fmt.Sprintf("%s/%d", rec.URL, i), extra...)
		}
	}
}
