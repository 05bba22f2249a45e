package activities

import (
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"
)

// Waits after a fault of ours, such as a database that is away: short at first,
// then half as long as the fault has lasted, so that deliveries which came due
// meanwhile neither hammer what is down nor come late once it is up.
const (
	shortestFaultWait = time.Second
	longestFaultWait  = 15 * time.Second
)

// faults knows since when this process fails by itself.
type faults struct {
	now    func() time.Time
	spread func() float64
	mu     sync.Mutex
	since  time.Time // zero while all is well
}

func newFaults(now func() time.Time, spread func() float64) *faults {
	return &faults{now: now, spread: spread}
}

// over notes that something worked.
func (f *faults) over() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = time.Time{}
}

// wait returns how long to wait after a fault, spread by jitter.
func (f *faults) wait() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if f.since.IsZero() {
		f.since = now
	}
	wait := min(max(now.Sub(f.since)/2, shortestFaultWait), longestFaultWait)
	return time.Duration(float64(wait) * (0.8 + 0.4*f.spread()))
}

// ourFault is temporalError in the durable lane, whose retry policy is for lost
// workers alone.
func (a *Activities) ourFault(what, deliveryID string, err error) error {
	err = temporalError(fmt.Errorf("%s %s: %w", what, deliveryID, err))
	if final, ok := err.(*temporal.ApplicationError); ok && final.NonRetryable() { //nolint:errorlint // as temporalError made it
		return err
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), ErrorOurs, temporal.ApplicationErrorOptions{
		NextRetryDelay: a.faults.wait(), Cause: err,
	})
}
