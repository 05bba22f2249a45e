package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models/modelstest"
	"posthaste/workflows"
)

// Statements that belong to no event, by how they begin: a process looks for
// notices, its pool tries a connection that nobody has used for a second, and the
// door reads a tenant that it has not asked for within tenantFresh.
const (
	sqlOfNotices = "SELECT * FROM notices "
	sqlOfThePool = "-- ping"
	sqlOfTenants = "SELECT * FROM tenants "
	tenantFresh  = 5 * time.Second
)

// recordStatements is what one transaction of the record takes, for whatever
// number of attempts, its beginning and end included.
const recordStatements = 6

// spent is what an event took of PostgreSQL.
type spent struct {
	statements, trips int
	records           int // transactions
	tenants           int // reads of a tenant, which count for nothing else
}

func (a asked) spent() spent {
	var s spent
	for _, trip := range a.trips {
		others := 0
		for _, statement := range trip {
			switch {
			case strings.HasPrefix(statement, sqlOfTenants):
				s.tenants++
				others++
			case strings.HasPrefix(statement, sqlOfNotices), strings.HasPrefix(statement, sqlOfThePool):
				others++
			case statement == "begin":
				s.records++
			}
		}
		s.statements += len(trip) - others
		if others < len(trip) {
			s.trips++
		}
	}
	return s
}

// TestWhatAnEventAsksOfPostgres counts the statements and round trips of an event
// from the door to the record, on the wire between the process and PostgreSQL.
func TestWhatAnEventAsksOfPostgres(t *testing.T) {
	t.Parallel()
	proxy, database := sqlProxied(t, modelstest.URL(t, modelstest.Postgres))
	sys, rec := up(t, settings{database: database}), newReceiver(t, nil)
	sys.createWebhook(rec.URL, `"events":["one"]`)
	for i := range 25 {
		sys.createWebhook(fmt.Sprintf("%s/%d", rec.URL, i), `"events":["many"]`)
	}
	const one, many = `{"type":"one","data":{}}`, `{"type":"many","data":{}}`
	keys := 0
	for name, c := range map[string]struct {
		// reads are what the door looks up, the plan, and one for each slice of 25
		// deliveries.
		reads int
		// records is how many transactions record the attempts at most. Attempts that
		// end while one is under way share the next, so of a batch it is two, and more
		// where the receiver is slow.
		records int
		enqueue func() (workflowID string)
	}{
		"an event": {2, 1, func() string { return workflows.EventWorkflowID(sys.tenant, sys.enqueue(one).ID) }},
		"an event with a key": {3, 1, func() string {
			keys++
			return workflows.EventWorkflowID(sys.tenant, sys.enqueue(one, "Idempotency-Key", fmt.Sprint(keys)).ID)
		}},
		"a batch of 64": {4, 8, func() string {
			return workflows.SharedWorkflowID(sys.tenant, sys.enqueueBatch(slices.Repeat([]string{one}, 64))[0].ID)
		}},
		"an event for 25 webhooks": {2, 4, func() string { return workflows.EventWorkflowID(sys.tenant, sys.enqueue(many).ID) }},
	} {
		t.Run(name, func(t *testing.T) {
			run := func() asked {
				sys.awaitResult(c.enqueue())
				<-time.After(100 * time.Millisecond) // what comes after the record is the event's too
				return proxy.next()
			}
			for range 3 {
				run() // the process reads the webhooks, the connections prepare the statements
			}
			began, tenants, known := time.Now(), 0, false
			for range 5 {
				asked := run()
				got := asked.spent()
				require.LessOrEqual(t, got.records, c.records, "%q", asked.trips)
				require.Equal(t, c.reads+max(1, got.records)*recordStatements, got.statements, "%q", asked.trips)
				require.Equal(t, got.statements, got.trips, "%q", asked.trips)
				tenants += got.tenants
				known = known || asked.prepared == 0
			}
			require.LessOrEqual(t, tenants, 1+int(time.Since(began)/tenantFresh), "reads of the tenant")
			require.True(t, known, "each time some connection had a statement to prepare: their text differs")
		})
	}
}
