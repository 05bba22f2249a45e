// Package audit joins what was accepted, what arrived and what the ledger says,
// and holds the three to the invariants that Posthaste promises:
//
//	I1  every accepted event has exactly one settled delivery per webhook that wants it
//	I2  no delivery is lost: what the ledger calls delivered has arrived, and what
//	    it calls failed has used its attempts, each of which failed
//	I3  an at-most-once webhook gets an event at most once; one with the policy
//	    never gets it again only where a process died
//	I4  duplicates: none without a crash, at most one per crash for a delivery, and
//	    at most one for each POST that was in flight
//
// I5 (no secret anywhere) and I6 (neighbours do not wait) need other eyes than
// these and are held by tests of their own.
//
// The join knows nothing of how the load was made or what was broken, so each
// test and experiment uses the same one.
package audit

import "time"

// Accepted is one event for which a publisher got 200 or 202.
type Accepted struct {
	ID       string
	Mark     string // tells its body from others, see Arrival
	Tenant   string
	At       time.Time // when the answer came
	Webhooks []string  // ids of the webhooks that want it
}

// Webhook is what the audit must know of one.
type Webhook struct {
	ID         string
	Tenant     string
	Never      bool // its policy has one attempt
	AtMostOnce bool // its policy says onCrash unknown
	Attempts   int  // how many its policy has before failed is right
	Accepts    bool // its receiver answered 2xx whenever it answered, and nothing else can have failed a POST
}

// Arrival is one request as a receiver saw it.
type Arrival struct {
	WebhookID  string // by where it arrived
	EventID    string // the header webhook-id
	DeliveryID string // the header X-Delivery-Id
	Mark       string // what tells the body from those of other events
	At         time.Time
	Signed     bool // the signature verified
}

// Attempt is one POST as the ledger has it.
type Attempt struct {
	Number  int // from 1
	Success bool
	Status  int // 0 when there was no answer

	deliveryID string
}

// Delivery is one delivery as the ledger has it.
type Delivery struct {
	ID, EventID, WebhookID string
	State                  string
	WorkflowID             string // the one that its event began in
	Attempts               []Attempt
}

// Crash is one process that died, or was cut off so that others took its work.
type Crash struct {
	At       time.Time
	InFlight int // POSTs that could have been under way; see the caps of the lanes
}

// Input is one run.
type Input struct {
	Accepted   []Accepted
	Webhooks   []Webhook
	Arrivals   []Arrival
	Deliveries []Delivery
	Crashes    []Crash
	// Unanswered are the marks of events of which nobody knows whether they were
	// accepted, once for each time that one was handed over. Such an event may
	// arrive or not, under an id that nobody was told. It stands for itself alone:
	// what arrives with another mark, or under a second id, is a stranger.
	Unanswered []string
	// MustShare says that events were handed over several at a time to an
	// installation that lets them share workflows: a run in which none did has
	// tested nothing of that.
	MustShare bool
	// SkippedIsRight says that webhooks were paused or deleted on purpose: then
	// skipped and cancelled are as good as delivered, and a delivery that went
	// with its webhook is not missed.
	SkippedIsRight bool
}

// Report is what came out of a run. The counts are of pairs of an event and a
// webhook that wants it.
type Report struct {
	Accepted     int // pairs that were to be delivered
	Arrived      int // pairs that arrived at least once
	Lost         int // pairs of which nobody knows any more, or that were given up wrongly
	Duplicates   int // arrivals beyond those that the ledger has as attempts
	Unknown      int // pairs recorded as unknown
	Events       int // events that were accepted
	Shared       int // those of them that began in one workflow with another of them
	Uncertain    int // events that arrived although nobody has an answer for them
	LongestDelay time.Duration
	Violations   []string // the first of each kind, and how many more
}

// Held reports whether every invariant held.
func (r Report) Held() bool { return len(r.Violations) == 0 }
