package audit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/e2e/audit"
)

var began = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// sound is a run in which all went well: one event to an ordinary webhook, to
// one with the policy never, and to an at-most-once one; the first was tried
// twice.
func sound() audit.Input {
	in := audit.Input{
		Accepted: []audit.Accepted{{ID: "e1", Tenant: "acme", At: began, Webhooks: []string{"w1", "w2", "w3"}}},
		Webhooks: []audit.Webhook{
			{ID: "w1", Tenant: "acme", Attempts: 3},
			{ID: "w2", Tenant: "acme", Never: true, Attempts: 1},
			{ID: "w3", Tenant: "acme", Never: true, AtMostOnce: true, Attempts: 1},
		},
	}
	for i, id := range []string{"1", "1", "2", "3"} {
		in.Arrivals = append(in.Arrivals, audit.Arrival{
			WebhookID: "w" + id, EventID: "e1", DeliveryID: "d" + id, At: began.Add(time.Duration(i) * time.Second), Signed: true,
		})
	}
	once := []audit.Attempt{{Number: 1, Success: true, Status: 204}}
	in.Deliveries = []audit.Delivery{
		{ID: "d1", EventID: "e1", WebhookID: "w1", State: "delivered", Attempts: []audit.Attempt{
			{Number: 1, Status: 500}, {Number: 2, Success: true, Status: 204},
		}},
		{ID: "d2", EventID: "e1", WebhookID: "w2", State: "delivered", Attempts: once},
		{ID: "d3", EventID: "e1", WebhookID: "w3", State: "delivered", Attempts: once},
	}
	return in
}

func crash(inFlight int) []audit.Crash { return []audit.Crash{{At: began, InFlight: inFlight}} }

func TestSoundRun(t *testing.T) {
	t.Parallel()
	report := audit.Audit(sound())
	require.Empty(t, report.Violations)
	require.True(t, report.Held())
	require.Equal(t, audit.Report{Accepted: 3, Arrived: 3, Events: 1, LongestDelay: 3 * time.Second}, report)
	require.True(t, report.Within(3*time.Second).Held())
	require.False(t, report.Within(2*time.Second).Held())
}

// TestEachViolation breaks one thing at a time.
func TestEachViolation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		harm func(*audit.Input)
		want string
		lost int
	}{
		"no delivery": {func(in *audit.Input) { in.Deliveries = in.Deliveries[1:]; in.Arrivals = in.Arrivals[2:] }, "I1: event e1 has 0 deliveries for webhook w1", 1},
		"two deliveries": {func(in *audit.Input) {
			in.Deliveries = append(in.Deliveries, audit.Delivery{ID: "d9", EventID: "e1", WebhookID: "w1", State: "failed"})
		}, "I1: event e1 has 2 deliveries", 0},
		"unsettled":      {func(in *audit.Input) { in.Deliveries[0].State = "retrying" }, "I1: delivery d1 has not settled: retrying", 1},
		"never arrived":  {func(in *audit.Input) { in.Arrivals = in.Arrivals[2:] }, "I2: delivery d1 is called delivered", 1},
		"given up early": {func(in *audit.Input) { in.Deliveries[0].State = "failed" }, "I2: delivery d1 was given up after 1 of 3", 1},
		"failed, never tried": {func(in *audit.Input) {
			in.Deliveries[1].State, in.Deliveries[1].Attempts = "failed", nil
			in.Arrivals = append(in.Arrivals[:2:2], in.Arrivals[3])
		}, "I2: delivery d2 is failed without an attempt that failed", 1},
		"failed, policy not known": {func(in *audit.Input) {
			in.Webhooks[1].Attempts = 0
			in.Deliveries[1].State, in.Deliveries[1].Attempts = "failed", nil
			in.Arrivals = append(in.Arrivals[:2:2], in.Arrivals[3])
		}, "I2: delivery d2 is failed without an attempt that failed", 1},
		"failed after a success": {func(in *audit.Input) { in.Deliveries[1].State = "failed" }, "I2: delivery d2 is failed without an attempt that failed", 1},
		"failed, receiver accepts": {func(in *audit.Input) {
			in.Webhooks[1].Accepts = true
			in.Deliveries[1].State, in.Deliveries[1].Attempts = "failed", []audit.Attempt{{Number: 1}}
		}, "I2: delivery d2 is failed, and its receiver only ever answered 2xx", 1},
		"skipped":          {func(in *audit.Input) { in.Deliveries[0].State = "skipped" }, "I2: delivery d1 is skipped", 1},
		"unknown":          {func(in *audit.Input) { in.Deliveries[0].State = "unknown"; in.Crashes = crash(9) }, "I2: delivery d1 is unknown", 1},
		"unknown, no harm": {func(in *audit.Input) { in.Deliveries[2].State = "unknown" }, "I3: delivery d3 is unknown although nothing crashed", 0},
		"no success":       {func(in *audit.Input) { in.Deliveries[1].Attempts = nil; in.Crashes = crash(9) }, "ledger: delivery d2 is delivered without", 0},
		"attempt skipped":  {func(in *audit.Input) { in.Deliveries[0].Attempts[1].Number = 3 }, "ledger: attempt 2 of delivery d1 has the number 3", 0},
		"attempt invented": {func(in *audit.Input) {
			in.Deliveries[0].Attempts = append(in.Deliveries[0].Attempts, audit.Attempt{Number: 3, Success: true, Status: 200})
			in.Deliveries[0].Attempts[1].Success = false
		}, "ledger: delivery d1 has 3 answered attempts and arrived 2 times", 0},
		"duplicate": {func(in *audit.Input) { in.Arrivals = append(in.Arrivals, in.Arrivals[2]) }, "I4: delivery d2 arrived 2 times with 1 attempts", 0},
		"duplicate on record": {func(in *audit.Input) {
			in.Deliveries[0].Attempts[0].Success = true
		}, "I4: delivery d1 arrived 2 times with 2 attempts", 0},
		"more than in flight": {func(in *audit.Input) {
			in.Arrivals = append(in.Arrivals, in.Arrivals[0], in.Arrivals[2])
			in.Crashes = crash(1)
		}, "I4: 2 duplicates, and at most 1", 0},
		"twice in one crash": {func(in *audit.Input) {
			in.Arrivals = append(in.Arrivals, in.Arrivals[0], in.Arrivals[0])
			in.Crashes = crash(9)
		}, "I4: delivery d1 arrived 4 times", 0},
		"at most once, twice": {func(in *audit.Input) {
			in.Arrivals = append(in.Arrivals, in.Arrivals[3])
			in.Crashes = crash(9)
		}, "I3: delivery d3 arrived 2 times at an at-most-once webhook", 0},
		"never, twice": {func(in *audit.Input) {
			in.Arrivals = append(in.Arrivals, in.Arrivals[2])
			in.Deliveries[1].Attempts = []audit.Attempt{{Number: 1, Status: 500}, {Number: 2, Success: true, Status: 204}}
		}, "I3: delivery d2 has 2 attempts", 0},
		"signature": {func(in *audit.Input) { in.Arrivals[0].Signed = false }, "signature: event e1", 0},
		"tenant":    {func(in *audit.Input) { in.Webhooks[1].Tenant = "other" }, "tenant: event e1 of tenant acme", 0},
		"unwanted": {func(in *audit.Input) {
			in.Accepted[0].Webhooks = []string{"w1", "w2"}
		}, "unwanted: event e1 arrived at webhook w3", 0},
		"another webhook-id": {func(in *audit.Input) {
			in.Accepted = append(in.Accepted, audit.Accepted{ID: "e2", Tenant: "acme", Webhooks: []string{"w1"}})
			in.Deliveries = append(in.Deliveries, audit.Delivery{ID: "d4", EventID: "e2", WebhookID: "w1", State: "failed", Attempts: make([]audit.Attempt, 3)})
			in.Deliveries[3].Attempts[0].Number, in.Deliveries[3].Attempts[1].Number, in.Deliveries[3].Attempts[2].Number = 1, 2, 3
			in.Arrivals = append(in.Arrivals, audit.Arrival{WebhookID: "w1", EventID: "e2", DeliveryID: "d1", At: began, Signed: true})
		}, "webhook-id: delivery d1 arrived with the webhook-id e2", 0},
		"unknown delivery": {func(in *audit.Input) { in.Arrivals[0].DeliveryID = "d9" }, "delivery id: event e1 arrived as delivery d9", 0},
		"stranger": {func(in *audit.Input) {
			in.Arrivals = append(in.Arrivals, audit.Arrival{WebhookID: "w1", EventID: "e9", Signed: true})
		}, "stranger: 1 events with the body", 0},
		"stranger with another body": {func(in *audit.Input) {
			in.Unanswered = []string{"7"}
			in.Arrivals = append(in.Arrivals, audit.Arrival{WebhookID: "w1", EventID: "e9", Mark: "8", Signed: true})
		}, "stranger: 1 events with the body 8 arrived that nobody has an answer for, and 0 such", 0},
		"one request, two events": {func(in *audit.Input) {
			in.Unanswered = []string{"7"}
			for _, id := range []string{"e8", "e9"} {
				in.Arrivals = append(in.Arrivals, audit.Arrival{WebhookID: "w1", EventID: id, Mark: "7", Signed: true})
			}
		}, "stranger: 2 events with the body 7 arrived that nobody has an answer for, and 1 such", 0},
		"at most once, twice, without an answer": {func(in *audit.Input) {
			in.Unanswered = []string{"7"}
			in.Crashes = crash(9)
			for range 2 {
				in.Arrivals = append(in.Arrivals, audit.Arrival{WebhookID: "w3", EventID: "e9", Mark: "7", Signed: true})
			}
		}, "I3: event e9, which nobody has an answer for, arrived 2 times", 0},
		"another event's body": {func(in *audit.Input) { in.Arrivals[0].Mark = "8" }, "body: event e1 arrived with the body 8", 0},
		"nothing shared": {func(in *audit.Input) {
			in.MustShare = true
			for i := range in.Deliveries {
				in.Deliveries[i].WorkflowID = "event/acme/e1"
			}
			for _, id := range []string{"e5", "e6", "e7"} {
				in.Accepted = append(in.Accepted, audit.Accepted{ID: id, Tenant: "acme"})
			}
		}, "sharing: only 0 of 4 events", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := sound()
			test.harm(&in)
			report := audit.Audit(in)
			require.False(t, report.Held())
			require.Len(t, report.Violations, 1, "%v", report.Violations)
			require.Contains(t, report.Violations[0], test.want)
			require.Equal(t, test.lost, report.Lost)
		})
	}
}

// TestWhatACrashAllows is the other side: what would be a violation in a quiet
// run is none where a process died.
func TestWhatACrashAllows(t *testing.T) {
	t.Parallel()
	in := sound()
	in.Crashes = crash(1)
	in.Arrivals = append(in.Arrivals, in.Arrivals[2]) // POSTed again
	in.Deliveries[2].State, in.Deliveries[2].Attempts = "unknown", nil
	report := audit.Audit(in)
	require.Empty(t, report.Violations)
	require.Equal(t, 1, report.Duplicates)
	require.Equal(t, 1, report.Unknown)

	in = sound()
	in.Unanswered = []string{"7", "8"}
	for range 2 {
		in.Arrivals = append(in.Arrivals, audit.Arrival{WebhookID: "w1", EventID: "e9", Mark: "7", Signed: true})
	}
	report = audit.Audit(in)
	require.Empty(t, report.Violations, "an event of unknown fate is neither unwanted nor counted twice")
	require.Equal(t, 1, report.Uncertain)
	require.Zero(t, report.Duplicates)

	in = sound()
	in.SkippedIsRight = true
	in.Deliveries[0].State = "skipped"
	in.Deliveries = in.Deliveries[:2]
	require.Empty(t, audit.Audit(in).Violations)
}

// TestSharingIsCounted has two accepted events in one workflow, and one alone.
func TestSharingIsCounted(t *testing.T) {
	t.Parallel()
	in := audit.Input{MustShare: true}
	for id, workflow := range map[string]string{"e1": "events/acme/e1", "e2": "events/acme/e1", "e3": "event/acme/e3"} {
		in.Accepted = append(in.Accepted, audit.Accepted{ID: id})
		for range 2 { // to two webhooks
			in.Deliveries = append(in.Deliveries, audit.Delivery{EventID: id, WorkflowID: workflow})
		}
	}
	report := audit.Audit(in)
	require.Empty(t, report.Violations)
	require.Equal(t, 3, report.Events)
	require.Equal(t, 2, report.Shared)
}

// TestFailedWithItsAttemptsIsNotLost is what a receiver that refuses gets.
func TestFailedWithItsAttemptsIsNotLost(t *testing.T) {
	t.Parallel()
	in := sound()
	in.Deliveries[1].State, in.Deliveries[1].Attempts = "failed", []audit.Attempt{{Number: 1, Status: 500}}
	report := audit.Audit(in)
	require.Empty(t, report.Violations)
	require.Zero(t, report.Lost)
}

func TestWatchReadsThePolicy(t *testing.T) {
	t.Parallel()
	for retry, want := range map[string]audit.Webhook{
		`{"mode":"never"}`:                                  {Never: true, Attempts: 1},
		`{"mode":"never","onCrash":"unknown"}`:              {Never: true, AtMostOnce: true, Attempts: 1},
		`{"mode":"schedule","delaysSeconds":[1,2,4]}`:       {Attempts: 4},
		`{"mode":"exponential","factor":2,"maxAttempts":8}`: {Attempts: 8},
	} {
		want.ID, want.Tenant = "w1", "acme"
		got, err := audit.Watch("w1", "acme", retry)
		require.NoError(t, err, retry)
		require.Equal(t, want, got, retry)
	}
	for _, retry := range []string{``, `{}`, `{"mode":"exponential"}`, `{"mode":"sometimes"}`} {
		_, err := audit.Watch("w1", "acme", retry)
		require.Error(t, err, "a failed delivery of %q could not be judged", retry)
	}
}
