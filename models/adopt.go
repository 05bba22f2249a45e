package models

import (
	"context"

	"gorm.io/gorm"

	"posthaste/errs"
)

// Adopt gives a delivery that has not settled to another workflow, because the
// one that had it has ended: it goes on where it stands, and is due at once. Asked
// again by the same
// workflow, it returns the delivery as it is. Conflict when it has settled, or
// belongs to a third workflow, meanwhile.
func (s *Store) Adopt(ctx context.Context, tenant, deliveryID, from, to string) (Delivery, error) {
	var d Delivery
	err := s.writeAs(ctx, tenant, func(tx *gorm.DB) error {
		var err error
		if d, err = s.delivery(tx, tenant, deliveryID, s.db.dialect.lock("d", false)); err != nil {
			return err
		}
		switch {
		case d.WorkflowID == to:
			return nil
		case d.State.Settled():
			return errs.New(errs.Conflict, "The delivery is %s already", d.State)
		case d.WorkflowID != from:
			return errs.New(errs.Conflict, "The delivery has another workflow by now")
		}
		d.WorkflowID, d.NextAttemptAt, d.UpdatedAt = to, nil, s.now()
		return tx.Exec("UPDATE deliveries SET workflow_id = ?, next_attempt_at = NULL, updated_at = ? WHERE id = ?", to, moment(d.UpdatedAt), d.ID).Error
	})
	if err != nil {
		return Delivery{}, err
	}
	return d, nil
}
