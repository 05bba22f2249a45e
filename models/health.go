package models

import (
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// health is what a group of records does to one webhook: its row as it is, held
// until the transaction ends, and as it will be.
type health struct {
	row     webhookRow
	held    bool
	changed bool
}

// healthOf is the webhooks that a group of records counts for.
type healthOf map[string]*health

// ready reports whether a record may be stored now: a webhook that it changes
// must be held.
func (webhooks healthOf) ready(e *entry) bool {
	h := webhooks[e.record.Delivery.WebhookID]
	return e.record.WebhookFailed == nil || h == nil || h.held || !h.concerns(e)
}

// concerns reports whether a record changes the webhook at all. A success of a
// webhook in good health, which is nearly every record, does not.
func (h *health) concerns(e *entry) bool {
	r := &e.record
	return r.WebhookFailed != nil && (*r.WebhookFailed || r.WebhookStatus != "" || h.row.FailedInARow > 0)
}

// count applies a record that was stored to its webhook.
func (webhooks healthOf) count(e *entry) {
	r := &e.record
	h := webhooks[r.Delivery.WebhookID]
	if h == nil || !h.held || !h.concerns(e) {
		return
	}
	h.changed = true
	if *r.WebhookFailed {
		h.row.FailedInARow++
	} else {
		h.row.FailedInARow = 0
	}
	switch {
	case r.WebhookStatus != "":
		h.become(e, r.WebhookStatus, r.StatusReason)
	case r.BrokenAfter > 0 && h.row.FailedInARow >= r.BrokenAfter && h.row.Status == StatusActive:
		reason := r.StatusReason
		if reason == "" {
			reason = fmt.Sprintf("%d attempts in a row failed", h.row.FailedInARow)
		}
		h.become(e, StatusBroken, reason)
	}
}

func (h *health) become(e *entry, status, reason string) {
	if h.row.Status == status {
		return
	}
	h.row.Status, h.row.StatusReason = status, reason
	h.row.StatusAt, h.row.UpdatedAt = moment(e.now), moment(e.now)
}

var healthColumns = []string{"id", "failed_in_a_row", "status", "status_reason", "status_at", "updated_at"}

// lockWebhooks reads the webhooks that the group counts for and holds those
// that it changes; those that someone else holds stay unheld unless wait is set.
func (s *Store) lockWebhooks(tx *gorm.DB, group []*entry, wait bool) (healthOf, error) {
	webhooks := healthOf{}
	for _, e := range group {
		if e.record.WebhookFailed != nil {
			webhooks[e.record.Delivery.WebhookID] = nil
		}
	}
	if len(webhooks) == 0 {
		return webhooks, nil
	}
	rows, err := s.healthRows(tx, sortedIDs(webhooks), "")
	if err != nil {
		return nil, err
	}
	clear(webhooks)
	for _, row := range rows {
		webhooks[row.ID] = &health{row: row, held: s.db.dialect == sqliteDialect}
	}
	concerned := healthOf{}
	for _, e := range group {
		h := webhooks[e.record.Delivery.WebhookID]
		if h != nil && !h.held && h.concerns(e) {
			concerned[h.row.ID] = h
		}
	}
	if len(concerned) == 0 {
		return webhooks, nil
	}
	rows, err = s.healthRows(tx, sortedIDs(concerned), s.db.dialect.lock("webhooks", !wait))
	for _, row := range rows {
		webhooks[row.ID] = &health{row: row, held: true}
	}
	return webhooks, err
}

func (s *Store) healthRows(tx *gorm.DB, ids []string, lock string) ([]webhookRow, error) {
	condition, arg := s.db.dialect.in("id", ids)
	var rows []webhookRow
	err := query(tx, &rows, "SELECT "+selectList("webhooks", "", healthColumns)+" FROM webhooks WHERE "+condition+
		" ORDER BY id"+lock, arg)
	return rows, err
}

func sortedIDs(webhooks healthOf) []string {
	ids := make([]string, 0, len(webhooks))
	for id := range webhooks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

var healthBatch = []column{
	{"id", textCol}, {"failed", numberCol}, {"status", textCol}, {"reason", textCol}, {"status_at", timeCol}, {"updated_at", timeCol},
}

// storeHealth writes the webhooks that changed, all of which are held.
func (s *Store) storeHealth(tx *gorm.DB, webhooks healthOf) error {
	b := &batch{columns: healthBatch}
	for _, id := range sortedIDs(webhooks) {
		if h := webhooks[id]; h.changed {
			b.add(id, h.row.FailedInARow, h.row.Status, h.row.StatusReason, h.row.StatusAt, h.row.UpdatedAt)
		}
	}
	if len(b.rows) == 0 {
		return nil
	}
	source, args, err := s.db.dialect.selectFrom(b)
	if err != nil {
		return err
	}
	return tx.Exec("WITH v AS ("+source+`) UPDATE webhooks SET failed_in_a_row = v.failed, status = v.status,
		status_reason = v.reason, status_at = v.status_at, updated_at = v.updated_at FROM v WHERE webhooks.id = v.id`,
		args...).Error
}
