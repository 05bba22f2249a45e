package activities

import "sync"

// underway is the deliveries whose attempt this process is making, the writing
// of its outcome included. While the database is away an outcome waits here in
// memory for longer than Temporal waits for the activity, and Temporal has the
// delivery tried again: it must not be sent again by the process that still
// holds its outcome.
type underway struct {
	mu         sync.Mutex
	deliveries map[string]bool
}

func newUnderway() *underway { return &underway{deliveries: map[string]bool{}} }

// begin takes those of the deliveries that are not under way, until end is
// called. It must come before the ledger is read: what was read while another
// attempt was being recorded is out of date.
func (u *underway) begin(refs []DeliveryRef) (free []DeliveryRef, end func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, ref := range refs {
		if !u.deliveries[ref.DeliveryID] {
			u.deliveries[ref.DeliveryID] = true
			free = append(free, ref)
		}
	}
	return free, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, ref := range free {
			delete(u.deliveries, ref.DeliveryID)
		}
	}
}
