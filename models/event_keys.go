package models

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// PostgreSQL keeps the events of a day together, so who looks for one event says
// about when it was accepted. Most ids say so themselves: they are UUIDv7, made
// when the event was accepted. For the others, such as those that are made of an
// Idempotency-Key, the table event_keys knows; it also keeps them unique, which
// an index of a partitioned table could do only within one moment.

// errVanished is what a plan meets whose events were forgotten between two of
// its statements. The next try finds them new.
var errVanished = errors.New("an event was forgotten while it was planned")

// timeOfID returns the time that a UUIDv7 was made at, and false for any other
// text.
func timeOfID(id string) (time.Time, bool) {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id || parsed.Version() != 7 || parsed.Variant() != uuid.RFC4122 {
		return time.Time{}, false
	}
	var millis int64
	for _, b := range parsed[:6] {
		millis = millis<<8 | int64(b)
	}
	return time.UnixMilli(millis).UTC(), true
}

// eventIDTells reports whether an event's id tells when it was accepted. The
// migration that made event_keys says the same in SQL.
func eventIDTells(id string, acceptedAt time.Time) bool {
	at, ok := timeOfID(id)
	apart := at.UnixMilli() - acceptedAt.UnixMilli()
	return ok && max(apart, -apart) <= idSlack.Milliseconds()
}

var keyBatch = []column{{"tenant", textCol}, {"id", textCol}, {"accepted_at", timeCol}}

// takeKeys notes the events whose ids do not tell their time, and returns those
// of them that were noted before, by this event or another.
func (s *Store) takeKeys(tx *gorm.DB, events map[eventKey]Event, keys []eventKey) (map[eventKey]bool, error) {
	if s.db.dialect == sqliteDialect {
		return nil, nil
	}
	b := &batch{columns: keyBatch}
	held := map[eventKey]bool{}
	for _, k := range keys {
		if !eventIDTells(k.id, events[k].AcceptedAt) {
			b.add(k.tenant, k.id, moment(events[k].AcceptedAt))
			held[k] = true
		}
	}
	return held, s.db.dialect.inParts(b, func(source string, args []any) error {
		var rows []eventRow
		err := query(tx, &rows, "INSERT INTO event_keys ("+b.names()+") SELECT * FROM ("+source+") AS v WHERE true"+
			" ON CONFLICT (tenant, id) DO NOTHING RETURNING tenant, id", args...)
		for _, row := range rows {
			delete(held, eventKey{row.Tenant, row.ID})
		}
		return err
	})
}

// onlyOne returns what makes an event one: the columns of its unique index.
func (d dialect) onlyOne() string {
	if d == sqliteDialect {
		return "(tenant, id)"
	}
	return "(tenant, id, accepted_at)"
}

// byKey returns a condition that leaves out an event whose key stands for a
// later one: the old one is being forgotten.
func (d dialect) byKey() string {
	if d == sqliteDialect {
		return ""
	}
	return " AND accepted_at = COALESCE((SELECT k.accepted_at FROM event_keys k WHERE k.tenant = events.tenant AND k.id = events.id), accepted_at)"
}

// eventColumnsOf reads columns of one event: no row or one.
func (s *Store) eventColumnsOf(tx *gorm.DB, columns, tenant, id string) ([]eventRow, error) {
	if !couldExist(tenant, id) {
		return nil, nil
	}
	var rows []eventRow
	sql := "SELECT " + columns + " FROM events WHERE tenant = ? AND id = ?"
	if s.db.dialect == sqliteDialect {
		err := query(tx, &rows, sql, tenant, id)
		return rows, err
	}
	if at, ok := timeOfID(id); ok {
		err := query(tx, &rows, sql+" AND accepted_at >= ? AND accepted_at <= ?", tenant, id,
			moment(at.Add(-idSlack)), moment(at.Add(idSlack+time.Millisecond)))
		if err != nil || len(rows) > 0 {
			return rows, err
		}
	}
	var keys []eventRow
	err := query(tx, &keys, "SELECT accepted_at FROM event_keys WHERE tenant = ? AND id = ?", tenant, id)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	err = query(tx, &rows, sql+" AND accepted_at = ?", tenant, id, keys[0].AcceptedAt)
	return rows, err
}

// mustHaveEvent is mustHave for an event.
func (s *Store) mustHaveEvent(tx *gorm.DB, tenant, id string) error {
	if s.db.dialect == sqliteDialect {
		return s.mustHave(tx, "events", tenant, id, noEvent())
	}
	found, err := s.eventColumnsOf(tx, "id", tenant, id)
	if err == nil && len(found) == 0 {
		return noEvent()
	}
	return s.translate(err)
}

// acceptedWith returns the moments between which the events of deliveries were
// accepted: a delivery's id begins with the millisecond. False when an id is none
// of ours.
func acceptedWith(deliveryIDs []string) (from, to time.Time, ok bool) {
	for i, id := range deliveryIDs {
		at, made := timeOfID(id)
		if !made {
			return from, to, false
		}
		if i == 0 || at.Before(from) {
			from = at
		}
		if end := at.Add(time.Millisecond); end.After(to) {
			to = end
		}
	}
	return from, to, len(deliveryIDs) > 0
}
