package models

import (
	"context"

	"gorm.io/gorm"

	"posthaste/errs"
)

// Lose records a delivery unknown that was claimed to be sent at most once, and
// whose workflow has ended since: no worker will find out that it is lost. The
// caller, who knows of the workflow, gives the delivery as it was loaded; asked
// again, it returns the delivery as it is. Conflict when a worker has it in hand
// even so, and when it has moved on, to another workflow above all.
func (s *Store) Lose(ctx context.Context, d Delivery, reason string) (Delivery, error) {
	var lost Delivery
	err := s.writeAs(ctx, d.Tenant, func(tx *gorm.DB) error {
		var err error
		if lost, err = s.delivery(tx, d.Tenant, d.ID, s.db.dialect.lock("d", false)); err != nil {
			return err
		}
		if lost.WorkflowID != d.WorkflowID {
			return errs.New(errs.Conflict, "The delivery has another workflow by now")
		}
		if lost.State == StateUnknown {
			return nil
		}
		if err := s.mustBeLetGo(tx, lost); err != nil {
			return err
		}
		e, err := s.prepare(Record{Delivery: lost, Step: StepLose, Reason: reason})
		if err != nil {
			return err
		}
		done, err := s.commit(tx, []*entry{e}, true)
		if err != nil {
			return err
		}
		if !done[d.ID] {
			return errs.New(errs.Conflict, "The delivery has moved on")
		}
		lost, err = s.delivery(tx, d.Tenant, d.ID, "")
		return err
	})
	if err != nil {
		return Delivery{}, err
	}
	return lost, nil
}

// mustBeLetGo refuses a delivery that a process has in hand (Hold).
func (s *Store) mustBeLetGo(tx *gorm.DB, d Delivery) error {
	var held []dueRow
	err := query(tx, &held, "SELECT d.held_until AS d_held_until, "+s.db.dialect.heldFor()+" AS held_micros FROM deliveries d WHERE d.id = ?", d.ID)
	if err != nil {
		return err
	}
	for i := range held {
		if s.heldFor(&held[i]) > 0 {
			return errs.New(errs.Conflict, "The delivery is being sent right now")
		}
	}
	return nil
}
