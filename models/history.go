package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// HistoryFilter narrows the history of a webhook. Tenant and WebhookID are
// required; empty fields let all through. Since is inclusive, Until is not;
// both look at StartedAt.
type HistoryFilter struct {
	Tenant    string
	WebhookID string
	EventType string
	Success   *bool
	Since     *time.Time
	Until     *time.Time
	Limit     int
	Cursor    string
}

// idSlack is more than the clock of an attempt's id may be away from the time
// the attempt started. It lets a filter by time use the order of the ids.
const idSlack = time.Hour

// History lists the attempts of a webhook, newest first, without what was sent
// (request headers and body) and without response headers: Delivery has those.
// NotFound when the tenant has no such webhook.
func (s *Store) History(ctx context.Context, f HistoryFilter) (Page[Attempt], error) {
	after, err := decodeCursor(listAttempts, f.Cursor)
	if err != nil {
		return Page[Attempt]{}, err
	}
	limit := pageLimit(f.Limit)
	var rows []attemptRow
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		if err := s.mustHave(tx, "webhooks", f.Tenant, f.WebhookID, noWebhook()); err != nil {
			return err
		}
		return historyOf(tx, f, after).Limit(limit + 1).Find(&rows).Error
	})
	if err != nil {
		return Page[Attempt]{}, err
	}
	list, err := s.attemptsFromRows(rows)
	if err != nil {
		return Page[Attempt]{}, err
	}
	return pageOf(listAttempts, list, limit, func(a Attempt) position { return position{id: a.ID} }), nil
}

// historyOf selects the attempts that the filter lets through, newest first.
func historyOf(tx *gorm.DB, f HistoryFilter, after *position) *gorm.DB {
	found := tx.Table("attempts").Select(attemptSummaryColumns).
		Where("webhook_id = ? AND tenant = ?", f.WebhookID, f.Tenant)
	if f.EventType != "" {
		found = found.Where("event_type = ?", f.EventType)
	}
	if f.Success != nil && *f.Success {
		found = found.Where("success")
	} else if f.Success != nil {
		found = found.Where("NOT success")
	}
	found = between(found, "started_at", f.Since, f.Until)
	if f.Since != nil {
		found = found.Where("id > ?", timeOrdered(f.Since.Add(-idSlack), make([]byte, 16)))
	}
	if f.Until != nil {
		found = found.Where("id < ?", timeOrdered(f.Until.Add(idSlack), make([]byte, 16)))
	}
	if after != nil {
		found = found.Where("id < ?", after.id)
	}
	return found.Order("id DESC")
}

func (s *Store) attemptsFromRows(rows []attemptRow) ([]Attempt, error) {
	list := make([]Attempt, len(rows))
	for i := range rows {
		var err error
		if list[i], err = s.attemptFromRow(&rows[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}
