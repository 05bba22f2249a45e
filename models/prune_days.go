package models

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
)

// days goes through the days that some tenant no longer keeps, the oldest first.
func (p *pruning) days(ctx context.Context) error {
	_, somebody := p.span()
	if somebody.IsZero() {
		return nil
	}
	days, whole, err := p.daysBefore(ctx, somebody)
	if err != nil {
		return err
	}
	for _, at := range days {
		if err := p.day(ctx, at, slices.ContainsFunc(whole, at.Equal)); err != nil {
			return err
		}
		p.progress(p.done)
	}
	return nil
}

// daysBefore lists the days before one of which there are events, and those of
// them that have a partition.
func (p *pruning) daysBefore(ctx context.Context, end time.Time) (days, whole []time.Time, err error) {
	if p.db.dialect == postgresDialect {
		if whole, err = p.partitions(ctx, eventsTable); err != nil {
			return nil, nil, err
		}
		days = slices.Clone(whole)
		var stray []struct{ Day time.Time }
		err = query(p.readAll(ctx), &stray, "SELECT DISTINCT date_trunc('day', accepted_at, 'UTC') AS day FROM events_default")
		for _, s := range stray {
			days = append(days, s.Day.UTC())
		}
		slices.SortFunc(days, time.Time.Compare)
		days = slices.CompactFunc(days, time.Time.Equal)
		return slices.DeleteFunc(days, func(at time.Time) bool { return !at.Before(end) }), whole, err
	}
	for at := (time.Time{}); ; at = at.Add(day) {
		var next []eventRow
		err := query(p.readAll(ctx), &next, "SELECT accepted_at FROM events WHERE accepted_at >= ? AND accepted_at < ? ORDER BY accepted_at LIMIT 1",
			moment(at), moment(end))
		if err != nil || len(next) == 0 {
			return days, nil, err
		}
		at = dayOf(time.Time(next[0].AcceptedAt))
		days = append(days, at)
	}
}

// day forgets what tenants no longer keep of a day. One that has a partition goes
// as a whole, if it can.
func (p *pruning) day(ctx context.Context, at time.Time, whole bool) error {
	tenants, err := p.tenantsOf(ctx, at)
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(slices.Clone(tenants), func(tenant string) bool { return !at.Before(p.of(tenant)) })
	if len(gone) > 0 {
		if err := p.deliveries(ctx, at); err != nil {
			return err
		}
	}
	if whole && len(gone) == len(tenants) {
		unused, err := p.withoutDeliveries(at)(p.readAll(ctx))
		if err != nil {
			return err
		}
		if unused {
			if err := p.keys(ctx, at); err != nil {
				return err
			}
			return p.drop(ctx, eventsTable, at, p.withoutDeliveries(at))
		}
	}
	for _, tenant := range gone {
		if err := p.events(ctx, tenant, at); err != nil {
			return err
		}
	}
	return nil
}

// tenantsOf lists the tenants that have events of a day. On PostgreSQL it goes
// from one to the next along an index, past all rows between.
func (p *pruning) tenantsOf(ctx context.Context, at time.Time) ([]string, error) {
	var rows []eventRow
	sql := "SELECT DISTINCT tenant FROM events WHERE accepted_at >= ? AND accepted_at < ? ORDER BY tenant"
	args := []any{moment(at), moment(at.Add(day))}
	if p.db.dialect == postgresDialect {
		sql = `WITH RECURSIVE each_tenant AS (
			(SELECT tenant FROM events WHERE accepted_at >= ? AND accepted_at < ? ORDER BY tenant LIMIT 1)
			UNION ALL
			SELECT (SELECT e.tenant FROM events e WHERE e.tenant > t.tenant AND accepted_at >= ? AND accepted_at < ? ORDER BY e.tenant LIMIT 1)
			FROM each_tenant t WHERE t.tenant IS NOT NULL
		) SELECT tenant FROM each_tenant WHERE tenant IS NOT NULL`
		args = append(args, args...)
	}
	err := query(p.readAll(ctx), &rows, sql, args...)
	tenants := make([]string, len(rows))
	for i, row := range rows {
		tenants[i] = row.Tenant
	}
	return tenants, err
}

// deliveries deletes the deliveries of a day that have settled, with those of
// their attempts that do not go with a partition.
func (p *pruning) deliveries(ctx context.Context, at time.Time) error {
	forgotten, args := p.forgets(p.db.dialect, "tenant", at)
	nobody, _ := p.span()
	after := idFrom(at)
	return p.batches(ctx, func(tx *gorm.DB) (batchDone, error) {
		var rows []deliveryRow
		all := append([]any{after, idFrom(at.Add(day))}, args...)
		err := query(tx, &rows, "SELECT d.id, d.attempts, d.settled_at FROM deliveries d WHERE d.id > ? AND d.id < ? AND d.settled_at IS NOT NULL AND "+
			forgotten+" ORDER BY d.id LIMIT ?"+p.db.dialect.lock("d", true), append(all, pruneBatch)...)
		if err != nil || len(rows) == 0 {
			return batchDone{}, err
		}
		rows, last := fitting(rows, p.db.dialect, nobody)
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		deleted := Pruned{Deliveries: int64(len(ids))}
		if deleted.Attempts, err = p.attemptsOf(tx, ids, last, nobody); err != nil {
			return batchDone{}, err
		}
		condition, arg := p.db.dialect.in("id", ids)
		if err := tx.Exec("DELETE FROM deliveries WHERE "+condition, arg).Error; err != nil {
			return batchDone{}, err
		}
		return batchDone{deleted, func() { after = ids[len(ids)-1] }}, nil
	})
}

// fitting cuts a batch of deliveries to the rows that it deletes, attempts
// included, but leaves one at least. It says when the last of them settled.
func fitting(rows []deliveryRow, d dialect, dropped time.Time) ([]deliveryRow, time.Time) {
	weight := 0
	var last time.Time
	for i, row := range rows {
		settled := time.Time(*row.SettledAt).Add(idSlack)
		weight++
		if d == sqliteDialect || settled.After(dropped) {
			weight += row.Attempts
		}
		if i > 0 && weight > pruneBatch {
			return rows[:i], last
		}
		if settled.After(last) {
			last = settled
		}
	}
	return rows, last
}

// attemptsOf deletes the attempts of deliveries that are being deleted, the last
// of which settled at last, but for those in the partitions that go as a whole:
// the ones before dropped.
func (p *pruning) attemptsOf(tx *gorm.DB, ids []string, last, dropped time.Time) (int64, error) {
	condition, arg := p.db.dialect.in("delivery_id", ids)
	if p.db.dialect == sqliteDialect {
		done := tx.Exec("DELETE FROM attempts WHERE "+condition, arg)
		return done.RowsAffected, done.Error
	}
	first := dropped
	if made, ok := timeOfID(ids[0]); ok && made.Add(-idSlack).After(first) {
		first = made.Add(-idSlack)
	}
	if !last.After(first) {
		return 0, nil
	}
	done := tx.Exec("DELETE FROM attempts WHERE "+condition+" AND id >= ? AND id < ?", arg, idFrom(first), idFrom(last.Add(time.Millisecond)))
	return done.RowsAffected, done.Error
}

// withoutDeliveries says of a day's events that none has a delivery left.
func (p *pruning) withoutDeliveries(at time.Time) func(tx *gorm.DB) (bool, error) {
	return func(tx *gorm.DB) (bool, error) {
		return none(tx, "deliveries WHERE id >= ? AND id < ?", idFrom(at), idFrom(at.Add(day)))
	}
}

// keys deletes the keys of a day's events, which are about to be dropped.
func (p *pruning) keys(ctx context.Context, at time.Time) error {
	return p.batches(ctx, func(tx *gorm.DB) (batchDone, error) {
		done := tx.Exec(`DELETE FROM event_keys WHERE (tenant, id) IN
			(SELECT tenant, id FROM event_keys WHERE accepted_at >= ? AND accepted_at < ? LIMIT ?)`,
			moment(at), moment(at.Add(day)), pruneBatch)
		return batchDone{next: again(done.RowsAffected)}, done.Error
	})
}

// events deletes the events of a tenant and a day that have no deliveries left.
func (p *pruning) events(ctx context.Context, tenant string, at time.Time) error {
	last := eventRow{AcceptedAt: moment(at)}
	return p.batches(ctx, func(tx *gorm.DB) (batchDone, error) {
		var rows []eventRow
		err := query(tx, &rows, `SELECT id, accepted_at FROM events WHERE tenant = ? AND accepted_at >= ? AND accepted_at < ?
			AND (accepted_at, id) > (?, ?) ORDER BY accepted_at, id LIMIT ?`,
			tenant, moment(at), moment(at.Add(day)), last.AcceptedAt, last.ID, pruneBatch)
		if err != nil || len(rows) == 0 {
			return batchDone{}, err
		}
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		condition, arg := p.db.dialect.in("id", ids)
		done := tx.Exec("DELETE FROM events WHERE tenant = ? AND accepted_at >= ? AND accepted_at < ? AND "+condition+
			" AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.tenant = events.tenant AND d.event_id = events.id)",
			tenant, moment(at), moment(at.Add(day)), arg)
		if err := done.Error; err != nil {
			return batchDone{}, err
		}
		if p.db.dialect == postgresDialect {
			err = tx.Exec(`DELETE FROM event_keys WHERE tenant = ? AND accepted_at >= ? AND accepted_at < ? AND `+condition+
				" AND NOT EXISTS (SELECT 1 FROM events e WHERE e.tenant = event_keys.tenant AND e.id = event_keys.id AND e.accepted_at = event_keys.accepted_at)",
				tenant, moment(at), moment(at.Add(day)), arg).Error
		}
		return batchDone{Pruned{Events: done.RowsAffected}, func() { last = rows[len(rows)-1] }}, err
	})
}
