package activities

import (
	"sync"
	"time"

	"posthaste/webhook"
)

const (
	// tripAfter is how many attempts in a row must end without an answer before
	// a webhook's breaker opens: more than a restart of the receiver costs.
	tripAfter = 10
	// openFor is how long an open breaker keeps POSTs away before it lets probes
	// through. It is the longest timeout of a POST: a receiver that hangs would
	// not be found well any sooner.
	openFor = 30 * time.Second
	// probesAtOnce is how many probes may be under way.
	probesAtOnce = 2
	// breakersKept bounds the memory: past this many, breakers that would let a
	// probe through are forgotten, and begin anew.
	breakersKept = 10_000
)

// breakers keep POSTs from webhooks that accept connections and never answer, or
// do not even accept them: each such POST holds a goroutine, a socket and a
// place in the lane for its whole timeout. A receiver that answers, be it 500,
// costs next to nothing and has its own schedule; no breaker opens for it.
type breakers struct {
	now      func() time.Time
	mu       sync.Mutex
	webhooks map[string]*breaker // those whose latest attempt had no answer
	meter    Meter               // nil in tests that do not measure
}

// breaker is what one webhook has done to deserve it.
type breaker struct {
	silent    int // attempts in a row without an answer
	openUntil time.Time
	probing   int
}

func newBreakers(now func() time.Time) *breakers {
	return &breakers{now: now, webhooks: map[string]*breaker{}}
}

// allow says whether a POST may be made: it returns how long the webhook is to
// be left alone instead, or whether the POST is a probe, whose end probed wants
// to know.
func (b *breakers) allow(webhookID string) (probe bool, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, known := b.webhooks[webhookID]
	if !known || w.silent < tripAfter {
		return false, 0
	}
	if left := w.left(b.now()); left > 0 {
		return false, left
	}
	if w.probing >= probesAtOnce {
		return false, openFor // by then the probes under way have told
	}
	w.probing++
	return true, 0
}

// wait returns how long the webhook is still to be left alone; 0 = it may be
// asked for a permit.
func (b *breakers) wait(webhookID string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w, known := b.webhooks[webhookID]; known {
		return w.left(b.now())
	}
	return 0
}

// left is how long an open breaker still keeps everything away.
func (w *breaker) left(now time.Time) time.Duration {
	if w.silent < tripAfter {
		return 0
	}
	return max(0, w.openUntil.Sub(now))
}

// trip opens the breaker of a webhook that hangs before its timeouts tell.
func (b *breakers) trip(webhookID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, known := b.webhooks[webhookID]
	if !known {
		w = b.begin(webhookID)
	}
	if w.silent < tripAfter {
		w.silent, w.openUntil = tripAfter, b.now().Add(openFor)
		b.opened()
	}
}

// probed notes that a probe has ended, however it did.
func (b *breakers) probed(webhookID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w, known := b.webhooks[webhookID]; known && w.probing > 0 {
		w.probing--
	}
}

// note counts an attempt. An answer of any kind closes the breaker.
func (b *breakers) note(webhookID string, o webhook.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, known := b.webhooks[webhookID]
	if !silence(o) {
		if known && w.silent >= tripAfter && b.meter != nil {
			b.meter.BreakerClosed()
		}
		delete(b.webhooks, webhookID)
		return
	}
	if !known {
		w = b.begin(webhookID)
	}
	if w.silent++; w.silent >= tripAfter {
		if w.silent == tripAfter {
			b.opened()
		}
		w.openUntil = b.now().Add(openFor)
	}
}

// begin makes a breaker, and room for it: webhooks that were deleted or paused
// after a silence never answer. The lock is held.
func (b *breakers) begin(webhookID string) *breaker {
	if len(b.webhooks) >= breakersKept {
		now := b.now()
		for id, w := range b.webhooks {
			if w.probing == 0 && w.openUntil.Before(now) {
				delete(b.webhooks, id)
			}
		}
	}
	w := &breaker{}
	b.webhooks[webhookID] = w
	return w
}

func (b *breakers) opened() {
	if b.meter != nil {
		b.meter.BreakerOpened()
	}
}

// silence reports that an attempt waited for an answer, or for a connection,
// until its time was over.
func silence(o webhook.Outcome) bool {
	return o.Reason == webhook.ReasonTimeout || o.Reason == webhook.ReasonConnectTimeout
}
