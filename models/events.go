package models

import (
	"context"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// EventFilter narrows a list of events. Tenant is required; empty fields let
// all through. Since is inclusive, Until is not; both look at AcceptedAt.
type EventFilter struct {
	Tenant   string
	Provider string
	Type     string
	Since    *time.Time
	Until    *time.Time
	Limit    int
	Cursor   string
}

// Events lists events, the one accepted last first. Data and CustomData are
// left out: a page of them could be tens of megabytes. With a provider or a type,
// one page looks at 20,000 events at most: it may hold fewer than the limit, or
// none, and still not be the last.
func (s *Store) Events(ctx context.Context, f EventFilter) (Page[Event], error) {
	after, err := decodeCursor(listEvents, f.Cursor)
	if err != nil {
		return Page[Event]{}, err
	}
	limit := pageLimit(f.Limit)
	var rows []eventRow
	var edge *eventRow
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		if edge, err = eventsEdge(tx, f, after); err != nil {
			return err
		}
		found := tx.Table("events").Select(eventSummaryColumns).Where("tenant = ?", f.Tenant)
		if f.Provider != "" {
			found = found.Where("provider = ?", f.Provider)
		}
		if f.Type != "" {
			found = found.Where("type = ?", f.Type)
		}
		if edge != nil {
			found = found.Where("(accepted_at, id) >= (?, ?)", edge.AcceptedAt, edge.ID)
		}
		found = eventsAfter(between(found, "accepted_at", f.Since, f.Until), after)
		return found.Order("accepted_at DESC, id DESC").Limit(limit + 1).Find(&rows).Error
	})
	if err != nil {
		return Page[Event]{}, err
	}
	list := make([]Event, len(rows))
	for i := range rows {
		list[i] = eventFromRow(&rows[i])
	}
	page := pageOf(listEvents, list, limit, func(e Event) position {
		return position{at: e.AcceptedAt, id: e.ID}
	})
	if edge != nil && page.NextCursor == "" { // this stretch had no more
		page.NextCursor = encodeCursor(listEvents, position{at: time.Time(edge.AcceptedAt), id: edge.ID})
	}
	return page, nil
}

// between keeps the rows whose time is in [since, until).
func between(rows *gorm.DB, column string, since, until *time.Time) *gorm.DB {
	if since != nil {
		rows = rows.Where(column+" >= ?", moment(*since))
	}
	if until != nil {
		rows = rows.Where(column+" < ?", moment(*until))
	}
	return rows
}

// Event returns one event, whole.
func (s *Store) Event(ctx context.Context, tenant, id string) (Event, error) {
	if !couldExist(tenant, id) {
		return Event{}, noEvent()
	}
	var rows []eventRow
	err := s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		var err error
		rows, err = s.eventColumnsOf(tx, "*", tenant, id)
		return err
	})
	if err != nil {
		return Event{}, err
	}
	if len(rows) == 0 {
		return Event{}, noEvent()
	}
	return eventFromRow(&rows[0]), nil
}

// KeyedEvents returns, of those events that exist, what tells a repeated key from
// a reused one: Tenant, ID and BodyHash, by id. It is asked before every event
// with a key, so it takes no transaction: from afar each of its round trips would
// be felt. The ids are such as are made of keys; others need not be found.
func (s *Store) KeyedEvents(ctx context.Context, tenant string, ids []string) (map[string]Event, error) {
	if len(ids) == 0 || !couldExist(append([]string{tenant}, ids...)...) {
		return nil, nil
	}
	from, key := "events e", "e"
	if s.db.dialect == postgresDialect {
		from, key = "event_keys k JOIN events e ON e.tenant = k.tenant AND e.id = k.id AND e.accepted_at = k.accepted_at", "k"
	}
	condition, arg := s.db.dialect.in(key+".id", ids)
	var rows []eventRow
	if err := query(s.readAll(ctx), &rows, "SELECT e.id, e.body_hash FROM "+from+" WHERE "+key+".tenant = ? AND "+condition, tenant, arg); err != nil {
		return nil, s.translate(err)
	}
	events := make(map[string]Event, len(rows))
	for _, row := range rows {
		events[row.ID] = Event{Tenant: tenant, ID: row.ID, BodyHash: row.BodyHash}
	}
	return events, nil
}

func noEvent() error { return errs.New(errs.NotFound, "There is no such event") }
