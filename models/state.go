package models

import (
	"slices"

	"posthaste/errs"
)

// State is where a delivery stands.
type State string

// Every state. In the first three a delivery is under way; in the others it is
// settled (State.Settled).
const (
	StatePending    State = "pending"    // to be sent as soon as possible
	StateSending    State = "sending"    // claimed by a worker that sends at most once
	StateRetrying   State = "retrying"   // failed, waits for its next attempt
	StateDelivered  State = "delivered"  // the receiver answered 2xx
	StateFailed     State = "failed"     // out of attempts, or refused for good
	StateSkipped    State = "skipped"    // the webhook was not active when its turn came
	StateSuppressed State = "suppressed" // the provider's rules say this event is not sent
	StateCancelled  State = "cancelled"  // a person stopped it
	StateUnknown    State = "unknown"    // the worker died in the middle of an at-most-once POST
)

// States returns every state, unsettled ones first.
func States() []State {
	return []State{
		StatePending, StateSending, StateRetrying,
		StateDelivered, StateFailed, StateSkipped, StateSuppressed, StateCancelled, StateUnknown,
	}
}

// Settled reports whether nothing more happens to a delivery in this state
// unless a person asks for it.
func (s State) Settled() bool {
	switch s {
	case StatePending, StateSending, StateRetrying:
		return false
	case StateDelivered, StateFailed, StateSkipped, StateSuppressed, StateCancelled, StateUnknown:
		return true
	}
	return false
}

// Step is what happens to a delivery; Advance turns it into a new state.
type Step string

// Every step. The three resolve steps make a delivery; they start from no
// state at all ("").
const (
	StepResolvePending    Step = "resolve-pending"    // an event wants this webhook
	StepResolveSkipped    Step = "resolve-skipped"    // it does, but the webhook is not active
	StepResolveSuppressed Step = "resolve-suppressed" // it does, but the provider's rules forbid it
	StepClaim             Step = "claim"              // a worker is about to POST at most once
	StepDeliver           Step = "deliver"            // an attempt was answered 2xx
	StepFailRetry         Step = "fail-retry"         // an attempt failed, another one follows
	StepFailFinal         Step = "fail-final"         // an attempt failed, and it was the last
	StepSkip              Step = "skip"               // the webhook is no longer active
	StepCancel            Step = "cancel"             // a person stopped it
	StepLose              Step = "lose"               // found claimed by a worker that is gone
	StepReopen            Step = "reopen"             // a person asked to send it again
)

// Steps returns every step, in the order of a delivery's life.
func Steps() []Step {
	return []Step{
		StepResolvePending, StepResolveSkipped, StepResolveSuppressed, StepClaim, StepDeliver,
		StepFailRetry, StepFailFinal, StepSkip, StepCancel, StepLose, StepReopen,
	}
}

// Transition is one line of the state table.
type Transition struct {
	From State // "" for a delivery that does not exist yet
	Step Step
	To   State
}

// Transitions returns the whole state table; what it does not list is refused.
func Transitions() []Transition {
	return []Transition{
		{"", StepResolvePending, StatePending},
		{"", StepResolveSkipped, StateSkipped},
		{"", StepResolveSuppressed, StateSuppressed},

		{StatePending, StepClaim, StateSending},
		{StatePending, StepDeliver, StateDelivered},
		{StatePending, StepFailRetry, StateRetrying},
		{StatePending, StepFailFinal, StateFailed},
		{StatePending, StepSkip, StateSkipped},
		{StatePending, StepCancel, StateCancelled},

		{StateRetrying, StepClaim, StateSending},
		{StateRetrying, StepDeliver, StateDelivered},
		{StateRetrying, StepFailRetry, StateRetrying},
		{StateRetrying, StepFailFinal, StateFailed},
		{StateRetrying, StepSkip, StateSkipped},
		{StateRetrying, StepCancel, StateCancelled},

		{StateSending, StepDeliver, StateDelivered},
		{StateSending, StepFailRetry, StateRetrying},
		{StateSending, StepFailFinal, StateFailed},
		{StateSending, StepLose, StateUnknown},

		{StateDelivered, StepReopen, StatePending},
		{StateFailed, StepReopen, StatePending},
		{StateSkipped, StepReopen, StatePending},
		{StateSuppressed, StepReopen, StatePending},
		{StateCancelled, StepReopen, StatePending},
		{StateUnknown, StepReopen, StatePending},
	}
}

// Advance returns the state a delivery is in after the step. It is the only
// place that decides so, but for a round that is cancelled or skipped: a delivery
// that was reopened is then what it was before (rounds.go). A step that the state
// does not allow is a Conflict.
func Advance(from State, step Step) (State, error) {
	table := Transitions()
	i := slices.IndexFunc(table, func(t Transition) bool { return t.From == from && t.Step == step })
	if i < 0 {
		return "", errs.New(errs.Conflict, "A delivery that is %s cannot take the step %s", nameOf(from), step)
	}
	return table[i].To, nil
}

func nameOf(s State) string {
	if s == "" {
		return "not yet made"
	}
	return string(s)
}
