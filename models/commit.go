package models

import (
	"context"
	"encoding/json"

	"gorm.io/gorm"

	"posthaste/errs"
)

// Rows of others are taken in one order everywhere: first the webhooks by id,
// then the deliveries, then the rollups. Together with DeleteWebhook, which starts at the webhook
// too, that leaves no two transactions waiting for each other.

// commit stores a group of records, at most one per delivery, and says which
// deliveries it moved. The others are stale, gone or, unless wait is set,
// locked by someone else: a long transaction of one tenant never holds up the
// group.
func (s *Store) commit(tx *gorm.DB, group []*entry, wait bool) (map[string]bool, error) {
	webhooks, err := s.lockWebhooks(tx, group, wait)
	if err != nil {
		return nil, err
	}
	var able []*entry
	for _, e := range group {
		if webhooks.ready(e) {
			able = append(able, e)
		}
	}
	if len(able) == 0 {
		return nil, nil
	}
	moved, err := s.moveDeliveries(tx, able, wait)
	if err != nil {
		return nil, err
	}
	if err := s.insertAttempts(tx, able, moved); err != nil {
		return nil, err
	}
	done := make(map[string]bool, len(moved))
	for _, e := range able {
		if _, ok := moved[e.record.Delivery.ID]; ok {
			done[e.record.Delivery.ID] = true
			webhooks.count(e)
		}
	}
	if err := s.storeHealth(tx, webhooks); err != nil {
		return nil, err
	}
	if err := s.addRollups(tx, able, moved); err != nil {
		return nil, err
	}
	return done, s.insertNotices(tx, exhausted(able, moved)...)
}

var moveBatch = []column{
	{"id", textCol}, {"tenant", textCol}, {"webhook_id", textCol}, {"attempts", numberCol}, {"state", textCol},
	{"to_state", textCol}, {"added", numberCol}, {"next_attempt_at", timeCol}, {"status_code", numberCol},
	{"reason", textCol}, {"updated_at", timeCol}, {"settled_at", timeCol}, {heldSpan, numberCol},
}

const guard = "d.tenant = v.tenant AND d.attempts = v.attempts AND d.state = v.state" +
	" AND (v.webhook_id = '' OR d.webhook_id = v.webhook_id)"

// moveDeliveries brings the deliveries that are still as they were loaded to
// their new state and returns their rows by id.
func (s *Store) moveDeliveries(tx *gorm.DB, group []*entry, wait bool) (map[string]*deliveryRow, error) {
	moved := make(map[string]*deliveryRow, len(group))
	err := s.db.dialect.inParts(moves(group), func(source string, args []any) error {
		var rows []deliveryRow
		err := query(tx, &rows, s.db.dialect.moveFrom(source, wait), args...)
		for i := range rows {
			moved[rows[i].ID] = &rows[i]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, e := range group {
		if row := moved[e.record.Delivery.ID]; row != nil && e.record.Step == StepClaim {
			e.claimed = row.HeldUntil
		}
	}
	return moved, nil
}

// moveFrom returns the statement that moves the deliveries of the source.
func (d dialect) moveFrom(source string, wait bool) string {
	sql := "WITH v AS (" + source + ")"
	from := " FROM v"
	if d == postgresDialect && !wait {
		sql += ", free AS (SELECT d.id FROM deliveries d JOIN v ON v.id = d.id WHERE " + guard +
			" ORDER BY d.id" + d.lock("d", true) + ")"
		from = " FROM v JOIN free ON free.id = v.id"
	}
	return sql + ` UPDATE deliveries AS d SET state = ` + movedTo + `, reopened_from = ` + movedFrom + `, attempts = d.attempts + v.added,
		next_attempt_at = v.next_attempt_at, slot_at = NULL, held_until = ` + d.heldUntil() + `, reason = ` + movedReason + `, updated_at = v.updated_at, settled_at = v.settled_at,
		last_status_code = CASE WHEN v.added > 0 THEN v.status_code ELSE d.last_status_code END` +
		from + " WHERE d.id = v.id AND " + guard + d.returning("d", "id", "webhook_id", "event_id", "event_type", "attempts", "test", "held_until")
}

func moves(group []*entry) *batch {
	b := &batch{columns: moveBatch}
	for _, e := range group {
		d, now := e.record.Delivery, moment(e.now)
		var next, settled *moment
		if e.to == StateRetrying {
			next = momentPtr(e.record.NextAttemptAt)
		}
		if e.to.Settled() {
			settled = &now
		}
		var held *int64
		if e.record.Step == StepClaim {
			held = new(e.record.HeldFor.Microseconds())
		}
		added := 0
		var statusCode *int
		if e.attempt != nil {
			added, statusCode = 1, e.attempt.StatusCode
		}
		b.add(d.ID, d.Tenant, d.WebhookID, d.Attempts, string(d.State), string(e.to), added, next, statusCode,
			e.record.Reason, now, settled, held)
	}
	return b
}

var attemptBatch = []column{
	{"id", textCol}, {"tenant", textCol}, {"webhook_id", textCol}, {"delivery_id", textCol}, {"event_id", textCol}, {"event_type", textCol},
	{"number", numberCol}, {"status_code", numberCol}, {"success", boolCol}, {"reason", textCol}, {"detail", textCol},
	{"started_at", timeCol}, {"duration_ms", numberCol}, {"request_url", textCol}, {"request_headers", bytesCol},
	{"request_body", bytesCol}, {"response_headers", bytesCol}, {"response_body", bytesCol},
	{"response_truncated", boolCol}, {"test", boolCol},
}

// insertAttempts stores the attempts of the deliveries that were moved. What
// the ledger knows of the delivery is taken from there.
func (s *Store) insertAttempts(tx *gorm.DB, group []*entry, moved map[string]*deliveryRow) error {
	b := &batch{columns: attemptBatch}
	for _, e := range group {
		row, a := moved[e.record.Delivery.ID], e.attempt
		if row == nil || a == nil {
			continue
		}
		b.add(a.ID, e.record.Delivery.Tenant, row.WebhookID, row.ID, row.EventID, row.EventType,
			row.Attempts, a.StatusCode, a.Success, a.Reason, a.Detail,
			moment(a.StartedAt), a.DurationMS, a.RequestURL, e.headers,
			orNull(a.RequestBody), jsonPairs(a.ResponseHeaders), orNull(a.ResponseBody),
			a.ResponseTruncated, row.Test)
	}
	return s.db.dialect.inParts(b, func(source string, args []any) error {
		return tx.Exec("INSERT INTO attempts ("+b.names()+") "+source, args...).Error
	})
}

// jsonPairs writes headers in their order; none at all is stored as NULL.
func jsonPairs(headers [][2]string) []byte {
	if len(headers) == 0 {
		return nil
	}
	text, _ := json.Marshal(headers) // strings always encode
	return text
}

// orNull stores nothing as NULL.
func orNull(body []byte) []byte {
	if len(body) == 0 {
		return nil
	}
	return body
}

// settleAlone stores one record on its own, waiting for locks, and says what is
// wrong with it if it cannot.
func (s *Store) settleAlone(ctx context.Context, e *entry) error {
	id, tenant := e.record.Delivery.ID, e.record.Delivery.Tenant
	return s.writeAll(ctx, func(tx *gorm.DB) error {
		done, err := s.commit(tx, []*entry{e}, true)
		if err != nil || done[id] {
			return err
		}
		// Only now: a commit that was still on its way held the row until it ended.
		if repeated, err := s.isStored(tx, e); repeated || err != nil {
			return err
		}
		d, err := s.delivery(tx, tenant, id, "")
		if err != nil {
			return err
		}
		return errs.New(errs.Conflict, "The delivery has moved on: it is %s after %d attempts, not %s after %d",
			d.State, d.Attempts, e.record.Delivery.State, e.record.Delivery.Attempts)
	})
}

// isStored reports whether the record is in the ledger already: the commit
// before this one succeeded although its answer was lost. An attempt is known by
// its id, a claim by the end of its hold.
func (s *Store) isStored(tx *gorm.DB, e *entry) (bool, error) {
	var found []int
	if e.claimed != nil {
		err := query(tx, &found, "SELECT attempts FROM deliveries WHERE id = ? AND tenant = ? AND state = ? AND attempts = ? AND held_until = ?",
			e.record.Delivery.ID, e.record.Delivery.Tenant, string(e.to), e.record.Delivery.Attempts, *e.claimed)
		return len(found) > 0, err
	}
	if e.attempt == nil {
		return false, nil
	}
	err := query(tx, &found, "SELECT number FROM attempts WHERE delivery_id = ? AND tenant = ? AND id = ? AND number = ?",
		e.record.Delivery.ID, e.record.Delivery.Tenant, e.attempt.ID, e.record.Delivery.Attempts+1)
	return len(found) > 0, err
}
