package activities

import (
	"sync"
	"time"

	"posthaste/webhook"
)

const (
	// slowAfter is what an attempt in the fast lane may take: a webhook whose
	// 95th percentile is above it, or that has kept one POST waiting this long,
	// is not fit for the fast lane.
	slowAfter = time.Second
	// fitnessSample is how many attempts the percentile looks back on.
	fitnessSample = 20
	// A webhook with this many POSTs in flight, the oldest for so long, that has
	// answered none meanwhile, hangs. One that is merely slow answers some.
	hangingPosts = 32
	hangingFor   = 10 * time.Second
	// A webhook gets no more than this many POSTs in flight before it has answered
	// one of them: what hangs costs a sign of life every few seconds, to Temporal and
	// to the ledger, until its timeout.
	unansweredPosts = 32
	// A tenant whose webhooks have twice as many among them gets no more than a few
	// for each.
	unansweredOfTenant  = 2 * unansweredPosts
	unansweredOfCrowded = 2
	// fitnessKept bounds the memory: past this many webhooks, those with nothing
	// in flight are forgotten and start afresh.
	fitnessKept = 20_000
)

// fitness knows how this process's latest attempts at each webhook went, and so
// which webhooks may use the fast lane. The ledger knows it too, but only after
// an attempt has ended: a receiver that accepts and never answers shows itself
// here within a second.
type fitness struct {
	now      func() time.Time
	mu       sync.Mutex
	webhooks map[string]*form
	// unanswered counts, for each tenant, the POSTs in flight to webhooks that have
	// answered none since.
	unanswered map[string]int
}

// form is how one webhook is doing.
type form struct {
	slow     []bool    // whether each of the latest attempts took too long, oldest first
	failed   bool      // the latest attempt
	answered time.Time // when an attempt was last answered, however
	inFlight map[uint64]time.Time
	next     uint64 // how many there were, and so the number of the next
	begun    int    // POSTs since an attempt was last answered
}

func newFitness(now func() time.Time) *fitness {
	return &fitness{now: now, webhooks: map[string]*form{}, unanswered: map[string]int{}}
}

// begin notes that a POST has begun. The caller calls end when it is over.
func (f *fitness) begin(tenant, webhookID string) (end func(webhook.Outcome)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, known := f.webhooks[webhookID]
	if !known {
		f.makeRoom()
		w = &form{inFlight: map[uint64]time.Time{}}
		f.webhooks[webhookID] = w
	}
	began, id := f.now(), w.next
	before := w.unanswered()
	w.inFlight[id] = began
	w.next++
	w.begun++
	f.count(tenant, w.unanswered()-before)
	return func(o webhook.Outcome) {
		f.mu.Lock()
		defer f.mu.Unlock()
		before := w.unanswered()
		delete(w.inFlight, id)
		w.failed = o.Kind != webhook.Delivered
		if !silence(o) {
			w.answered, w.begun = f.now(), 0
		}
		f.count(tenant, w.unanswered()-before)
		w.slow = append(w.slow, f.now().Sub(began) > slowAfter)
		if len(w.slow) > fitnessSample {
			w.slow = w.slow[1:]
		}
	}
}

// ended is how many POSTs to a webhook have ended since this process knows it.
func (f *fitness) ended(webhookID string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, known := f.webhooks[webhookID]
	if !known {
		return 0
	}
	return int(w.next) - len(w.inFlight)
}

// count adds to a tenant's unanswered POSTs. The lock is held.
func (f *fitness) count(tenant string, more int) {
	if f.unanswered[tenant] += more; f.unanswered[tenant] == 0 {
		delete(f.unanswered, tenant)
	}
}

// unanswered is how many POSTs are in flight to a webhook that has answered none
// since.
func (w *form) unanswered() int { return min(w.begun, len(w.inFlight)) }

// fit reports whether a webhook may use the fast lane. One that was never tried
// by this process may.
func (f *fitness) fit(webhookID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, known := f.webhooks[webhookID]
	if !known {
		return true
	}
	if w.failed || w.isSlow() {
		return false
	}
	now := f.now()
	for _, began := range w.inFlight {
		if now.Sub(began) > slowAfter {
			return false
		}
	}
	return true
}

// crowded reports that a webhook has as many POSTs in flight as it may have while
// it answers none.
func (f *fitness) crowded(tenant, webhookID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, known := f.webhooks[webhookID]
	if !known {
		return false
	}
	most := unansweredPosts
	if f.unanswered[tenant] >= unansweredOfTenant {
		most = unansweredOfCrowded
	}
	return w.unanswered() >= most
}

// hangs reports that a webhook has many POSTs in flight and has answered none
// for a while: there is no need to wait for their timeouts.
func (f *fitness) hangs(webhookID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, known := f.webhooks[webhookID]
	if !known || len(w.inFlight) < hangingPosts {
		return false
	}
	now := f.now()
	if now.Sub(w.answered) < hangingFor {
		return false
	}
	for _, began := range w.inFlight {
		if now.Sub(began) > hangingFor {
			return true
		}
	}
	return false
}

// makeRoom forgets idle webhooks when there are too many. The lock is held.
func (f *fitness) makeRoom() {
	if len(f.webhooks) < fitnessKept {
		return
	}
	for id, w := range f.webhooks {
		if len(w.inFlight) == 0 {
			delete(f.webhooks, id)
		}
	}
}

// isSlow reports that the 95th percentile of the latest attempts is above
// slowAfter.
func (w *form) isSlow() bool {
	slow := 0
	for _, s := range w.slow {
		if s {
			slow++
		}
	}
	return slow > len(w.slow)*5/100
}
