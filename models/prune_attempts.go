package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// fewDeliveries is how many old deliveries that are still under way are asked
// one by one for their attempts of a day.
const fewDeliveries = 1000

// attempts drops the partitions of attempts whose deliveries are gone. On SQLite
// attempts went with their deliveries.
func (p *pruning) attempts(ctx context.Context) error {
	nobody, somebody := p.span()
	if p.db.dialect == sqliteDialect || somebody.IsZero() {
		return nil
	}
	days, err := p.partitions(ctx, attemptsTable)
	if err != nil {
		return err
	}
	for _, at := range days {
		if at.Before(somebody) {
			if err := p.drop(ctx, attemptsTable, at, p.withoutUse(at, at.Before(nobody))); err != nil {
				return err
			}
		}
	}
	return p.orphans(ctx, nobody)
}

// withoutUse says of a day's attempts that they can go: there are none, or, of a
// day that nobody keeps, none that a delivery is left of.
func (p *pruning) withoutUse(at time.Time, nobodyKeeps bool) func(tx *gorm.DB) (bool, error) {
	from, to := idFrom(at), idFrom(at.Add(day))
	return func(tx *gorm.DB) (bool, error) {
		if !nobodyKeeps {
			return none(tx, "attempts WHERE id >= ? AND id < ?", from, to)
		}
		var left []string
		err := query(tx, &left, "SELECT id FROM deliveries WHERE id < ? ORDER BY id LIMIT ?", to, fewDeliveries+1)
		if err != nil || len(left) == 0 || len(left) > fewDeliveries {
			return len(left) == 0, err
		}
		condition, arg := p.db.dialect.in("delivery_id", left)
		return none(tx, "attempts WHERE id >= ? AND id < ? AND "+condition, from, to, arg)
	}
}

// orphans deletes what is left of the attempts before a day that nobody keeps:
// those in partitions where a delivery that is under way has some, and those in
// the default partition.
func (p *pruning) orphans(ctx context.Context, before time.Time) error {
	if before.IsZero() {
		return nil
	}
	var last attemptRow
	return p.batches(ctx, func(tx *gorm.DB) (batchDone, error) {
		var rows []attemptRow
		err := query(tx, &rows, `SELECT webhook_id, id FROM attempts WHERE id < ? AND (webhook_id, id) > (?, ?)
			ORDER BY webhook_id, id LIMIT ?`, idFrom(before), last.WebhookID, last.ID, pruneBatch)
		if err != nil || len(rows) == 0 {
			return batchDone{}, err
		}
		end := rows[len(rows)-1]
		done := tx.Exec(`DELETE FROM attempts WHERE id < ? AND (webhook_id, id) > (?, ?) AND (webhook_id, id) <= (?, ?)
			AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = attempts.delivery_id)`,
			idFrom(before), last.WebhookID, last.ID, end.WebhookID, end.ID)
		return batchDone{Pruned{Attempts: done.RowsAffected}, func() { last = end }}, done.Error
	})
}
