package models

import (
	"context"
	"errors"
	"sync"
	"time"

	"gorm.io/gorm"
)

const (
	// pruneBatch is how many rows one transaction deletes: so few that on SQLite,
	// with its one writer, others wait some milliseconds.
	pruneBatch = 250
	// prunePace is how many rows are deleted in a second at most.
	prunePace = 5000
	// pruneShare is how much longer a pause is than the batch before it: a
	// database that is slow, because it has much to do, is left alone for longer.
	pruneShare    = 4
	prunePauseMax = 5 * time.Second
)

// Pruned is what a prune deleted.
type Pruned struct {
	Events     int64 `json:"events"` // rows that went one by one, not with a partition
	Deliveries int64 `json:"deliveries"`
	Attempts   int64 `json:"attempts"` // the same
	Audit      int64 `json:"audit"`
	Rollups    int64 `json:"rollups"`
	Replays    int64 `json:"replays"`
	Partitions int64 `json:"partitions"` // dropped with all their rows
	// Postponed counts partitions that should have gone and were in use. The next
	// run drops them.
	Postponed int64 `json:"postponed,omitempty"`
}

// Plus adds what two runs deleted.
func (p Pruned) Plus(more Pruned) Pruned {
	return Pruned{
		Events: p.Events + more.Events, Deliveries: p.Deliveries + more.Deliveries, Attempts: p.Attempts + more.Attempts,
		Audit: p.Audit + more.Audit, Rollups: p.Rollups + more.Rollups, Replays: p.Replays + more.Replays,
		Partitions: p.Partitions + more.Partitions, Postponed: p.Postponed + more.Postponed,
	}
}

// PruneStats counts what this store has pruned since it was opened, for metrics.
type PruneStats struct {
	Pruned
	LastRun time.Time // the end of the last complete run; zero = none yet
}

type pruned struct {
	mu    sync.Mutex
	stats PruneStats
}

// PruneStats returns what was pruned since Open.
func (s *Store) PruneStats() PruneStats {
	s.pruned.mu.Lock()
	defer s.pruned.mu.Unlock()
	return s.pruned.stats
}

// pruning is one run.
type pruning struct {
	*Store
	retention
	done     Pruned
	progress func(Pruned)
}

// Prune forgets what was old at a moment: deliveries that have settled with
// their attempts, the events all of whose deliveries are gone, replays that have
// ended, and much later rollups and the audit log. It goes in small steps with pauses between them, so
// that traffic does not feel it, and tells progress after each; progress may be
// nil. It may end early at any time (with what it did) and be run again: what is
// gone is not looked at twice. Two at once do no harm.
//
// A delivery that is under way keeps its event and its attempts, whatever their
// age.
func (s *Store) Prune(ctx context.Context, at time.Time, progress func(Pruned)) (Pruned, error) {
	r, err := s.retention(ctx, at)
	if err != nil {
		return Pruned{}, err
	}
	if progress == nil {
		progress = func(Pruned) {}
	}
	p := &pruning{Store: s, retention: r, progress: progress}
	for _, step := range []func(context.Context) error{p.days, p.attempts, p.replays, p.outlived} {
		if err := step(ctx); err != nil {
			return p.done, s.translate(err)
		}
	}
	s.pruned.mu.Lock()
	defer s.pruned.mu.Unlock()
	s.pruned.stats.LastRun = s.now()
	return p.done, nil
}

// count adds to what was done, and tells.
func (p *pruning) count(more Pruned) {
	p.done = p.done.Plus(more)
	p.pruned.mu.Lock()
	p.pruned.stats.Pruned = p.pruned.stats.Plus(more)
	p.pruned.mu.Unlock()
	p.progress(p.done)
}

// batchDone is what one batch deleted. When it is stored, next goes on to the one
// after it; nil = that was the last.
type batchDone struct {
	Pruned
	next func()
}

// again is for steps that find the next batch where the last one was.
func again(rows int64) func() {
	if rows < pruneBatch {
		return nil
	}
	return func() {}
}

// batches runs a step, each time in a transaction of its own, until it says that
// nothing is left. It pauses after each that deleted something.
func (p *pruning) batches(ctx context.Context, step func(tx *gorm.DB) (batchDone, error)) error {
	for {
		var done batchDone
		began := time.Now() //nolint:forbidigo // how long a batch takes is no matter of the clock that is passed in
		err := p.writeAll(ctx, func(tx *gorm.DB) error {
			var err error
			done, err = step(tx)
			return err
		})
		if err != nil {
			return err
		}
		p.count(done.Pruned)
		rows := done.Events + done.Deliveries + done.Attempts + done.Audit + done.Rollups + done.Replays
		if rows > 0 {
			pause := max(time.Duration(rows)*time.Second/prunePace, pruneShare*time.Since(began)) //nolint:forbidigo // see above
			if err := wait(ctx, min(pause, prunePauseMax)); err != nil {
				return err
			}
		}
		if done.next == nil {
			return nil
		}
		done.next()
	}
}

// drop drops a partition that nobody needs any more, if it can.
func (p *pruning) drop(ctx context.Context, table string, at time.Time, unused func(tx *gorm.DB) (bool, error)) error {
	free, err := unused(p.readAll(ctx)) // a look without the lock costs nobody anything
	if err != nil || !free {
		return err
	}
	switch err := p.dropPartition(ctx, table, at, unused); {
	case errors.Is(err, errLater):
		p.count(Pruned{Postponed: 1})
		return nil
	case err != nil:
		return err
	}
	p.count(Pruned{Partitions: 1})
	return nil
}

// none reports whether a query finds no row.
func none(tx *gorm.DB, sql string, args ...any) (bool, error) {
	var found []int
	err := query(tx, &found, "SELECT 1 FROM "+sql+" LIMIT 1", args...)
	return len(found) == 0, err
}

// outlived deletes what is kept longer than attempts.
func (p *pruning) outlived(ctx context.Context) error {
	audit, rollups := p.retention.outlived(auditKept), p.retention.outlived(rollupsKept)
	err := p.batches(ctx, func(tx *gorm.DB) (batchDone, error) {
		done := tx.Exec("DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ? ORDER BY id LIMIT ?)", idFrom(audit), pruneBatch)
		return batchDone{Pruned{Audit: done.RowsAffected}, again(done.RowsAffected)}, done.Error
	})
	if err != nil {
		return err
	}
	return p.batches(ctx, func(tx *gorm.DB) (batchDone, error) {
		done := tx.Exec(`DELETE FROM rollups WHERE (webhook_id, hour, slot) IN
			(SELECT webhook_id, hour, slot FROM rollups WHERE hour < ? ORDER BY hour LIMIT ?)`, moment(rollups), pruneBatch)
		return batchDone{Pruned{Rollups: done.RowsAffected}, again(done.RowsAffected)}, done.Error
	})
}
