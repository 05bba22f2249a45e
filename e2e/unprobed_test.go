package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestChecksAreMeasuredWithoutProbes: PosthasteNotReady sees an outage, and its
// end, where nobody asks GET /readyz.
func TestChecksAreMeasuredWithoutProbes(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"all", "worker"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			sys := install(t, settings{postgres: true, proxied: true})
			sys.start(role).awaitReady()
			awaitCheck := func(line string) {
				t.Helper()
				sys.await(line, 15*time.Second, func() bool { return slices.Contains(sys.scrape(sys.api), line) })
			}
			awaitCheck(`posthaste_check_failing{check="temporal"} 0`)
			sys.temporalProxy.cut()
			awaitCheck(`posthaste_check_failing{check="temporal"} 1`)
			awaitCheck(`posthaste_check_failing{check="database"} 0`)
			sys.databaseProxy.blackhole() // a scrape does not wait for it
			awaitCheck(`posthaste_check_failing{check="database"} 1`)
			sys.temporalProxy.heal()
			sys.databaseProxy.heal()
			awaitCheck(`posthaste_check_failing{check="temporal"} 0`)
			awaitCheck(`posthaste_check_failing{check="database"} 0`)
		})
	}
}

// A part that does not answer is named alone: the others are not asked in what
// it left of the time.
func TestReadyNamesOnlyWhatFails(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{postgres: true, proxied: true})
	sys.start("worker").awaitReady()
	sys.databaseProxy.blackhole()
	sys.await("the database alone to fail", 20*time.Second, func() bool {
		_, body := sys.probe("/readyz")
		return strings.Contains(body, `"database":"failing"`)
	})
	_, body := sys.probe("/readyz")
	if !strings.Contains(body, `"temporal":"ok"`) {
		t.Fatal(body)
	}
	sys.databaseProxy.heal()
	sys.awaitReady()
}
