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

// idSlack is how far the clock of an attempt's id may be away from the time the
// attempt started; Record sees to it. It lets a filter by time use the order of
// the ids, and bounds what such a filter reads in vain.
const idSlack = time.Second

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
		return s.db.dialect.historyOf(tx, f, after, limit+1).Find(&rows).Error
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

// historyOf selects the first attempts that the filter lets through, newest
// first. Each of its conditions but the time is a prefix of an index whose next
// column is the id. There is none by type alone: the successes and the failures
// of a type are two stretches of one index, and the first rows of both together
// hold the first rows of all.
func (d dialect) historyOf(tx *gorm.DB, f HistoryFilter, after *position, rows int) *gorm.DB {
	if f.EventType == "" || f.Success != nil {
		return d.stretchOf(tx, f, after).Limit(rows)
	}
	yes, no := true, false
	succeeded, failed := f, f
	succeeded.Success, failed.Success = &yes, &no
	both := tx.Raw("SELECT * FROM (?) AS succeeded UNION ALL SELECT * FROM (?) AS failed",
		d.stretchOf(tx, succeeded, after).Limit(rows), d.stretchOf(tx, failed, after).Limit(rows))
	return tx.Table("(?) AS attempts", both).Order("id DESC").Limit(rows)
}

// stretchOf selects a stretch of one index.
func (d dialect) stretchOf(tx *gorm.DB, f HistoryFilter, after *position) *gorm.DB {
	from := "attempts"
	switch {
	case f.EventType != "":
		from = d.along(from, "attempts_of_type")
	case f.Success != nil:
		from = d.along(from, "attempts_of_result")
	}
	found := tx.Table(from).Select(attemptSummaryColumns).
		Where("webhook_id = ? AND tenant = ?", f.WebhookID, f.Tenant)
	if f.EventType != "" {
		found = found.Where("event_type = ?", f.EventType)
	}
	if f.Success != nil {
		found = found.Where("success = ?", *f.Success)
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
