package models

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"posthaste/errs"
)

const (
	// deliveryRoom is what the attempts of one delivery that are read whole may
	// come to as JSON, the newest however long.
	deliveryRoom = 1 << 20
	// deliveryAttempts is how many attempts of one delivery are read at all: one
	// that is sent again and again has ever more.
	deliveryAttempts = 1000
)

// Delivery returns one delivery and its attempts, first one first; of more than a
// thousand the newest. What was sent and what came back is with the newest of
// them, as far as it comes to about 1 MiB: the others are Omitted, and
// DeliveryAttempt has them whole.
func (s *Store) Delivery(ctx context.Context, tenant, id string) (Delivery, []Attempt, error) {
	var d Delivery
	var rows []attemptRow
	whole := 0
	err := s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		var err error
		if d, err = s.delivery(tx, tenant, id, ""); err != nil {
			return err
		}
		rows, whole, err = attemptsOf(tx, d)
		return err
	})
	if err != nil {
		return Delivery{}, nil, err
	}
	attempts, err := s.attemptsFromRows(rows)
	for i := range attempts {
		attempts[i].Omitted = i < len(attempts)-whole
	}
	return d, attempts, err
}

// DeliveryAttempt returns one delivery and the attempt of that number, whole.
// NotFound when there is no such attempt (any more).
func (s *Store) DeliveryAttempt(ctx context.Context, tenant, id string, number int) (Delivery, Attempt, error) {
	var d Delivery
	var rows []attemptRow
	err := s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		var err error
		if d, err = s.delivery(tx, tenant, id, ""); err == nil {
			err = query(tx, &rows, "SELECT * FROM attempts WHERE tenant = ? AND delivery_id = ? AND number = ?", tenant, id, number)
		}
		return err
	})
	if err != nil {
		return Delivery{}, Attempt{}, err
	}
	if len(rows) == 0 {
		return Delivery{}, Attempt{}, errs.New(errs.NotFound, "There is no such attempt of this delivery")
	}
	attempt, err := s.attemptFromRow(&rows[0])
	return d, attempt, err
}

// outlineRow is an attempt without what was sent and what came back, and how many
// bytes those have.
type outlineRow struct {
	Attempt attemptRow `gorm:"embedded"`
	Size    int
}

// outlineColumns are those of an outlineRow. An answer's body counts twice, as it
// is shown twice.
var outlineColumns = selectList("attempts", "", glanceColumns) +
	", COALESCE(length(request_headers), 0) + COALESCE(length(request_body), 0)" +
	" + COALESCE(length(response_headers), 0) + 2 * COALESCE(length(response_body), 0) AS size"

// attemptsOf reads the attempts of a delivery, first one first, and says how many
// of the last are whole. How long each is comes first, so that no more is read
// than there is room for.
func attemptsOf(tx *gorm.DB, d Delivery) (rows []attemptRow, whole int, err error) {
	outlines, err := outlinesOf(tx, d)
	if err != nil || len(outlines) == 0 {
		return nil, 0, err
	}
	used, fit, first := 0, 0, ""
	for i, o := range outlines {
		if used += o.Size; i > 0 && used > deliveryRoom {
			break
		}
		if fit++; first == "" || o.Attempt.ID < first {
			first = o.Attempt.ID
		}
	}
	err = query(tx, &rows, "SELECT * FROM attempts WHERE tenant = ? AND delivery_id = ? AND id >= ? AND number BETWEEN ? AND ? ORDER BY number DESC",
		d.Tenant, d.ID, first, outlines[fit-1].Attempt.Number, outlines[0].Attempt.Number)
	if err != nil {
		return nil, 0, err
	}
	used = 0
	for i := range rows {
		if used += rows[i].sizeInJSON(); i > 0 && used > deliveryRoom {
			rows[i].cut()
			continue
		}
		whole++
	}
	for _, o := range outlines[fit:] {
		rows = append(rows, o.Attempt)
	}
	slices.Reverse(rows)
	return rows, whole, nil
}

// outlinesOf reads the newest attempts of a delivery, newest first. An attempt is
// no older than its event, whose time the delivery's id begins with; so the days
// before need not be asked, unless a clock was wrong.
func outlinesOf(tx *gorm.DB, d Delivery) ([]outlineRow, error) {
	sql, args := "SELECT "+outlineColumns+" FROM attempts WHERE tenant = ? AND delivery_id = ?", []any{d.Tenant, d.ID}
	const newest = " ORDER BY number DESC LIMIT ?"
	var found []outlineRow
	if at, ok := timeOfID(d.ID); ok {
		err := query(tx, &found, sql+" AND id >= ?"+newest, append(args, idFrom(at.Add(-idSlack)), deliveryAttempts)...)
		if err != nil || len(found) >= min(d.Attempts, deliveryAttempts) {
			return found, err
		}
	}
	found = nil
	err := query(tx, &found, sql+newest, append(args, deliveryAttempts)...)
	return found, err
}

// sizeInJSON is about what of the attempt is shown only with it.
func (r *attemptRow) sizeInJSON() int {
	return len(r.RequestHeaders) + sizeInJSON(r.RequestBody) + len(r.ResponseHeaders) + 2*sizeInJSON(r.ResponseBody)
}

// cut takes away what was sent and what came back.
func (r *attemptRow) cut() {
	r.RequestHeaders, r.RequestBody, r.ResponseHeaders, r.ResponseBody = nil, nil, nil, nil
}
