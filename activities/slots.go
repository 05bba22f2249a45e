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
	// the durable lane.
	fastPatience = 500 * time.Millisecond
	// durableShare is the part of the durable lane that one webhook may hold: a
	// tenth. Nine others can hang before the eleventh waits.
	durableShare = 10
	// A tenant may hold a quarter of the fast lane and half of the durable lane of
	// a process, with however many webhooks.
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
// whether it got one. The caller gives it back by calling release.
func (s *slots) take(ctx context.Context, key string) (release func(), ok bool) {
	place := s.join(key)
	select {
	case <-place.free:
		return func() { place.free <- struct{}{}; s.leave(key) }, true
	default:
	}
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case <-place.free:
		return func() { place.free <- struct{}{}; s.leave(key) }, true
	case <-timer.C:
	case <-ctx.Done():
	}
	s.leave(key)
	return nil, false
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
