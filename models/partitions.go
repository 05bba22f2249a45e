package models

import (
	"context"
	"errors"
	"slices"
	"time"

	"gorm.io/gorm"
)

// On PostgreSQL events and attempts lie in one partition per day, in UTC, and in
// a default partition where a day has none. Adding one locks the default
// partition, dropping one the whole table. Traffic that comes meanwhile would
// queue behind whoever waits for such a lock, so nobody waits longer than
// partitionPatience: the lock is had at once or asked for again later.

const day = 24 * time.Hour

const (
	// partitionsAhead is how many days after today have their partitions, so that
	// a week without a prune and without a restart does no harm.
	partitionsAhead = 7
	// partitionPatience is how long a lock is waited for, and with it the longest
	// that traffic waits for us.
	partitionPatience = 50 * time.Millisecond
	// partitionWork bounds each statement under the lock.
	partitionWork = time.Second
	// partitionTries is how often a lock is asked for. Transactions of traffic
	// last milliseconds; only somebody's long one keeps us away.
	partitionTries = 20
	partitionPause = 250 * time.Millisecond
	// sortedAtMost is how many rows of the default partition are moved into one
	// that is added for them. More would hold the lock too long; they stay where
	// they are, which does no harm, until they are pruned.
	sortedAtMost = 10_000
)

// partitionLocks is the space of the advisory lock of whoever changes partitions,
// see webhookLocks.
const partitionLocks = 0x7069

// The partitioned tables.
const (
	eventsTable   = "events"
	attemptsTable = "attempts"
)

// errLater means that a lock could not be had, or that a partition is in use
// after all. Nothing was done; the next run tries again.
var errLater = errors.New("the partition is in use")

// dayOf returns the beginning of a moment's day.
func dayOf(at time.Time) time.Time { return at.UTC().Truncate(day) }

// idFrom returns the lowest id that is made at a moment, or later.
func idFrom(at time.Time) string {
	return timeOrdered(at, make([]byte, 16))[:len("00000000-0000")]
}

// AddPartitions makes the partitions of today and the days to come that are not
// there yet, and those of rows that fell into the default partition, and says
// how many it made. It may be called at any time by any number of processes. On
// SQLite there are none.
func (s *Store) AddPartitions(ctx context.Context) (int, error) {
	if s.db.dialect == sqliteDialect {
		return 0, nil
	}
	made := 0
	today := dayOf(s.now())
	for _, table := range []string{eventsTable, attemptsTable} {
		present, err := s.partitions(ctx, table)
		if err != nil {
			return made, err
		}
		wanted, err := s.strayDays(ctx, table)
		if err != nil {
			return made, err
		}
		for ahead := range partitionsAhead + 1 {
			wanted = append(wanted, today.AddDate(0, 0, ahead))
		}
		for _, at := range wanted {
			if slices.ContainsFunc(present, at.Equal) {
				continue
			}
			if err := s.addPartition(ctx, table, at); err != nil {
				return made, err
			}
			present = append(present, at)
			made++
		}
	}
	return made, nil
}

// addPartitions is AddPartitions for who has a database and no store. One that is
// busy gets them from the first process that starts.
func addPartitions(ctx context.Context, url string) error {
	t, err := parseURL(url)
	if err != nil || t.dialect == sqliteDialect {
		return err
	}
	db, err := t.open(ctx, 1)
	if err != nil {
		return err
	}
	s := &Store{db: db, now: time.Now} //nolint:forbidigo // a migration has no other clock
	if _, err = s.AddPartitions(ctx); errors.Is(err, errLater) {
		err = nil
	}
	return errors.Join(err, db.close())
}

// partitions lists the days that have one, the oldest first.
func (s *Store) partitions(ctx context.Context, table string) ([]time.Time, error) {
	var found []struct{ Day string }
	err := query(s.readAll(ctx), &found, `SELECT right(c.relname, 8) AS day FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = ?::regclass AND c.relname ~ '_\d{8}$' ORDER BY 1`, table)
	if err != nil {
		return nil, s.translate(err)
	}
	days := make([]time.Time, len(found))
	for i, f := range found {
		if days[i], err = time.Parse("20060102", f.Day); err != nil {
			return nil, s.translate(err)
		}
	}
	return days, nil
}

// strayDays lists the days of which the default partition has rows, but not too
// many to move.
func (s *Store) strayDays(ctx context.Context, table string) ([]time.Time, error) {
	at := "accepted_at"
	if table == attemptsTable {
		at = "to_timestamp(('x' || translate(left(id, 13), '-', ''))::bit(48)::bigint / 1000.0)"
	}
	var found []struct{ Day time.Time }
	err := query(s.readAll(ctx), &found, "SELECT date_trunc('day', "+at+", 'UTC') AS day FROM "+table+
		"_default GROUP BY 1 HAVING COUNT(*) <= ? ORDER BY 1", sortedAtMost)
	days := make([]time.Time, len(found))
	for i, f := range found {
		days[i] = f.Day.UTC()
	}
	return days, s.translate(err)
}

func (s *Store) addPartition(ctx context.Context, table string, at time.Time) error {
	return s.brieflyLocked(ctx, func(tx *gorm.DB) error {
		var there []bool
		name := partitionName(table, at)
		if err := query(tx, &there, "SELECT to_regclass(?) IS NOT NULL", name); err != nil || there[0] {
			return err
		}
		return tx.Exec("SELECT posthaste_add_partition(?, ?::date)", table, at.Format(time.DateOnly)).Error
	})
}

// dropPartition drops the partition of a day if, with nobody else at the table,
// unused still says that it may go. It is errLater when the table is busy or the
// partition is not unused.
func (s *Store) dropPartition(ctx context.Context, table string, at time.Time, unused func(tx *gorm.DB) (bool, error)) error {
	return s.brieflyLocked(ctx, func(tx *gorm.DB) error {
		var there []bool
		name := partitionName(table, at)
		if err := query(tx, &there, "SELECT to_regclass(?) IS NOT NULL", name); err != nil || !there[0] {
			return err
		}
		// ONLY, since all ways to a partition lead through its parent.
		if err := tx.Exec("LOCK TABLE ONLY " + table + " IN ACCESS EXCLUSIVE MODE").Error; err != nil {
			return err
		}
		free, err := unused(tx)
		if err != nil {
			return err
		}
		if !free {
			return errLater
		}
		return tx.Exec("DROP TABLE " + name).Error
	})
}

func partitionName(table string, at time.Time) string {
	return table + "_" + at.UTC().Format("20060102")
}

// brieflyLocked runs fn in a transaction that waits for no lock longer than
// traffic can bear, and again while it could not have one.
func (s *Store) brieflyLocked(ctx context.Context, fn func(tx *gorm.DB) error) error {
	for try := 1; ; try++ {
		err := s.db.writer.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			err := tx.Exec("SELECT set_config('lock_timeout', ?, true), set_config('statement_timeout', ?, true)",
				partitionPatience.String(), partitionWork.String()).Error
			if err != nil {
				return err
			}
			err = tx.Exec("SELECT pg_advisory_xact_lock(?::int, hashtext(current_schema()))", partitionLocks).Error
			if err != nil {
				return err
			}
			return fn(tx)
		})
		if !isContended(err) {
			if errors.Is(err, errLater) {
				return err
			}
			return s.translate(err)
		}
		if try == partitionTries {
			return errLater
		}
		if err := wait(ctx, partitionPause+time.Duration(try)*time.Millisecond); err != nil {
			return s.translate(err)
		}
	}
}

// isContended reports that a lock or an answer under one could not be had in
// time.
func isContended(err error) bool {
	return slices.Contains([]string{pgLockTimeout, pgStatementTimeout, pgDeadlock}, pgState(err))
}

const (
	pgLockTimeout      = "55P03"
	pgStatementTimeout = "57014"
)

// wait returns after a time, or earlier with the error of a context that ends.
func wait(ctx context.Context, span time.Duration) error {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
