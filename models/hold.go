package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// Who has a delivery in hand is written and judged by one clock, so that the
// clocks of two machines may differ: PostgreSQL's own, or that of the one
// process that has a SQLite file open.

// heldSpan is the column of a batch that says for how long a delivery is held,
// in microseconds; NULL lets it go.
const heldSpan = "held_for"

// heldUntil is the SQL for the end of a batch's heldSpan.
func (d dialect) heldUntil() string {
	if d == postgresDialect {
		return "clock_timestamp() + v." + heldSpan + " * interval '1 microsecond'"
	}
	// As a moment is written; without a span it is NULL.
	return "strftime('%Y-%m-%dT%H:%M:%f000Z', v.updated_at, (v." + heldSpan + " / 1000000.0) || ' seconds')"
}

// heldFor is the SQL for how many microseconds a delivery d is still held, by
// the database's clock; NULL where that has none of its own.
func (d dialect) heldFor() string {
	if d == postgresDialect {
		return "CAST(EXTRACT(EPOCH FROM d.held_until - clock_timestamp()) * 1000000 AS bigint)"
	}
	return "CAST(NULL AS integer)"
}

// heldFor is how long a delivery is still in somebody's hand; 0 = nobody has it.
func (s *Store) heldFor(row *dueRow) time.Duration {
	switch {
	case row.Delivery.HeldUntil == nil:
		return 0
	case row.HeldMicros != nil:
		return max(time.Duration(*row.HeldMicros)*time.Microsecond, 0)
	}
	return max(time.Time(*row.Delivery.HeldUntil).Sub(s.now()), 0)
}

// Hold takes a delivery in hand for an attempt, or keeps it in hand, for so long
// from now, and reports whether it is the caller's. Another process that is given
// the delivery meanwhile, because Temporal has lost sight of the first, gets no
// for an answer; so does one whose delivery has moved on. With ours set the
// caller has it already. Recording the attempt lets it go.
func (s *Store) Hold(ctx context.Context, d Delivery, span time.Duration, ours bool) (bool, error) {
	if !couldExist(d.Tenant, d.ID) {
		return false, noDelivery()
	}
	taken := false
	err := s.writeAll(ctx, func(tx *gorm.DB) error {
		until, over := any(moment(s.now().Add(span))), any(moment(s.now()))
		if s.db.dialect == postgresDialect {
			until = gorm.Expr("clock_timestamp() + CAST(? AS bigint) * interval '1 microsecond'", span.Microseconds())
			over = gorm.Expr("clock_timestamp()")
		}
		sql := "UPDATE deliveries SET held_until = ? WHERE tenant = ? AND id = ? AND attempts = ? AND settled_at IS NULL"
		args := []any{until, d.Tenant, d.ID, d.Attempts}
		if !ours {
			sql, args = sql+" AND (held_until IS NULL OR held_until <= ?)", append(args, over)
		}
		done := tx.Exec(sql, args...)
		taken = done.RowsAffected > 0
		return done.Error
	})
	return taken, err
}
