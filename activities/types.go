package activities

import (
	"time"

	"posthaste/models"
	"posthaste/webhook"
)

// The types of this file are the wire between workflows and activities. They
// are written into Temporal histories that live for days: fields are added,
// never renamed or given another meaning.

// Event is the event as it travels, once, in the workflow's input.
type Event = webhook.Event

// State is a delivery's state in the ledger.
type State = models.State

// Undelivered returns the settled states in which the receiver did not get the
// event, the gravest first.
func Undelivered() []State {
	return []State{
		models.StateFailed, models.StateUnknown, models.StateCancelled, models.StateSkipped, models.StateSuppressed,
	}
}

// Lane says where an attempt runs.
type Lane string

// The two lanes.
const (
	LaneFast    Lane = "fast"    // a local activity inside the workflow task
	LaneDurable Lane = "durable" // a regular activity with a schedule of its own
)

// Planned is one delivery as the workflow sees it: enough to route it and to
// name it for a person, nothing to send it with.
type Planned struct {
	DeliveryID     string `json:"deliveryId"`
	EventID        string `json:"eventId"`
	Name           string `json:"name"` // the webhook's name
	Host           string `json:"host"` // the webhook's host, without path and query
	State          State  `json:"state"`
	Lane           Lane   `json:"lane,omitempty"` // empty when there is nothing to do
	TimeoutSeconds int    `json:"timeoutSeconds,omitempty"`
	// StartInSeconds is how long a new delivery waits for its turn before it is
	// tried at all, in either lane.
	StartInSeconds int `json:"startInSeconds,omitempty"`
}

// ResolveInput asks which webhooks want these events.
type ResolveInput struct {
	Events []Event `json:"events"`
	// Partly asks for what this process can plan: the caller comes again for the
	// rest. Without it all are planned, or none.
	Partly bool `json:"partly,omitempty"`
	// Handled is how many deliveries the run handles itself already.
	Handled int `json:"handled,omitempty"`
}

// ResolveResult lists the deliveries of each event, in the order of the input.
type ResolveResult struct {
	Events []Resolved `json:"events"`
	// Later are the ids of the events that this process cannot plan, where it was
	// asked Partly. They are never all: that is an error.
	Later []string `json:"later,omitempty"`
}

// Resolved is one event's ledger. An event with more deliveries than PageSize
// names the pages instead of the deliveries.
type Resolved struct {
	EventID    string    `json:"eventId"`
	Duplicate  bool      `json:"duplicate,omitempty"` // belongs to another workflow run: nothing to send
	Deliveries []Planned `json:"deliveries,omitempty"`
	Pages      []string  `json:"pages,omitempty"` // for each page, the delivery id it starts after
}

// PageSize is how many deliveries of one event a workflow run handles itself: its
// history stays under 800 events even when every one is retried.
const PageSize = 100

// RunSize is how many deliveries a run handles itself whose events are many; the
// events after that have pages too. Temporal holds 2,000 pending activities in a
// run, and warns of a history of 10,240 events.
const RunSize = 1000

const (
	// aloneUpTo is the number of deliveries up to which each gets its own call of the
	// fast lane, and so its own line in Temporal Web UI. Beyond it, slices of sliceSize
	// share one: a marker costs the server as much as a delivery costs us.
	aloneUpTo = 10
	sliceSize = 25
)

// CallSize returns how many of so many deliveries of a run share a call of the fast
// lane.
func CallSize(deliveries int) int {
	if deliveries > aloneUpTo {
		return sliceSize
	}
	return 1
}

// PageInput asks for one page of an event's deliveries.
type PageInput struct {
	Tenant  string `json:"tenant"`
	EventID string `json:"eventId"`
	After   string `json:"after"`
	GivenUp bool   `json:"givenUp,omitempty"` // its deliveries are cancelled before any is sent
}

// PageResult is one page of an event's deliveries.
type PageResult struct {
	Deliveries []Planned `json:"deliveries"`
}

// DeliverInput asks for one attempt of each delivery.
type DeliverInput struct {
	Tenant     string        `json:"tenant"`
	Deliveries []DeliveryRef `json:"deliveries"`
	Lane       Lane          `json:"lane"`
	// Events holds the events of the deliveries, in the fast lane alone, where
	// inputs are not recorded. In the durable lane the ledger's copy is read,
	// so that a payload is never repeated in a history.
	Events []Event `json:"events,omitempty"`
	// Since is when the workflow task of the fast lane began. A task that reaches
	// a worker late, after a partition say, may have been given to another.
	Since time.Time `json:"since,omitzero"`
	// Now sends without regard to the planned time: a person asked for it.
	Now bool `json:"now,omitempty"`
}

// DeliveryRef names a delivery and the event it carries.
type DeliveryRef struct {
	EventID    string `json:"eventId"`
	DeliveryID string `json:"deliveryId"`
}

// DeliverResult says where each delivery stands after the attempt.
type DeliverResult struct {
	Deliveries []Attempted `json:"deliveries"`
}

// Attempted is one delivery after an attempt, or after finding that none was
// due.
type Attempted struct {
	DeliveryID string         `json:"deliveryId"`
	State      State          `json:"state"`
	Attempts   int            `json:"attempts,omitempty"`
	StatusCode int            `json:"statusCode,omitempty"`
	Reason     webhook.Reason `json:"reason,omitempty"`
	// StartInSeconds is how long a delivery waits for another turn in the fast lane,
	// where there was no room for it although its webhook is well: the same for all
	// of a call for which there was none. 0 leaves what has not settled to the durable
	// lane.
	StartInSeconds int `json:"startInSeconds,omitempty"`
}

// ReopenInput asks for a settled delivery to be sent again.
type ReopenInput struct {
	Tenant     string `json:"tenant"`
	DeliveryID string `json:"deliveryId"`
	// From names the workflow that had the delivery and ended without settling it:
	// it is then not opened again but taken over as it stands.
	From string `json:"from,omitempty"`
}

// CancelInput asks for waiting deliveries to be given up.
type CancelInput struct {
	Tenant      string   `json:"tenant"`
	DeliveryIDs []string `json:"deliveryIds"`
}

// Names of the application errors by which an activity in the durable lane
// steers its own retries. The first two are benign: Temporal neither logs nor
// counts them as failures.
const (
	ErrorRetry    = "AttemptFailed" // the receiver did not take it; the delay is the policy's
	ErrorDeferred = "Deferred"      // nothing was sent yet; no attempt
	ErrorOurs     = "OurFault"      // we failed: the database, say; no attempt
)
