package bench

import (
	"sync"
	"sync/atomic"
	"time"
)

// flow is the events of one kind, numbered from 0 in the order in which they were
// begun, and what became of each at every webhook that ought to get it. Its
// tables grow in chunks that never move, so that callers and receiver write
// into them without a lock.
type flow struct {
	began time.Time // of the clock that all moments are read from
	hooks int       // webhooks that take an event

	next   atomic.Int64 // number of the next event
	posts  atomic.Int64 // requests at the receiver, whatever was answered
	mu     sync.Mutex   // of making chunks
	chunks [maxChunks]atomic.Pointer[chunk]
}

const (
	chunkEvents = 1024
	maxChunks   = 4096
)

// chunk holds what is known of 1,024 events. Moments count from began; 0 is
// not yet.
type chunk struct {
	scheduled [chunkEvents]atomic.Int64 // when it was to be sent
	accepted  [chunkEvents]atomic.Int64 // when it was answered with success
	waiting   [chunkEvents]atomic.Pointer[waiter]
	// One place per event and webhook.
	first []atomic.Int64  // when the POST came that the receiver took
	taken []atomic.Uint32 // POSTs that it took
	tries []atomic.Uint32 // POSTs that came
}

// waiter is told when so many deliveries have come.
type waiter struct {
	left atomic.Int64
	done chan struct{} // holds one
}

func newWaiter() *waiter { return &waiter{done: make(chan struct{}, 1)} }

func newFlow(hooks int) *flow { return &flow{began: time.Now(), hooks: hooks} }

// now is the moment, as the tables keep it; never 0.
func (f *flow) now() int64 { return max(int64(time.Since(f.began)), 1) }

// begin takes numbers for events that are to be sent at a moment, and has the
// waiter told when all of their deliveries have come.
func (f *flow) begin(events int, scheduled int64, w *waiter) (first int64) {
	first = f.next.Add(int64(events)) - int64(events)
	if w != nil {
		w.left.Store(int64(events * f.hooks))
	}
	for n := first; n < first+int64(events); n++ {
		c, i := f.make(n)
		c.scheduled[i].Store(max(scheduled, 1))
		c.waiting[i].Store(w)
	}
	return first
}

// accept notes that events were answered with success.
func (f *flow) accept(first int64, events int, at int64) {
	for n := first; n < first+int64(events); n++ {
		c, i := f.at(n)
		c.accepted[i].Store(at)
	}
}

// tried notes a POST, and returns how many there were before it. A number that
// nobody sent is none of ours.
func (f *flow) tried(n int64, hook int) (before uint32, ours bool) {
	if n < 0 || n >= f.next.Load() || hook < 0 || hook >= f.hooks {
		return 0, false
	}
	f.posts.Add(1)
	c, i := f.at(n)
	return c.tries[i*f.hooks+hook].Add(1) - 1, true
}

// arrive notes that the receiver takes a POST.
func (f *flow) arrive(n int64, hook int, at int64) {
	c, i := f.at(n)
	place := i*f.hooks + hook
	c.taken[place].Add(1)
	if !c.first[place].CompareAndSwap(0, at) {
		return // a duplicate
	}
	if w := c.waiting[i].Load(); w != nil && w.left.Add(-1) == 0 {
		w.done <- struct{}{}
	}
}

// at returns where an event stands that was begun.
func (f *flow) at(n int64) (*chunk, int) {
	return f.chunks[n/chunkEvents].Load(), int(n % chunkEvents)
}

// make returns where an event stands, and makes room for it.
func (f *flow) make(n int64) (*chunk, int) {
	slot := &f.chunks[n/chunkEvents]
	if slot.Load() == nil {
		f.mu.Lock()
		if slot.Load() == nil {
			places := chunkEvents * f.hooks
			slot.Store(&chunk{
				first: make([]atomic.Int64, places), taken: make([]atomic.Uint32, places), tries: make([]atomic.Uint32, places),
			})
		}
		f.mu.Unlock()
	}
	return slot.Load(), int(n % chunkEvents)
}
