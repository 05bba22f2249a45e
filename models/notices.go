package models

import (
	"context"
	"time"

	"gorm.io/gorm"
)

// OperationsProvider is the provider of webhooks that are told of a tenant's
// other webhooks.
const OperationsProvider = "operations"

// What they are told: the types of the provider's events.
const (
	NoticeDisabled  = "webhook.disabled"   // a person paused a webhook
	NoticeGone      = "webhook.gone"       // it answered 410
	NoticeBroken    = "webhook.broken"     // it failed too often
	NoticeExhausted = "delivery.exhausted" // a delivery has failed for good
)

// Notice is something that happened to a webhook, on its way to becoming an
// event.
type Notice struct {
	ID          string // of the event that it becomes
	Tenant      string
	Type        string
	At          time.Time
	WebhookID   string
	WebhookName string
	Provider    string // of the webhook that it tells of
	Host        string
	Reason      string
	// What follows tells of a delivery; empty in other notices.
	DeliveryID string
	EventID    string
	EventType  string
	Attempts   int
	StatusCode *int
}

// noticeRow is a notice as it lies in the table notices.
type noticeRow struct {
	ID, Tenant, Type               string
	At                             moment
	WebhookID, WebhookName         string
	Provider                       string
	URL                            string `gorm:"column:url"`
	Reason                         string
	DeliveryID, EventID, EventType string
	Attempts                       int
	StatusCode                     *int
}

var noticeBatch = []column{
	{"id", textCol}, {"tenant", textCol}, {"type", textCol}, {"at", timeCol}, {"webhook_id", textCol}, {"reason", textCol},
	{"delivery_id", textCol}, {"event_id", textCol}, {"event_type", textCol}, {"attempts", numberCol}, {"status_code", numberCol},
}

// insertNotices writes notices, in the transaction of what they tell of, for
// those tenants alone that have somebody to tell: an active webhook of the
// provider for it. What happens to such a webhook itself is told to nobody, so
// that no failure tells of itself. Ids are set here.
func (s *Store) insertNotices(tx *gorm.DB, notices ...Notice) error {
	b := &batch{columns: noticeBatch}
	for _, n := range notices {
		b.add(NewID(n.At), n.Tenant, n.Type, moment(n.At), n.WebhookID, n.Reason,
			n.DeliveryID, n.EventID, n.EventType, n.Attempts, n.StatusCode)
	}
	return s.db.dialect.inParts(b, func(source string, args []any) error {
		return tx.Exec(`INSERT INTO notices (id, tenant, type, at, webhook_id, webhook_name, provider, url, reason,
				delivery_id, event_id, event_type, attempts, status_code)
			SELECT v.id, v.tenant, v.type, v.at, v.webhook_id, w.name, w.provider, w.url, v.reason,
				v.delivery_id, v.event_id, v.event_type, v.attempts, v.status_code
			FROM (`+source+`) AS v JOIN webhooks w ON w.id = v.webhook_id WHERE w.provider <> ? AND EXISTS
				(SELECT 1 FROM webhooks o WHERE o.tenant = v.tenant AND o.provider = ? AND o.status = ?)`,
			append(args, OperationsProvider, OperationsProvider, StatusActive)...).Error
	})
}

// exhausted are the notices of deliveries that have failed for good, test sends
// apart.
func exhausted(group []*entry, moved map[string]*deliveryRow) []Notice {
	var notices []Notice
	for _, e := range group {
		row := moved[e.record.Delivery.ID]
		if row == nil || e.to != StateFailed || row.Test {
			continue
		}
		n := Notice{
			Tenant: e.record.Delivery.Tenant, Type: NoticeExhausted, At: e.now, WebhookID: row.WebhookID, Reason: e.record.Reason,
			DeliveryID: row.ID, EventID: row.EventID, EventType: row.EventType, Attempts: row.Attempts,
		}
		if e.attempt != nil {
			n.StatusCode = e.attempt.StatusCode
		}
		notices = append(notices, n)
	}
	return notices
}

// noticesOf are the notices that follow from changes of status.
func noticesOf(entries ...AuditEntry) []Notice {
	types := map[string]string{AuditPaused: NoticeDisabled, AuditGone: NoticeGone, AuditBroken: NoticeBroken}
	var notices []Notice
	for _, e := range entries {
		if kind, told := types[e.Action]; told {
			notices = append(notices, Notice{Tenant: e.Tenant, Type: kind, At: e.At, WebhookID: e.WebhookID, Reason: e.reason})
		}
	}
	return notices
}

// Notices returns the oldest notices of all tenants that have not become events
// yet, at most limit.
func (s *Store) Notices(ctx context.Context, limit int) ([]Notice, error) {
	var rows []noticeRow
	if err := query(s.readAll(ctx), &rows, "SELECT * FROM notices ORDER BY id LIMIT ?", limit); err != nil {
		return nil, s.translate(err)
	}
	notices := make([]Notice, len(rows))
	for i, row := range rows {
		notices[i] = Notice{
			ID: row.ID, Tenant: row.Tenant, Type: row.Type, At: time.Time(row.At), WebhookID: row.WebhookID, WebhookName: row.WebhookName,
			Provider: row.Provider, Host: hostOf(row.URL), Reason: row.Reason, DeliveryID: row.DeliveryID, EventID: row.EventID,
			EventType: row.EventType, Attempts: row.Attempts, StatusCode: row.StatusCode,
		}
	}
	return notices, nil
}

// DeleteNotices drops notices that have become events.
func (s *Store) DeleteNotices(ctx context.Context, ids ...string) error {
	if len(ids) == 0 || !couldExist(ids...) {
		return nil
	}
	condition, arg := s.db.dialect.in("id", ids)
	return s.writeAll(ctx, func(tx *gorm.DB) error { return tx.Exec("DELETE FROM notices WHERE "+condition, arg).Error })
}
