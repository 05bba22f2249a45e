package bench

import (
	"slices"
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

	next     atomic.Int64 // number of the next event
	accepted atomic.Int64 // when the last answer with success came
	posts    atomic.Int64 // requests at the receiver, whatever was answered
	mu       sync.Mutex   // of making chunks
	chunks   atomic.Pointer[[]*chunk]
}

const chunkEvents = 1024

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

func newFlow(hooks int) *flow {
	f := &flow{began: time.Now(), hooks: hooks}
	f.chunks.Store(new([]*chunk))
	return f
}

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
		c, i := f.roomFor(n)
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
	f.accepted.Store(at)
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
	return (*f.chunks.Load())[n/chunkEvents], int(n % chunkEvents)
}

// roomFor returns where an event stands, and makes room for it.
func (f *flow) roomFor(n int64) (*chunk, int) {
	if n/chunkEvents >= int64(len(*f.chunks.Load())) {
		f.growTo(n)
	}
	return f.at(n)
}

// growTo replaces the list of chunks by a longer one: who reads the old one
// looks for nothing that is not in it.
func (f *flow) growTo(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	chunks := slices.Clone(*f.chunks.Load())
	places := chunkEvents * f.hooks
	for n/chunkEvents >= int64(len(chunks)) {
		chunks = append(chunks, &chunk{
			first: make([]atomic.Int64, places), taken: make([]atomic.Uint32, places), tries: make([]atomic.Uint32, places),
		})
	}
	f.chunks.Store(&chunks)
}
