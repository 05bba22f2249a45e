package activities

import (
	"time"

	"posthaste/webhook"
)

// Meter counts attempts as they end, and what becomes of those that must wait.
// Its methods are called from many goroutines and must not block.
type Meter interface {
	// Attempted notes what an attempt for a webhook of the provider came to. Took
	// is 0 when this process sent nothing.
	Attempted(provider string, outcome webhook.OutcomeKind, took time.Duration)
	// Posting notes that a POST begins in a lane. The caller calls ended when it
	// is over.
	Posting(lane Lane) (ended func())
	// Deferred notes a delivery that a lane sent away without an attempt.
	Deferred(lane Lane, why Deferral)
	// WaitedFast notes how long a delivery waited for its webhook's turn in the
	// fast lane, whether it got it or not; most need not wait.
	WaitedFast(wait time.Duration)
	// BreakerOpened and BreakerClosed note that a webhook's breaker changed.
	BreakerOpened()
	BreakerClosed()
}

// Deferral says why a delivery was sent away without an attempt.
type Deferral string

// The reasons there are.
const (
	DeferredUnfit     Deferral = "fitness"    // its webhook failed, or was slow, a moment ago
	DeferredFull      Deferral = "full"       // its webhook has all its places in the fast lane in use
	DeferredTenant    Deferral = "tenant"     // its tenant has its share of the lane in flight
	DeferredShare     Deferral = "share"      // its webhook has its share of the durable lane in flight
	DeferredRateLimit Deferral = "rate_limit" // its slot under the webhook's rate limit comes later
	DeferredBreaker   Deferral = "breaker"    // its webhook does not answer
	DeferredHeld      Deferral = "held"       // another process is sending it, or was until just now
	DeferredLate      Deferral = "late"       // its workflow task reached this process too late to be acted on
	DeferredLedger    Deferral = "ledger"     // this process still holds its last outcome: the database is away
)

// Deferrals returns the reasons for which a lane sends deliveries away: the fast
// one to the durable one, or to another turn where it only lacks room, and that one
// for a while.
func Deferrals(lane Lane) []Deferral {
	if lane == LaneFast {
		return []Deferral{DeferredUnfit, DeferredFull, DeferredTenant, DeferredHeld, DeferredLate, DeferredLedger}
	}
	return []Deferral{DeferredShare, DeferredTenant, DeferredRateLimit, DeferredBreaker, DeferredHeld, DeferredLedger}
}
