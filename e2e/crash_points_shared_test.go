package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/failpoint"
)

// sharing is how many events share workflows in these rows: few enough that each
// has a place in the fast lane at the same time.
const sharing = 5

// sharedPoint is one row of the promises table for events that share workflows.
// Where want says nothing, what becomes of a delivery depends on how far the
// others were, and the audit alone judges it.
type sharedPoint struct {
	crashPoint
	passed int  // how often the moment is passed until the process dies there
	burst  bool // single events without keys, instead of a batch with a key
}

// sharedRun is one such row under test.
type sharedRun struct {
	crashRun
	burst bool
	heir  string // the role of the process that takes over
}

// batchPoints are those of a request with several events, which are one workflow.
// Their deliveries are one slice of the fast lane.
func batchPoints() []sharedPoint {
	each, posts := []string{scheduled, never, atMostOnce}, 3*sharing
	return []sharedPoint{
		{crashPoint: crashPoint{at: failpoint.AfterStart, want: fates(each, onceDelivered)}, passed: 1},
		{crashPoint: crashPoint{at: failpoint.AfterResolve, want: fates(each, onceDelivered)}, passed: 1},
		{crashPoint: crashPoint{at: failpoint.AfterPost, want: fates(each, twiceDelivered, twiceDelivered, unknownSent)}, passed: posts},
		{crashPoint: crashPoint{at: failpoint.AfterCommit, want: fates(each, "")}, passed: 1},
		{crashPoint: crashPoint{at: failpoint.AfterRecordFast, want: fates(each, onceDelivered)}, passed: 1},
	}
}

// burstPoints are those of single events that come at one time: the first has a
// workflow of its own, and the others share the next. Their publishers have no key
// to ask again with, so what they were told has to stand.
func burstPoints() []sharedPoint {
	each, posts := []string{scheduled, never, atMostOnce}, 3*sharing
	points := []sharedPoint{
		{crashPoint: crashPoint{at: failpoint.AfterStart, want: fates(each, onceDelivered)}, passed: 2},
		{crashPoint: crashPoint{at: failpoint.AfterResolve, want: fates(each, onceDelivered)}, passed: 2},
		{crashPoint: crashPoint{at: failpoint.AfterClaim, want: fates(each[2:], unknownUnsent)}, passed: sharing},
		{crashPoint: crashPoint{at: failpoint.AfterPost, want: fates(each, twiceDelivered, twiceDelivered, unknownSent)}, passed: posts},
		{crashPoint: crashPoint{at: failpoint.AfterPost, durable: true, want: fates(each, twiceDelivered, twiceDelivered, unknownSent)}, passed: posts},
		{crashPoint: crashPoint{at: failpoint.AfterCommit, want: fates(each, "")}, passed: 1},
	}
	for i := range points {
		points[i].burst = true
	}
	return points
}

// fates gives each policy what is wanted of it: its own, or the only one there is.
func fates(policies []string, want ...string) map[string]string {
	of := map[string]string{}
	for i, policy := range policies {
		of[policy] = want[min(i, len(want)-1)]
	}
	return of
}

// TestPromisesAtEveryPointOfSharedWorkflows kills a process that has several
// events in one workflow. All rows die first and recover together.
func TestPromisesAtEveryPointOfSharedWorkflows(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]struct {
		points   []sharedPoint
		database settings
	}{
		"batch, SQLite":     {batchPoints(), settings{}},
		"burst, PostgreSQL": {burstPoints(), settings{postgres: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var runs []*sharedRun
			for _, point := range kind.points {
				runs = append(runs, dieSharing(t, point, kind.database))
			}
			for _, run := range runs {
				run.takeOver()
			}
			for _, run := range runs {
				run.learn()
				run.audited.settle(40 * time.Second)
				t.Run(run.name(), run.checkShared)
			}
		})
	}
}

// dieSharing makes an installation and lets a process die at the moment. With a
// batch it is the one that was asked, which may not have answered. With a burst it
// is a worker, and the API that has answered lives; or the API, before it has
// answered anybody.
func dieSharing(t *testing.T, point sharedPoint, database settings) *sharedRun {
	t.Helper()
	binary, err := fragile()
	require.NoError(t, err)
	// All but the first fill a workflow, so that it starts as soon as they are there.
	database.env = append(database.env, fmt.Sprintf("POSTHASTE_EVENTS_PER_WORKFLOW=%d", sharing-1))
	run := &sharedRun{burst: point.burst, heir: "all"}
	run.crashRun = crashRun{crashPoint: point.crashPoint, events: sharing, hooks: map[string]*watched{}}
	sys := install(t, database)
	run.audited = newAudited(sys, nil)
	die := fmt.Sprintf("POSTHASTE_FAILPOINTS=%s=meet@%d", point.at, point.passed)
	var dies *process
	switch {
	case point.at == failpoint.AfterStart:
		dies = sys.startBinary(binary, "api", die).awaitReady()
	case point.burst:
		// The first start takes long enough for the others to come meanwhile.
		sys.startBinary(binary, "api", fmt.Sprintf("POSTHASTE_FAILPOINTS=%s=pause:1s@1", failpoint.AfterStart)).awaitReady()
		dies, run.heir = sys.startBinary(binary, "worker", die, elsewhere()), "worker"
	default:
		dies = sys.startBinary(binary, "all", die).awaitReady()
	}
	var extra []string
	if point.durable {
		extra = append(extra, `"maxPerSecond":1000`) // a webhook with a limit has the durable lane
	}
	for policy := range point.want {
		run.hooks[policy] = run.audited.watch("", policy, extra...)
	}
	run.handOver()
	select {
	case <-dies.done:
	case <-time.After(20 * time.Second):
		t.Fatalf("the process did not come to %s", run.name())
	}
	run.audited.crashed(time.Now())
	return run
}

// elsewhere has a process listen where no other does.
func elsewhere() string { return fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()) }

// handOver sends the events once, whatever the answers are.
func (run *sharedRun) handOver() {
	if !run.burst {
		run.audited.sendBatch()
		return
	}
	for range sharing {
		run.audited.sending.Go(func() { run.audited.sendNew("order.paid", 0) })
	}
}

// sendBatch hands over the events of a batch, with a key, and reports whether it
// was answered.
func (au *audited) sendBatch() bool {
	au.t.Helper()
	bodies := numbered(sharing)
	text, status, _ := au.hand("/api/events/batch", "batch-1", `{"events":[`+strings.Join(bodies, ",")+`]}`)
	if status != "" {
		return false
	}
	var answer struct{ Data []taken }
	require.NoError(au.t, json.Unmarshal(text, &answer))
	require.Len(au.t, answer.Data, len(bodies))
	for i, result := range answer.Data {
		require.Equal(au.t, "accepted", result.Status)
		au.take(result.ID, "order.paid", bodies[i])
	}
	return true
}

// takeOver starts an ordinary process, to which a batch is sent again as a
// publisher does who had no answer.
func (run *sharedRun) takeOver() {
	sys := run.audited.sys
	run.restarted = time.Now()
	if run.heir == "worker" {
		sys.start("worker", elsewhere())
		return
	}
	sys.start("all").awaitReady()
	run.restarted = time.Now()
	if !run.burst {
		sys.await("the batch is taken", 10*time.Second, run.audited.sendBatch)
	}
}

// learn takes what arrives of a burst that nobody had an answer for as accepted.
// Nothing more is known of these events than that they were started, and from then
// on they are held to all that is promised.
func (run *sharedRun) learn() {
	run.audited.sending.Wait()
	if !run.burst || run.at != failpoint.AfterStart {
		return
	}
	require.Empty(run.audited.t, run.audited.ids(), "the API died before it answered")
	for _, a := range run.audited.rec.await(len(run.hooks)*sharing, 30*time.Second) {
		run.audited.take(a.header.Get("webhook-id"), "order.paid", a.body)
	}
}

// checkShared audits one row, and holds that its events had shared a workflow.
func (run *sharedRun) checkShared(t *testing.T) {
	report := run.audited.audit()
	shared := sharing
	if run.burst {
		shared-- // the first was alone
	}
	require.Equal(t, sharing, report.Events)
	require.Equal(t, shared, report.Shared)
	run.check(t)
}
