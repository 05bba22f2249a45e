package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// Hold takes a delivery in hand for an attempt, or keeps it in hand, until then,
// and reports whether it is the caller's. Another process that is given the
// delivery meanwhile, because Temporal has lost sight of the first, gets no for an
// answer; so does one whose delivery has moved on. With ours set the caller has
// it already. Recording the attempt lets it go.
func (s *Store) Hold(ctx context.Context, d Delivery, until time.Time, ours bool) (bool, error) {
	if !couldExist(d.Tenant, d.ID) {
		return false, noDelivery()
	}
	sql := "UPDATE deliveries SET held_until = ? WHERE tenant = ? AND id = ? AND attempts = ? AND settled_at IS NULL"
	args := []any{moment(until), d.Tenant, d.ID, d.Attempts}
	if !ours {
		sql, args = sql+" AND (held_until IS NULL OR held_until <= ?)", append(args, moment(s.now()))
	}
	taken := false
	err := s.writeAll(ctx, func(tx *gorm.DB) error {
		done := tx.Exec(sql, args...)
		taken = done.RowsAffected > 0
		return done.Error
	})
	return taken, err
}
