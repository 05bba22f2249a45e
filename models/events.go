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
// left out: a page of them could be tens of megabytes.
func (s *Store) Events(ctx context.Context, f EventFilter) (Page[Event], error) {
	after, err := decodeCursor(listEvents, f.Cursor)
	if err != nil {
		return Page[Event]{}, err
	}
	limit := pageLimit(f.Limit)
	var rows []eventRow
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		found := tx.Table("events").Select(eventSummaryColumns).Where("tenant = ?", f.Tenant)
		if f.Provider != "" {
			found = found.Where("provider = ?", f.Provider)
		}
		if f.Type != "" {
			found = found.Where("type = ?", f.Type)
		}
		found = between(found, "accepted_at", f.Since, f.Until)
		if after != nil {
			found = found.Where("(accepted_at, id) < (?, ?)", moment(after.at), after.id)
		}
		return found.Order("accepted_at DESC, id DESC").Limit(limit + 1).Find(&rows).Error
	})
	if err != nil {
		return Page[Event]{}, err
	}
	list := make([]Event, len(rows))
	for i := range rows {
		list[i] = eventFromRow(&rows[i])
	}
	return pageOf(listEvents, list, limit, func(e Event) position {
		return position{at: e.AcceptedAt, id: e.ID}
	}), nil
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

// KeyedEvent returns of one event what tells a repeated key from a reused one:
// Tenant, ID and BodyHash. It is asked before every event with a key, so it takes
// no transaction: from afar each of its round trips would be felt.
func (s *Store) KeyedEvent(ctx context.Context, tenant, id string) (Event, error) {
	rows, err := s.eventColumnsOf(s.readAll(ctx), "tenant, id, body_hash", tenant, id)
	if err != nil {
		return Event{}, s.translate(err)
	}
	if len(rows) == 0 {
		return Event{}, noEvent()
	}
	return Event{Tenant: rows[0].Tenant, ID: rows[0].ID, BodyHash: rows[0].BodyHash}, nil
}

func noEvent() error { return errs.New(errs.NotFound, "There is no such event") }
