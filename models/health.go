package models

import (
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
)

// health is what a group of records does to one webhook: its row as it is, held
// until the transaction ends, and as it will be.
type health struct {
	row     webhookRow
	held    bool
	changed bool
	became  []AuditEntry // its changes of status
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
		if h.row.FailingSince == nil {
			h.row.FailingSince = momentPtr(&e.now)
		}
	} else {
		h.row.FailedInARow, h.row.FailingSince = 0, nil
	}
	if r.WebhookStatus != "" {
		h.become(e, r.WebhookStatus, r.StatusReason)
		return
	}
	if reason := h.brokenBy(e); reason != "" && h.row.Status == StatusActive {
		if r.StatusReason != "" {
			reason = r.StatusReason
		}
		h.become(e, StatusBroken, reason)
	}
}

// brokenBy says why a webhook has failed too often by now; "" when it has not. A
// span begins with a failure and is measured at a later one, so it has two at
// least.
func (h *health) brokenBy(e *entry) string {
	failed, since := h.row.FailedInARow, timePtr(h.row.FailingSince)
	if e.record.BrokenAfter > 0 && failed >= e.record.BrokenAfter {
		return fmt.Sprintf("%d attempts in a row failed", failed)
	}
	if e.record.BrokenAfterSpan <= 0 || since == nil {
		return ""
	}
	lasted := e.now.Sub(*since)
	if lasted < e.record.BrokenAfterSpan {
		return ""
	}
	return fmt.Sprintf("nothing but failures for %s: %d attempts since %s",
		lasted.Truncate(time.Second), failed, since.Format(time.RFC3339))
}

// become changes the status, and has the audit log say so.
func (h *health) become(e *entry, status, reason string) {
	if h.row.Status == status {
		return
	}
	before := Webhook{ID: h.row.ID, Tenant: h.row.Tenant, Status: h.row.Status, StatusReason: h.row.StatusReason}
	after := before
	after.Status, after.StatusReason = status, reason
	h.row.Status, h.row.StatusReason = status, reason
	h.row.StatusAt, h.row.UpdatedAt = moment(e.now), moment(e.now)
	h.became = append(h.became,
		auditOf(Actor{Kind: ActorSystem}, actionOf(&before, &after), &after, e.now, changesOf(&before, &after)))
}

var healthColumns = []string{
	"id", "tenant", "failed_in_a_row", "failing_since", "status", "status_reason", "status_at", "updated_at",
}

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
	{"id", textCol}, {"failed", numberCol}, {"since", timeCol}, {"status", textCol}, {"reason", textCol}, {"status_at", timeCol}, {"updated_at", timeCol},
}

// storeHealth writes the webhooks that changed, all of which are held.
func (s *Store) storeHealth(tx *gorm.DB, webhooks healthOf) error {
	b := &batch{columns: healthBatch}
	var became []AuditEntry
	for _, id := range sortedIDs(webhooks) {
		if h := webhooks[id]; h.changed {
			became = append(became, h.became...)
			b.add(id, h.row.FailedInARow, h.row.FailingSince, h.row.Status, h.row.StatusReason, h.row.StatusAt, h.row.UpdatedAt)
		}
	}
	err := s.db.dialect.inParts(b, func(source string, args []any) error {
		return tx.Exec("WITH v AS ("+source+`) UPDATE webhooks SET failed_in_a_row = v.failed, failing_since = v.since,
			status = v.status, status_reason = v.reason, status_at = v.status_at, updated_at = v.updated_at
			FROM v WHERE webhooks.id = v.id`, args...).Error
	})
	if err != nil {
		return err
	}
	if err := s.insertAudit(tx, became...); err != nil {
		return err
	}
	return s.insertNotices(tx, noticesOf(became...)...)
}
