package models

import (
	"context"

	"gorm.io/gorm"

	"posthaste/errs"
)

// CreateWebhook stores a new webhook and fills in its id, times and, where they
// are empty, its status. Conflict when the tenant has a webhook of the same
// provider with the same URL and the same set of events; LimitExceeded when it
// has as many webhooks as it may. The audit log says who did it.
func (s *Store) CreateWebhook(ctx context.Context, by Actor, w *Webhook) error {
	now := s.now()
	if w.ID == "" {
		w.ID = NewID(now)
	}
	if w.Status == "" {
		w.Status = StatusActive
	}
	w.CreatedAt, w.UpdatedAt, w.StatusAt = now, now, now
	row, err := s.webhookToRow(w)
	if err != nil {
		return err
	}
	err = s.writeAs(ctx, w.Tenant, func(tx *gorm.DB) error {
		if err := s.roomForWebhook(tx, w.Tenant); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return s.insertAudit(tx, auditOf(by, AuditCreated, w, w.CreatedAt, changesOf(&Webhook{}, w)))
	})
	return sameWebhook(err)
}

// Webhook returns one webhook, with its secrets and headers.
func (s *Store) Webhook(ctx context.Context, tenant, id string) (Webhook, error) {
	var row webhookRow
	err := s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		var err error
		row, err = s.webhookRow(tx, tenant, id, "")
		return err
	})
	if err != nil {
		return Webhook{}, err
	}
	return s.webhookFromRow(&row)
}

// webhookRow reads one webhook; lock is what the SELECT ends with.
func (s *Store) webhookRow(tx *gorm.DB, tenant, id, lock string) (webhookRow, error) {
	if !couldExist(tenant, id) {
		return webhookRow{}, noWebhook()
	}
	var rows []webhookRow
	err := query(tx, &rows, "SELECT * FROM webhooks WHERE tenant = ? AND id = ?"+lock, tenant, id)
	if err != nil {
		return webhookRow{}, s.translate(err)
	}
	if len(rows) == 0 {
		return webhookRow{}, noWebhook()
	}
	return rows[0], nil
}

// WebhookFilter narrows a list of webhooks. Tenant is required; an empty
// Provider or Status lets all through.
type WebhookFilter struct {
	Tenant   string
	Provider string
	Status   string
	Limit    int
	Cursor   string
}

// Webhooks lists webhooks, newest first, with their secrets and headers.
func (s *Store) Webhooks(ctx context.Context, f WebhookFilter) (Page[Webhook], error) {
	after, err := decodeCursor(listWebhooks, f.Cursor)
	if err != nil {
		return Page[Webhook]{}, err
	}
	limit := pageLimit(f.Limit)
	var rows []webhookRow
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		list := tx.Table("webhooks").Where("tenant = ?", f.Tenant)
		if f.Provider != "" {
			list = list.Where("provider = ?", f.Provider)
		}
		if f.Status != "" {
			list = list.Where("status = ?", f.Status)
		}
		if after != nil {
			list = list.Where("id < ?", after.id)
		}
		return list.Order("id DESC").Limit(limit + 1).Find(&rows).Error
	})
	if err != nil {
		return Page[Webhook]{}, err
	}
	hooks := make([]Webhook, len(rows))
	for i := range rows {
		if hooks[i], err = s.webhookFromRow(&rows[i]); err != nil {
			return Page[Webhook]{}, err
		}
	}
	return pageOf(listWebhooks, hooks, limit, func(w Webhook) position { return position{id: w.ID} }), nil
}

// UpdateWebhook reads a webhook, lets change alter it and stores the result, in
// one transaction with the row locked. An error of change undoes all and is
// returned as it is. ID, Tenant, Provider and CreatedAt cannot be changed;
// UpdatedAt, and StatusAt when the status changed, are set here. Conflict when
// the change makes it the same as another webhook. The audit log says who
// changed what, unless nothing that a person sees has changed.
func (s *Store) UpdateWebhook(ctx context.Context, by Actor, tenant, id string, change func(*Webhook) error) (Webhook, error) {
	var w Webhook
	err := s.writeAs(ctx, tenant, func(tx *gorm.DB) error {
		row, err := s.webhookRow(tx, tenant, id, s.db.dialect.lock("webhooks", false))
		if err != nil {
			return err
		}
		if w, err = s.webhookFromRow(&row); err != nil {
			return err
		}
		before := w
		if err := change(&w); err != nil {
			return err
		}
		w.ID, w.Tenant, w.Provider, w.CreatedAt = before.ID, before.Tenant, before.Provider, before.CreatedAt
		w.UpdatedAt, w.StatusAt = s.now(), before.StatusAt
		if w.Status != before.Status {
			w.StatusAt = w.UpdatedAt
		}
		if row, err = s.webhookToRow(&w); err != nil {
			return err
		}
		if err := tx.Model(&row).Select("*").Updates(&row).Error; err != nil { // paced_until is no part of the row
			return err
		}
		if leavesLine(&before, &w) {
			if err := tx.Exec("UPDATE webhooks SET paced_until = NULL WHERE id = ?", id).Error; err != nil {
				return err
			}
		}
		changed := changesOf(&before, &w)
		if len(changed) == 0 {
			return nil
		}
		entry := auditOf(by, actionOf(&before, &w), &w, w.UpdatedAt, changed)
		if err := s.insertAudit(tx, entry); err != nil {
			return err
		}
		return s.insertNotices(tx, noticesOf(entry)...)
	})
	if err != nil {
		return Webhook{}, sameWebhook(err)
	}
	return w, nil
}

// deleteChunk is how many deliveries one transaction deletes: so few that on
// SQLite, with its one writer, others wait some hundredths of a second.
const deleteChunk = 1000

// DeleteWebhook removes a webhook with its deliveries and attempts, for good.
// Events stay: they may concern others. A long history goes in several
// transactions, oldest first and the webhook itself last, because a million
// rows in one would hold up everybody else; when it ends early, call it again.
// The audit log says who did it, and keeps all that it says of the webhook.
func (s *Store) DeleteWebhook(ctx context.Context, by Actor, tenant, id string) error {
	for {
		left := false
		err := s.writeAs(ctx, tenant, func(tx *gorm.DB) error {
			var err error
			left, err = s.deleteSome(tx, by, tenant, id)
			return err
		})
		if err != nil || !left {
			return err
		}
	}
}

// deleteSome deletes the oldest deliveries of a webhook and, when there are no
// others, the webhook. It says whether anything is left.
func (s *Store) deleteSome(tx *gorm.DB, by Actor, tenant, id string) (left bool, err error) {
	row, err := s.webhookRow(tx, tenant, id, s.db.dialect.lock("webhooks", false))
	if err != nil {
		return false, err
	}
	done := tx.Exec(`DELETE FROM deliveries WHERE id IN
		(SELECT id FROM deliveries WHERE webhook_id = ? ORDER BY id LIMIT ?)`, id, deleteChunk)
	if done.Error != nil || done.RowsAffected == deleteChunk {
		return true, done.Error
	}
	// Attempts have no foreign key on PostgreSQL.
	done = tx.Exec(`DELETE FROM attempts WHERE (webhook_id, id) IN
		(SELECT webhook_id, id FROM attempts WHERE webhook_id = ? ORDER BY id LIMIT ?)`, id, deleteChunk)
	if done.Error != nil || done.RowsAffected == deleteChunk {
		return true, done.Error
	}
	row.Headers, row.Secret, row.PreviousSecret = nil, nil, nil // what cannot be opened can still be deleted
	w, err := s.webhookFromRow(&row)
	if err != nil {
		return false, err
	}
	if err := tx.Exec("DELETE FROM webhooks WHERE id = ?", id).Error; err != nil {
		return false, err
	}
	// Only now: whoever was recording a delivery of the webhook has ended, and
	// there are no deliveries left to record.
	if err := tx.Exec("DELETE FROM attempts WHERE webhook_id = ?", id).Error; err != nil {
		return false, err
	}
	if err := tx.Exec("DELETE FROM rollups WHERE webhook_id = ?", id).Error; err != nil {
		return false, err
	}
	return false, s.insertAudit(tx, auditOf(by, AuditDeleted, &w, s.now(), changesOf(&w, &Webhook{})))
}

func noWebhook() error { return errs.New(errs.NotFound, "There is no such webhook") }

// sameWebhook says what a broken unique index means here.
func sameWebhook(err error) error {
	if errs.Is(err, errs.Conflict) && isDuplicate(err) {
		return errs.Wrap(err, errs.Conflict, "A webhook with this URL and these events exists already")
	}
	return err
}
