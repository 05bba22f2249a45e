package models

import (
	"context"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// fromDeliveries is how a delivery is read: with its webhook's name and URL.
var fromDeliveries = "SELECT " + selectList("d", "", deliveryColumns) +
	", w.name AS webhook_name, w.url AS webhook_url FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id "

// MaxEventDeliveries caps one call of EventDeliveries.
const MaxEventDeliveries = 1000

// EventDeliveries returns deliveries of an event in the order of their ids,
// from the one after afterID on ("" = from the first): pages for workflows.
// There is no error when the event has none.
func (s *Store) EventDeliveries(ctx context.Context, tenant, eventID, afterID string, limit int) ([]Delivery, error) {
	if !couldExist(tenant, eventID) {
		return nil, nil
	}
	if limit <= 0 {
		limit = MaxPage
	}
	var list []Delivery
	err := s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		var err error
		list, err = s.deliveriesAfter(tx, tenant, eventID, afterID, min(limit, MaxEventDeliveries))
		return err
	})
	return list, err
}

func (s *Store) deliveriesAfter(tx *gorm.DB, tenant, eventID, afterID string, limit int) ([]Delivery, error) {
	return s.deliveries(tx, "WHERE d.tenant = ? AND d.event_id = ? AND d.id > ? ORDER BY d.id LIMIT ?",
		tenant, eventID, afterID, limit)
}

// DeliveriesOf lists the deliveries of an event, in the order of their ids.
// NotFound when the tenant has no such event.
func (s *Store) DeliveriesOf(ctx context.Context, tenant, eventID string, limit int, cursor string) (Page[Delivery], error) {
	after, err := decodeCursor(listDeliveries, cursor)
	if err != nil {
		return Page[Delivery]{}, err
	}
	afterID := ""
	if after != nil {
		afterID = after.id
	}
	limit = pageLimit(limit)
	var list []Delivery
	err = s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		err := s.mustHaveEvent(tx, tenant, eventID)
		if err == nil {
			list, err = s.deliveriesAfter(tx, tenant, eventID, afterID, limit+1)
		}
		return err
	})
	if err != nil {
		return Page[Delivery]{}, err
	}
	return pageOf(listDeliveries, list, limit, func(d Delivery) position { return position{id: d.ID} }), nil
}

// Delivery returns one delivery and its attempts, first one first, whole.
func (s *Store) Delivery(ctx context.Context, tenant, id string) (Delivery, []Attempt, error) {
	var d Delivery
	var rows []attemptRow
	err := s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		var err error
		if d, err = s.delivery(tx, tenant, id, ""); err != nil {
			return err
		}
		const all = "SELECT * FROM attempts WHERE tenant = ? AND delivery_id = ?"
		// An attempt is no older than its event, whose time the id begins with; so
		// the days before need not be asked, unless a clock was wrong.
		if at, ok := timeOfID(id); ok {
			err = query(tx, &rows, all+" AND id >= ? ORDER BY number", tenant, id, idFrom(at.Add(-idSlack)))
			if err != nil || len(rows) >= d.Attempts {
				return err
			}
		}
		return query(tx, &rows, all+" ORDER BY number", tenant, id)
	})
	if err != nil {
		return Delivery{}, nil, err
	}
	attempts, err := s.attemptsFromRows(rows)
	return d, attempts, err
}

func (s *Store) delivery(tx *gorm.DB, tenant, id, lock string) (Delivery, error) {
	if !couldExist(tenant, id) {
		return Delivery{}, noDelivery()
	}
	list, err := s.deliveries(tx, "WHERE d.tenant = ? AND d.id = ?"+lock, tenant, id)
	if err != nil {
		return Delivery{}, err
	}
	if len(list) == 0 {
		return Delivery{}, noDelivery()
	}
	return list[0], nil
}

func (s *Store) deliveries(tx *gorm.DB, where string, args ...any) ([]Delivery, error) {
	var rows []deliveryRow
	if err := query(tx, &rows, fromDeliveries+where, args...); err != nil {
		return nil, s.translate(err)
	}
	list := make([]Delivery, len(rows))
	for i := range rows {
		list[i] = deliveryFromRow(&rows[i])
	}
	return list, nil
}

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
const reopenDeliveries = `UPDATE deliveries SET state = ?, workflow_id = ?, round_start = attempts,
	next_attempt_at = NULL, slot_at = NULL, held_until = NULL, settled_at = NULL, updated_at = ? WHERE `

func (d *Delivery) reopen(to State, workflowID string, at time.Time) {
	d.State, d.WorkflowID, d.RoundStart, d.UpdatedAt = to, workflowID, d.Attempts, at
	d.NextAttemptAt, d.SlotAt, d.HeldUntil, d.SettledAt = nil, nil, nil, nil
}

// Cancel stops the deliveries among those named that still wait; those that are
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
	return tx.Exec("UPDATE deliveries SET state = ?, next_attempt_at = NULL, updated_at = ?, settled_at = ? WHERE "+condition,
		string(cancelled), now, now, arg).Error
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
