package e2e

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/failpoint"
)

// The three policies that answer a crash differently.
const (
	scheduled  = `{"mode":"schedule","delaysSeconds":[1]}`
	never      = `{"mode":"never"}`
	atMostOnce = `{"mode":"never","onCrash":"unknown"}`
)

func policies() []string { return []string{scheduled, never, atMostOnce} }

// What may become of a delivery whose process died.
const (
	onceDelivered  = "delivered, 1 on record, arrived 1"
	twiceDelivered = "delivered, 1 on record, arrived 2" // the rare duplicate of at-least-once
	unknownUnsent  = "unknown, 0 on record, arrived 0"
	unknownSent    = "unknown, 0 on record, arrived 1"
)

// crashPoint is one row of the promises table: where the process dies, and what
// becomes of a delivery under each policy.
type crashPoint struct {
	at      failpoint.Name
	durable bool // in the durable lane
	// alone lets the deliveries die one after the other, each with a process of
	// its own: at this moment they would stand in each other's way.
	alone bool
	role  string            // of the process that dies; "all" unless it is given
	want  map[string]string // by policy
}

func crashPoints() []crashPoint {
	all := func(scheduled_, never_, atMostOnce_ string) map[string]string {
		return map[string]string{scheduled: scheduled_, never: never_, atMostOnce: atMostOnce_}
	}
	once := all(onceDelivered, onceDelivered, onceDelivered)
	beforePost := all(onceDelivered, onceDelivered, unknownUnsent)
	afterPost := all(twiceDelivered, twiceDelivered, unknownSent)
	claimed := map[string]string{atMostOnce: unknownUnsent}
	return []crashPoint{
		// a worker dies before the POST: another runs it
		// the API dies without a worker beside it, which might be faster with its POST
		{at: failpoint.AfterStart, role: "api", want: once},
		{at: failpoint.AfterResolve, want: once},
		{at: failpoint.BeforePost, want: beforePost},
		{at: failpoint.BeforePost, durable: true, want: beforePost},
		// at most once: found claimed, it is recorded unknown and never sent
		{at: failpoint.AfterClaim, want: claimed},
		{at: failpoint.AfterClaim, durable: true, want: claimed},
		// a worker dies after the POST, before the record: the POST is repeated
		{at: failpoint.AfterPost, want: afterPost},
		{at: failpoint.AfterPost, durable: true, want: afterPost},
		// a worker dies after the record: not repeated
		{at: failpoint.AfterCommit, alone: true, want: once},
		{at: failpoint.AfterCommit, alone: true, durable: true, want: once},
		{at: failpoint.AfterRecordFast, want: once},
		{at: failpoint.AfterRecordDurable, durable: true, want: once},
	}
}

func (p crashPoint) name() string {
	if p.durable {
		return string(p.at) + " in the durable lane"
	}
	return string(p.at)
}

// crashRun is one row under test.
type crashRun struct {
	crashPoint
	audited   *audited
	events    int                 // how many there are of each type
	hooks     map[string]*watched // by policy
	restarted time.Time
}

// TestPromisesAtEveryPoint kills a process at each moment of the promises table
// and lets an ordinary one take over, on either database.
func TestPromisesAtEveryPoint(t *testing.T) {
	t.Parallel()
	covered := map[failpoint.Name]bool{}
	for _, point := range crashPoints() {
		covered[point.at] = true
	}
	for _, name := range failpoint.Names() {
		require.True(t, covered[name], "no row for %s", name)
	}
	for name, database := range map[string]settings{"SQLite": {}, "PostgreSQL": {postgres: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holdPromises(t, database)
		})
	}
}

// holdPromises takes every row of the table. All rows die first and recover
// together, because what takes time is the wait for Temporal's timeouts.
func holdPromises(t *testing.T, database settings) {
	t.Helper()
	var runs []*crashRun
	for _, point := range crashPoints() {
		runs = append(runs, dieAt(t, point, database))
	}
	for _, run := range runs {
		run.audited.sys.start("all").awaitReady()
		run.restarted = time.Now()
		for i := range run.audited.sent.Load() { // what a publisher does that had no answer: the same again
			run.audited.sendAgain(i + 1)
		}
	}
	for _, run := range runs {
		run.audited.settle(40 * time.Second)
		t.Run(run.name(), run.check)
	}
}

// dieAt makes an installation and lets a process die at the moment while it has
// deliveries of every policy there.
func dieAt(t *testing.T, point crashPoint, database settings) *crashRun {
	t.Helper()
	binary, err := fragile()
	require.NoError(t, err)
	run := &crashRun{crashPoint: point, events: 1, hooks: map[string]*watched{}}
	sys := install(t, database)
	run.audited = newAudited(sys, nil)
	var extra []string
	if point.durable {
		extra = append(extra, `"maxPerSecond":1000`) // a webhook with a limit has the durable lane
	}
	rounds, how := 1, "meet"
	if point.alone {
		rounds, how = len(point.want), "kill"
	}
	for round := range rounds {
		action := fmt.Sprintf("POSTHASTE_FAILPOINTS=%s=%s@%d", point.at, how, point.hits(round))
		p := sys.startBinary(binary, cmp.Or(point.role, "all"), action).awaitReady()
		if round == 0 {
			for i, policy := range policies() {
				if _, ok := point.want[policy]; ok {
					run.hooks[policy] = run.audited.watch(roundType(i%rounds), policy, extra...)
				}
			}
		}
		run.audited.sendOnce(roundType(round))
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			t.Fatalf("the process did not come to %s", point.name())
		}
		run.audited.crashed(time.Now())
	}
	return run
}

// hits is how often the moment is passed before every delivery of a round is
// there.
func (p crashPoint) hits(round int) int {
	switch {
	case p.at == failpoint.AfterStart || p.at == failpoint.AfterResolve:
		return 1 // passed by the event, not by each delivery
	case p.at == failpoint.AfterCommit && policies()[round] == atMostOnce:
		return 2 // the first commit is the claim
	case p.alone:
		return 1
	}
	return len(p.want)
}

func roundType(round int) string { return fmt.Sprintf("round.%d", round+1) }

// sendOnce hands over the next event without caring for the answer: the process
// may be dead before it has given one.
func (au *audited) sendOnce(eventType string) {
	n := au.sent.Add(1)
	body := fmt.Sprintf(`{"type":%q,"data":{}}`, eventType)
	if id, _ := au.post(fmt.Sprintf("key-%d", n), body); id != "" {
		au.take(id, eventType, body)
	}
}

// sendAgain repeats what sendOnce sent as the n-th, under the same key.
func (au *audited) sendAgain(n int64) {
	au.t.Helper()
	eventType := roundType(int(n) - 1)
	require.True(au.t, au.sendBody(eventType, fmt.Sprintf("key-%d", n), fmt.Sprintf(`{"type":%q,"data":{}}`, eventType), 10*time.Second))
}

// check audits one row.
func (run *crashRun) check(t *testing.T) {
	in := run.audited.input()
	for policy, want := range run.want {
		if want == "" {
			continue // the audit alone judges it
		}
		want = strings.Join(slices.Repeat([]string{want}, run.events), "; ")
		require.Equal(t, want, fate(in, run.hooks[policy].ID), "policy %s", policy)
	}
	report := run.audited.audit()
	require.Empty(t, report.Violations)
	require.Zero(t, report.Lost)
	for _, a := range in.Arrivals {
		require.Less(t, a.At.Sub(run.restarted), 15*time.Second, "after the restart")
	}
}

// TestOrdinaryBinaryCannotBeToldToDie reads both builds: the variable's name is
// in one of them alone.
func TestOrdinaryBinaryCannotBeToldToDie(t *testing.T) {
	t.Parallel()
	ordinary, err := os.ReadFile(posthaste)
	require.NoError(t, err)
	require.False(t, bytes.Contains(ordinary, []byte("POSTHASTE_FAILPOINTS")))
	path, err := fragile()
	require.NoError(t, err)
	other, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Contains(other, []byte("POSTHASTE_FAILPOINTS")), "the search finds it where it is")
}
