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

// historyRoom is what the answers' bodies on one page may come to as JSON: 16 of
// the longest that are read, and a hundred of the usual. A page ends before the
// one that would be over it.
const historyRoom = 1 << 20

// History lists the attempts of a webhook, newest first, without what was sent
// (request headers and body) and without response headers: Delivery has those. A
// page with long answers on it ends before its limit; NextCursor goes on behind
// it. NotFound when the tenant has no such webhook.
func (s *Store) History(ctx context.Context, f HistoryFilter) (Page[Attempt], error) {
	after, err := decodeCursor(listAttempts, f.Cursor)
	if err != nil {
		return Page[Attempt]{}, err
	}
	var page attemptPage
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		if err := s.mustHave(tx, "webhooks", f.Tenant, f.WebhookID, noWebhook()); err != nil {
			return err
		}
		page = attemptPage{limit: pageLimit(f.Limit)}
		for _, r := range s.reaches(f, after) {
			if err := page.read(tx, s.db.dialect.historyOf(tx, f, r, page.limit+1-len(page.rows))); err != nil {
				return err
			}
			if page.full {
				break
			}
		}
		return nil
	})
	if err != nil {
		return Page[Attempt]{}, err
	}
	list, err := s.attemptsFromRows(page.rows)
	if err != nil {
		return Page[Attempt]{}, err
	}
	found := Page[Attempt]{Items: list}
	if page.full {
		found.NextCursor = encodeCursor(listAttempts, position{id: list[len(list)-1].ID})
	}
	return found, nil
}

// attemptPage is a page of a history while it is read.
type attemptPage struct {
	rows  []attemptRow
	limit int
	used  int  // of historyRoom
	full  bool // there is more behind it
}

// read takes rows one by one until the page is full, so that no more of them is
// ever held than a page may have.
func (p *attemptPage) read(tx, found *gorm.DB) error {
	rows, err := found.Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err tells what ended them
	for !p.full && rows.Next() {
		var row attemptRow
		if err := tx.ScanRows(rows, &row); err != nil {
			return err
		}
		p.take(row)
	}
	return rows.Err()
}

// take puts a row on the page, or finds the page full. It has room for one row,
// however long.
func (p *attemptPage) take(row attemptRow) {
	size := sizeInJSON(row.ResponseBody)
	if p.full = len(p.rows) == p.limit || len(p.rows) > 0 && p.used+size > historyRoom; p.full {
		return
	}
	p.rows, p.used = append(p.rows, row), p.used+size
}

// sizeInJSON is about what a body comes to as a JSON text, where a control
// character takes six bytes. The rest at most doubles: what is no UTF-8, say.
func sizeInJSON(body []byte) int {
	size := len(body)
	for _, ch := range body {
		switch {
		case ch < ' ':
			size += 5
		case ch == '"' || ch == '\\':
			size++
		}
	}
	return size
}

// reach is the part of a history that one statement reads: the ids before one
// and from another on, which is "" for all the rest.
type reach struct{ before, from string }

// historyReaches are how many days' partitions the statements of one page plan
// over, one after the other while the page is not full; the last one takes the
// rest. Planning costs more than reading, above all the first time on a
// connection, and nearly every page is full within two days.
var historyReaches = []int{2, 8, 32}

// clockSlack is how far ahead of ours the clock of a process may be that makes
// attempts. Of the days ahead nothing else is read.
const clockSlack = day

// reaches cuts what may be on a page into parts, the newest first.
func (s *Store) reaches(f HistoryFilter, after *position) []reach {
	newest := s.now().Add(clockSlack)
	if f.Until != nil && f.Until.Before(newest) {
		newest = f.Until.Add(idSlack)
	}
	before := idFrom(newest)
	if after != nil && after.id < before {
		before, newest = after.id, timeOf(after.id)
	}
	if s.db.dialect == sqliteDialect {
		return []reach{{before: before}}
	}
	var parts []reach
	for _, days := range historyReaches {
		from := dayOf(newest).AddDate(0, 0, 1-days)
		parts = append(parts, reach{before: before, from: idFrom(from)})
		before = idFrom(from)
		if f.Since != nil && !from.After(f.Since.Add(-idSlack)) {
			return parts
		}
	}
	return append(parts, reach{before: before})
}

// historyOf selects the first attempts that the filter lets through, newest
// first. Each of its conditions but the time is a prefix of an index whose next
// column is the id. There is none by type alone: the successes and the failures
// of a type are two stretches of one index, and the first rows of both together
// hold the first rows of all.
func (d dialect) historyOf(tx *gorm.DB, f HistoryFilter, r reach, rows int) *gorm.DB {
	if f.EventType == "" || f.Success != nil {
		return d.stretchOf(tx, f, r).Limit(rows)
	}
	yes, no := true, false
	succeeded, failed := f, f
	succeeded.Success, failed.Success = &yes, &no
	both := tx.Raw("SELECT * FROM (?) AS succeeded UNION ALL SELECT * FROM (?) AS failed",
		d.stretchOf(tx, succeeded, r).Limit(rows), d.stretchOf(tx, failed, r).Limit(rows))
	return tx.Table("(?) AS attempts", both).Order("id DESC").Limit(rows)
}

// stretchOf selects a stretch of one index.
func (d dialect) stretchOf(tx *gorm.DB, f HistoryFilter, r reach) *gorm.DB {
	from := "attempts"
	switch {
	case f.EventType != "":
		from = d.along(from, "attempts_of_type")
	case f.Success != nil:
		from = d.along(from, "attempts_of_result")
	}
	found := tx.Table(from).Select(attemptSummaryColumns).
		Where("webhook_id = ? AND tenant = ? AND id < ?", f.WebhookID, f.Tenant, r.before)
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
	if r.from != "" {
		found = found.Where("id >= ?", r.from)
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
