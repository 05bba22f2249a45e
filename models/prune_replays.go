package models

import (
	"context"

	"gorm.io/gorm"
)

// replays deletes the replays that ended on a day that their tenant no longer
// keeps, with their pages: the deliveries that they tell of go by then, too. One
// that runs stays, whatever its age. They are few, so that no index knows when
// they ended.
func (p *pruning) replays(ctx context.Context) error {
	_, somebody := p.span()
	if somebody.IsZero() {
		return nil
	}
	after := ""
	return p.batches(ctx, func(tx *gorm.DB) (batchDone, error) {
		var rows []replayRow
		err := query(tx, &rows, "SELECT id, tenant, ended_at FROM replays WHERE id > ? AND ended_at < ? ORDER BY id LIMIT ?",
			after, moment(somebody), pruneBatch)
		if err != nil || len(rows) == 0 {
			return batchDone{}, err
		}
		var gone []string
		for _, row := range rows {
			if timePtr(row.EndedAt).Before(p.of(row.Tenant)) {
				gone = append(gone, row.ID)
			}
		}
		condition, arg := p.db.dialect.in("id", gone)
		done := tx.Exec("DELETE FROM replays WHERE "+condition, arg)
		return batchDone{Pruned{Replays: done.RowsAffected}, func() { after = rows[len(rows)-1].ID }}, done.Error
	})
}
