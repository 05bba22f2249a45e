package models

import (
	"context"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// slotHolds is how long after its time a slot may still be used: Temporal's
// timers are up to a second late, and a busy worker adds to that. Deliveries that
// come later, after an outage say, line up anew instead of going all at once.
const slotHolds = 10 * time.Second

// Pace reserves the next free slot under a webhook's rate limit for a delivery
// and returns it: when the delivery may be sent, now or in the future. Slots of
// a webhook lie 1/perSecond apart, whichever process asks for them; time that
// passes unused is not saved up. A delivery that has a slot keeps it until an
// attempt of it is recorded, it is opened again, the slot is long past, or the
// line that it was taken in is no more (leavesLine).
//
// Conflict: the delivery has moved on since it was loaded. NotFound: it is gone,
// with its webhook.
func (s *Store) Pace(ctx context.Context, d Delivery, webhookID string, perSecond int) (time.Time, error) {
	if perSecond <= 0 {
		return time.Time{}, errs.New(errs.Internal, "A webhook without a rate limit has no slots")
	}
	if !couldExist(d.Tenant, d.ID, webhookID) {
		return time.Time{}, noDelivery()
	}
	var slot time.Time
	err := s.writeAll(ctx, func(tx *gorm.DB) error {
		var err error
		slot, err = s.pace(tx, d, webhookID, time.Second/time.Duration(perSecond))
		return err
	})
	return slot, err
}

// pace holds the webhook's row first and the delivery's second, the order that
// commit takes them in.
func (s *Store) pace(tx *gorm.DB, d Delivery, webhookID string, interval time.Duration) (time.Time, error) {
	var webhooks []struct{ PacedUntil *moment }
	err := query(tx, &webhooks, "SELECT paced_until FROM webhooks WHERE tenant = ? AND id = ?"+
		s.db.dialect.lock("webhooks", false), d.Tenant, webhookID)
	if err != nil {
		return time.Time{}, err
	}
	var rows []deliveryRow
	err = query(tx, &rows, "SELECT state, attempts, slot_at FROM deliveries WHERE tenant = ? AND id = ? AND webhook_id = ?"+
		s.db.dialect.lock("deliveries", false), d.Tenant, d.ID, webhookID)
	switch {
	case err != nil:
		return time.Time{}, err
	case len(webhooks) == 0 || len(rows) == 0:
		return time.Time{}, noDelivery()
	case rows[0].State != string(d.State) || rows[0].Attempts != d.Attempts:
		return time.Time{}, errs.New(errs.Conflict, "The delivery has moved on: it is %s after %d attempts, not %s after %d",
			rows[0].State, rows[0].Attempts, d.State, d.Attempts)
	}
	slot := s.now() // the next one that is free
	if until := timePtr(webhooks[0].PacedUntil); until != nil && until.After(slot) {
		slot = *until
	}
	// In a line each slot lies before the free one. One that does not was given
	// out by a slower limit, since lifted.
	if taken := timePtr(rows[0].SlotAt); taken != nil && taken.After(s.now().Add(-slotHolds)) && !taken.After(slot) {
		return *taken, nil
	}
	if err := tx.Exec("UPDATE webhooks SET paced_until = ? WHERE id = ?", moment(slot.Add(interval)), webhookID).Error; err != nil {
		return time.Time{}, err
	}
	return slot, tx.Exec("UPDATE deliveries SET slot_at = ? WHERE id = ?", moment(slot), d.ID).Error
}

// leavesLine reports whether a change of a webhook ends the line that its
// deliveries wait in: it says how far apart they go, or that they go again.
func leavesLine(before, after *Webhook) bool {
	return after.MaxPerSecond != before.MaxPerSecond || after.Status == StatusActive && before.Status != StatusActive
}
