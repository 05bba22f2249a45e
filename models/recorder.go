package models

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
	"posthaste/failpoint"
)

// Numbers of the grouped commit.
const (
	// maxGroup bounds one transaction: at 200 the fixed cost of a commit is
	// spread so far that more gains nothing.
	maxGroup = 200
	// commitTimeout bounds one transaction of a group, which no caller's context
	// ends, and the wait of one that is settled alone. A database that takes
	// longer is down, or a lock is held for too long to wait here.
	commitTimeout = 15 * time.Second
	// While the database is away a record is tried again after 50 ms, 100 ms,
	// 200 ms and so on, up to a second: a restart is noticed soon, and hundreds
	// of waiting records share few commits.
	firstWait   = 50 * time.Millisecond
	longestWait = time.Second
)

// recorder commits records in groups. While one transaction is under way the
// records that arrive gather; the next transaction takes them all. When none is
// under way a record is committed at once: nothing ever waits for company.
type recorder struct {
	store *Store
	wake  chan struct{} // holds a token while there may be work
	done  chan struct{} // closed when the committer has ended
	slots chan struct{} // bounds the records that are settled alone

	mu       sync.Mutex
	calls    sync.WaitGroup // every call of record that was let in
	waiting  []*entry
	inFlight int
	closed   bool

	commits, records, left atomic.Uint64
}

// newRecorder starts the committer. Records that must leave their group are
// settled alone, so many at once.
func newRecorder(store *Store, aloneAtOnce int) *recorder {
	r := &recorder{
		store: store,
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		slots: make(chan struct{}, aloneAtOnce),
	}
	go r.run()
	return r
}

func (r *recorder) stats() RecorderStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return RecorderStats{
		Commits: r.commits.Load(), Records: r.records.Load(), Alone: r.left.Load(),
		Waiting: len(r.waiting), InFlight: r.inFlight,
	}
}

// errAlone is the committer's answer to a record that could not be stored with
// its group: be it stale, locked, gone or bad, its caller settles it alone.
var errAlone = errors.New("settle this record alone")

// record stores an entry. While the database is away it tries again and again:
// a POST has been made, and if its record were given up the POST would have to
// be repeated.
func (r *recorder) record(ctx context.Context, e *entry) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := r.recordOnce(ctx, e)
		if !errs.Is(err, errs.Unavailable) || ctx.Err() != nil || r.isClosed() {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// recordOnce hands an entry over and waits for its result.
func (r *recorder) recordOnce(ctx context.Context, e *entry) error {
	if err := ctx.Err(); err != nil {
		return translate(err)
	}
	if !r.handOver(e) {
		return unavailable(nil, "The ledger is closed")
	}
	defer r.calls.Done()
	select {
	case err := <-e.result:
		if errors.Is(err, errAlone) {
			return r.settleAlone(ctx, e)
		}
		return err
	case <-ctx.Done():
		return unavailable(ctx.Err(), "The record was not waited for")
	}
}

// handOver queues an entry, unless the recorder is closed.
func (r *recorder) handOver(e *entry) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.calls.Add(1)
	r.waiting = append(r.waiting, e)
	r.signal()
	return true
}

func (r *recorder) signal() {
	select {
	case r.wake <- struct{}{}:
	default: // the committer has been told already
	}
}

func (r *recorder) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// close lets everything that was handed over finish.
func (r *recorder) close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.signal()
	<-r.done
	r.calls.Wait()
}

// run is the committer: the one goroutine that takes groups.
func (r *recorder) run() {
	defer close(r.done)
	for range r.wake {
		for {
			group, closing := r.take()
			if len(group) == 0 {
				if closing {
					return
				}
				break
			}
			r.commitGroup(group)
		}
	}
}

// take removes the next group from the waiting ones: at most maxGroup, and one
// per delivery, since two of the same would both pass the guard.
func (r *recorder) take() (group []*entry, closing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var rest []*entry
	seen := make(map[string]bool, min(len(r.waiting), maxGroup))
	for i, e := range r.waiting {
		if len(group) == maxGroup {
			rest = append(rest, r.waiting[i:]...)
			break
		}
		if seen[e.record.Delivery.ID] {
			rest = append(rest, e)
			continue
		}
		seen[e.record.Delivery.ID] = true
		group = append(group, e)
	}
	r.waiting, r.inFlight = rest, len(group)
	return group, r.closed
}

// commitGroup stores a group and gives each caller its answer. What could not
// be stored with the others, be it the whole group, is left to the callers one
// by one, so that a bad record harms nobody and the committer goes on.
func (r *recorder) commitGroup(group []*entry) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	var moved map[string]bool
	err := r.store.writeAll(ctx, func(tx *gorm.DB) error {
		var err error
		moved, err = r.store.commit(tx, group, false)
		return err
	})
	answer := errAlone
	switch {
	case errs.Is(err, errs.Unavailable):
		moved, answer = nil, err // each one alone would find the same now
	case err != nil:
		moved = nil
		r.store.logger.Warn("a group of records is settled one by one", "records", len(group), "error", err)
	case len(moved) > 0:
		failpoint.Here(failpoint.AfterCommit)
		r.commits.Add(1)
		r.records.Add(uint64(len(moved)))
	}
	for _, e := range group {
		if moved[e.record.Delivery.ID] {
			e.result <- nil
		} else {
			e.result <- answer
		}
	}
}

// settleAlone stores one entry in a transaction of its own.
func (r *recorder) settleAlone(ctx context.Context, e *entry) error {
	r.left.Add(1)
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return unavailable(ctx.Err(), "The record was not waited for")
	}
	err := r.store.settleAlone(ctx, e)
	if err == nil {
		r.commits.Add(1)
		r.records.Add(1)
	}
	return err
}
