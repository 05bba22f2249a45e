package models

import (
	"context"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// A delivery that has settled goes another round when a person asks for it
// ("send again", a replay). A round that is cancelled before one of its attempts
// has settled the delivery, or that ends because the webhook is no longer active,
// leaves it in the state it had: the receiver still has what it had, and the next
// replay still finds what it has not. Until the next round the column
// reopened_from tells such a delivery from one that its round has settled.

// Reopen makes a settled delivery pending again, for another round of attempts
// ("send again") by the workflow named, and returns it. Asked again by the same
// workflow, it returns the delivery as it is. Conflict when the delivery is under
// way in another workflow.
func (s *Store) Reopen(ctx context.Context, tenant, deliveryID, workflowID string) (Delivery, error) {
	var d Delivery
	err := s.writeAs(ctx, tenant, func(tx *gorm.DB) error {
		var err error
		if d, err = s.delivery(tx, tenant, deliveryID, s.db.dialect.lock("d", false)); err != nil {
			return err
		}
		if d.WorkflowID == workflowID {
			return nil
		}
		if d.State, err = Advance(d.State, StepReopen); err != nil {
			return err
		}
		d.reopen(d.State, workflowID, s.now())
		return tx.Exec(reopenDeliveries+"id = ?", string(d.State), workflowID, moment(d.UpdatedAt), d.ID).Error
	})
	if err != nil {
		return Delivery{}, err
	}
	return d, nil
}

// reopenDeliveries begins another round of the deliveries that its condition
// names; reopen does the same to one that was read.
const reopenDeliveries = `UPDATE deliveries SET reopened_from = state, state = ?, workflow_id = ?, round_start = attempts,
	next_attempt_at = NULL, slot_at = NULL, held_until = NULL, settled_at = NULL, updated_at = ? WHERE `

func (d *Delivery) reopen(to State, workflowID string, at time.Time) {
	d.State, d.WorkflowID, d.RoundStart, d.UpdatedAt = to, workflowID, d.Attempts, at
	d.NextAttemptAt, d.SlotAt, d.HeldUntil, d.SettledAt = nil, nil, nil, nil
}

// Of a delivery d that is moved as v says: the state that it comes to, what is
// kept of the one before its round, and the reason. Only a cancelled round leads to
// the state cancelled, and only an inactive webhook to skipped. What was skipped
// before is simply skipped once more.
const (
	movedTo     = "CASE WHEN v.to_state IN ('cancelled', 'skipped') AND d.reopened_from <> '' THEN d.reopened_from ELSE v.to_state END"
	movedFrom   = "CASE WHEN v.settled_at IS NULL OR v.to_state = 'cancelled' OR " + resendSkipped + " THEN d.reopened_from ELSE '' END"
	movedReason = "CASE WHEN " + resendSkipped + " THEN '" + ReasonResendSkipped + "' ELSE v.reason END"

	resendSkipped = "(v.to_state = 'skipped' AND d.reopened_from NOT IN ('', 'skipped'))"
)

// Reasons of a delivery that is again as it was before a round: why an attempt of
// that one failed, or why there was none, does not explain the state.
const (
	// ReasonResendCancelled: it was cancelled after attempts that had failed.
	ReasonResendCancelled = "resend_cancelled"
	// ReasonResendSkipped: its webhook was no longer active. It tells such an end
	// from a cancellation, so one without attempts does not leave it standing.
	ReasonResendSkipped = "resend_skipped"
)

// Cancel stops the deliveries among those named that still wait: one that was
// reopened is again what it was before, any other is cancelled. Those that are
// being sent, are settled or are not the tenant's (any more) stay as they are.
func (s *Store) Cancel(ctx context.Context, tenant string, deliveryIDs []string) error {
	if len(deliveryIDs) == 0 {
		return nil
	}
	if !couldExist(append([]string{tenant}, deliveryIDs...)...) {
		return nil
	}
	wanted := distinct(deliveryIDs)
	return s.writeAs(ctx, tenant, func(tx *gorm.DB) error {
		condition, arg := s.db.dialect.in("d.id", wanted)
		found, err := s.deliveries(tx, "WHERE "+s.db.dialect.unindexed("d.tenant")+" = ? AND "+condition+" ORDER BY d.id"+s.db.dialect.lock("d", false),
			tenant, arg)
		if err != nil {
			return err
		}
		return s.cancelFound(tx, found)
	})
}

// cancelFound says of each when the round ended, and not when the one before had:
// sending it again is another request each time, known by that moment.
func (s *Store) cancelFound(tx *gorm.DB, found []Delivery) error {
	var waiting []string
	cancelled := StateCancelled
	for _, d := range found {
		to, err := Advance(d.State, StepCancel)
		if errs.Is(err, errs.Conflict) {
			continue
		}
		cancelled, waiting = to, append(waiting, d.ID)
	}
	if len(waiting) == 0 {
		return nil
	}
	now := moment(s.now())
	condition, arg := s.db.dialect.in("id", waiting)
	return tx.Exec(`UPDATE deliveries SET state = CASE WHEN reopened_from <> '' THEN reopened_from ELSE ? END,
		reason = CASE WHEN reopened_from <> '' AND (attempts > round_start OR reason = '`+ReasonResendSkipped+`') THEN ? ELSE reason END,
		next_attempt_at = NULL, updated_at = ?, settled_at = ? WHERE `+condition,
		string(cancelled), ReasonResendCancelled, now, now, arg).Error
}

func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	var list []string
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			list = append(list, id)
		}
	}
	return list
}
