package models

import (
	"context"
	"time"
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
	if err := s.mustHave(ctx, "webhooks", f.Tenant, f.WebhookID, noWebhook()); err != nil {
		return Page[Attempt]{}, err
	}
	limit := pageLimit(f.Limit)
	found := s.read(ctx).Table("attempts").Select(attemptSummaryColumns).
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
	var rows []attemptRow
	if err := found.Order("id DESC").Limit(limit + 1).Find(&rows).Error; err != nil {
		return Page[Attempt]{}, s.translate(err)
	}
	list, err := s.attemptsFromRows(rows)
	if err != nil {
		return Page[Attempt]{}, err
	}
	return pageOf(listAttempts, list, limit, func(a Attempt) position { return position{id: a.ID} }), nil
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
