package models

import (
	"context"
	"time"

	"posthaste/errs"
)

// clocksAgree is what the clocks of this process and of the database may differ by
// and still be called the same. An answer that takes longer than that tells no
// time.
const clocksAgree = time.Second

// Now is the time of the ledger. Moments that one process writes down and another
// one acts on go by it: when a retry is due, whose turn it is under a rate limit.
// It is the clock of this process as long as CheckClock has not found it wrong.
func (s *Store) Now() time.Time { return s.now() }

// CheckClock compares the clock of this process with PostgreSQL's and returns how
// far ahead it is. From then on the ledger's time is PostgreSQL's, if the two are
// apart, so that processes with different clocks agree on it. SQLite has no clock
// but that of the one machine.
//
// Unavailable: the database did not say, or took too long. What was found before
// goes on.
func (s *Store) CheckClock(ctx context.Context) (ahead time.Duration, err error) {
	if s.db.dialect == sqliteDialect {
		return 0, nil
	}
	conn, err := s.db.pools[0].Conn(ctx) // waiting for one is no part of the answer
	if err != nil {
		return 0, s.translate(err)
	}
	defer func() { _ = conn.Close() }() // back to the pool
	var theirs time.Time
	began := s.local()
	err = conn.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&theirs)
	took := s.local().Sub(began)
	switch {
	case err != nil:
		return 0, s.translate(err)
	case took > clocksAgree:
		return 0, errs.New(errs.Unavailable, "The database took %s to tell the time", took.Round(time.Millisecond))
	}
	ahead = began.Add(took / 2).Sub(theirs)
	if ahead.Abs() > clocksAgree {
		s.ahead.Store(int64(ahead))
	} else {
		s.ahead.Store(0)
	}
	return ahead, nil
}
