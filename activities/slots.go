package activities

import (
	"context"
	"sync"
	"time"
)

const (
	// fastPerWebhook is how many POSTs one webhook may have in flight in the
	// fast lane of one process. A hanging receiver can hold no more than these.
	fastPerWebhook = 16
	// fastPatience is how long a delivery waits for such a slot before it goes
	// the durable lane, as long as its webhook answers: a burst that a webhook takes
	// within some seconds costs Temporal nothing more this way, and three writes an
	// event the other. It leaves a POST its second before Temporal asks whether the
	// workflow task is still being worked on.
	fastPatience = 5 * time.Second
	// worthEvery is how often somebody who waits for a slot looks whether that is
	// still worth it.
	worthEvery = 100 * time.Millisecond
	// durableShare is the part of the durable lane that one webhook may hold: a
	// tenth. Nine others can hang before the eleventh waits.
	durableShare = 10
	// A tenant may hold a quarter of the fast lane and half of the durable lane of
	// a process, with however many webhooks: of the fast lane a quarter of the POSTs
	// in flight, and of the calls that make them or wait to.
	fastTenantShare    = 4
	durableTenantShare = 2
)

// slots caps what runs at once for one key. A key that nobody uses takes no
// memory.
type slots struct {
	size     int
	patience time.Duration
	mu       sync.Mutex
	keys     map[string]*slot
}

type slot struct {
	free  chan struct{} // holds one token per free place
	users int           // who holds or waits
}

func newSlots(size int, patience time.Duration) *slots {
	return &slots{size: size, patience: patience, keys: map[string]*slot{}}
}

// take waits for a place of the key for at most the patience, and reports
// whether it got one. It gives up early when waiting is worth nothing any more;
// nil = it always is. The caller gives the place back by calling release.
func (s *slots) take(ctx context.Context, key string, worth func() bool) (release func(), ok bool) {
	place := s.join(key)
	select {
	case <-place.free:
	default:
		if s.patience == 0 || !s.await(ctx, place, worth) {
			s.leave(key)
			return nil, false
		}
	}
	return func() { place.free <- struct{}{}; s.leave(key) }, true
}

func (s *slots) await(ctx context.Context, place *slot, worth func() bool) bool {
	patience, look := time.NewTimer(s.patience), time.NewTicker(worthEvery)
	defer patience.Stop()
	defer look.Stop()
	for {
		select {
		case <-place.free:
			return true
		case <-look.C:
			if worth != nil && !worth() {
				return false
			}
		case <-patience.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// full reports that the key has no place left just now.
func (s *slots) full(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, used := s.keys[key]
	return used && len(place.free) == 0
}

func (s *slots) join(key string) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	place, ok := s.keys[key]
	if !ok {
		place = &slot{free: make(chan struct{}, s.size)}
		for range s.size {
			place.free <- struct{}{}
		}
		s.keys[key] = place
	}
	place.users++
	return place
}

func (s *slots) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys[key].users--; s.keys[key].users == 0 {
		delete(s.keys, key)
	}
}
