package models

import (
	"context"
	"time"

	"posthaste/errs"
)

// Due is what an attempt needs to know just before its POST: the delivery, its
// webhook as it is now, with secrets and headers, and the event.
type Due struct {
	Delivery Delivery
	Webhook  Webhook
	Event    Event // empty from DueDeliveries
	// HeldFor is how long another process still had the delivery in hand when it
	// was read (Hold); 0 = none has.
	HeldFor time.Duration
}

// dueRow is the join of the three tables.
type dueRow struct {
	Delivery deliveryRow `gorm:"embedded;embeddedPrefix:d_"`
	Webhook  webhookRow  `gorm:"embedded;embeddedPrefix:w_"`
	Event    eventRow    `gorm:"embedded;embeddedPrefix:e_"`
	// HeldMicros is by the clock of PostgreSQL; nil on SQLite.
	HeldMicros *int64
}

// eventColumns are all columns of an event.
var eventColumns = append([]string{"data", "custom_data"}, eventSummaryColumns...)

// Columns of a dueRow, those of an event apart.
var (
	dueColumns      = selectList("d", "d_", deliveryColumns) + ", " + selectList("w", "w_", webhookColumns)
	dueEventColumns = ", " + selectList("e", "e_", eventColumns)
)

// DueDelivery reads a delivery with its webhook and its event, in one query.
// NotFound when there is no such delivery (any more).
func (s *Store) DueDelivery(ctx context.Context, tenant, deliveryID string) (Due, error) {
	list, err := s.due(ctx, tenant, []string{deliveryID}, true)
	if err != nil {
		return Due{}, err
	}
	if len(list) == 0 {
		return Due{}, noDelivery()
	}
	return list[0], nil
}

// DueDeliveries reads several deliveries with their webhooks, without events,
// in one query, ordered by delivery id. Those that do not exist (any more) are
// missing from the answer.
func (s *Store) DueDeliveries(ctx context.Context, tenant string, deliveryIDs []string) ([]Due, error) {
	return s.due(ctx, tenant, deliveryIDs, false)
}

func (s *Store) due(ctx context.Context, tenant string, ids []string, withEvent bool) ([]Due, error) {
	if len(ids) == 0 || !couldExist(append([]string{tenant}, ids...)...) {
		return nil, nil
	}
	sql := "SELECT " + dueColumns + ", " + s.db.dialect.heldFor() + " AS held_micros"
	if withEvent {
		sql += dueEventColumns
	}
	sql += " FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id"
	if withEvent {
		sql += " JOIN events e ON e.tenant = d.tenant AND e.id = d.event_id"
	}
	condition, arg := s.db.dialect.in("d.id", ids)
	args := []any{tenant, arg}
	if from, to, ok := acceptedWith(ids); ok && withEvent {
		condition += " AND e.accepted_at >= ? AND e.accepted_at < ?"
		args = append(args, moment(from), moment(to))
	}
	var rows []dueRow
	err := query(s.readAll(ctx), &rows, sql+" WHERE "+s.db.dialect.unindexed("d.tenant")+" = ? AND "+condition+" ORDER BY d.id", args...)
	if err != nil {
		return nil, s.translate(err)
	}
	list := make([]Due, len(rows))
	for i := range rows {
		row := &rows[i]
		row.Delivery.WebhookName, row.Delivery.WebhookURL = row.Webhook.Name, row.Webhook.URL
		list[i].Delivery, list[i].HeldFor = deliveryFromRow(&row.Delivery), s.heldFor(row)
		if list[i].Webhook, err = s.webhookFromRow(&row.Webhook); err != nil {
			return nil, err
		}
		if withEvent {
			list[i].Event = eventFromRow(&row.Event)
		}
	}
	return list, nil
}

func noDelivery() error { return errs.New(errs.NotFound, "There is no such delivery") }
