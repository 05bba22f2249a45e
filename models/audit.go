package models

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"time"

	"gorm.io/gorm"
)

// The kinds of actors.
const (
	ActorToken  = "token"
	ActorAPIKey = "api-key"
	ActorSystem = "system" // nobody: what followed from an attempt
)

// ActorKinds lists the kinds of actors.
func ActorKinds() []string { return []string{ActorToken, ActorAPIKey, ActorSystem} }

// Actor is who changes something, as the audit log names them.
type Actor struct {
	Kind      string // ActorToken, ActorAPIKey or ActorSystem
	Name      string // the token's subject, which may be empty, or the API key's id
	RequestID string // of the request that asked for it; empty for the system
}

// What the audit log says was done to a webhook.
const (
	AuditCreated       = "created"
	AuditUpdated       = "updated"
	AuditPaused        = "paused"
	AuditResumed       = "resumed" // active again, after whatever other status
	AuditSecretRotated = "secret-rotated"
	AuditDeleted       = "deleted"
	AuditGone          = "gone"     // by the system: answered 410
	AuditBroken        = "broken"   // by the system: failed too often
	AuditReplayed      = "replayed" // its settled deliveries are sent again
)

// AuditActions lists all actions.
func AuditActions() []string {
	return []string{
		AuditCreated, AuditUpdated, AuditPaused, AuditResumed, AuditSecretRotated, AuditDeleted, AuditGone, AuditBroken,
		AuditReplayed,
	}
}

// AuditEntry is one change of a webhook. Entries are never changed, and they
// outlive their webhook.
type AuditEntry struct {
	ID        string // a UUIDv7: sorts by At
	Tenant    string
	WebhookID string
	At        time.Time
	Actor     Actor
	Action    string // one of AuditActions
	// Changes is a JSON object: the name of a member, as the API has it, to
	// {"from": …, "to": …}. It holds no secret and no header's value.
	Changes json.RawMessage

	reason string // of a change of status, while it is made
}

// auditRow is an entry as it lies in the table audit.
type auditRow struct {
	ID        string
	Tenant    string
	WebhookID string
	At        moment
	ActorKind string
	Actor     string
	Action    string
	Changes   string
	RequestID string
}

// AuditFilter names the webhook whose entries are wanted. Tenant and WebhookID
// are required.
type AuditFilter struct {
	Tenant    string
	WebhookID string
	Limit     int
	Cursor    string
}

// Audit lists what was done to a webhook, newest first, also after it was
// deleted. NotFound when the tenant has neither the webhook nor entries of it.
func (s *Store) Audit(ctx context.Context, f AuditFilter) (Page[AuditEntry], error) {
	after, err := decodeCursor(listAudit, f.Cursor)
	if err != nil {
		return Page[AuditEntry]{}, err
	}
	if !couldExist(f.Tenant, f.WebhookID) {
		return Page[AuditEntry]{}, noWebhook()
	}
	limit := pageLimit(f.Limit)
	var rows []auditRow
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		list := tx.Table("audit").Where("tenant = ? AND webhook_id = ?", f.Tenant, f.WebhookID)
		if after != nil {
			list = list.Where("id < ?", after.id)
		}
		err := list.Order("id DESC").Limit(limit + 1).Find(&rows).Error
		if err != nil || len(rows) > 0 {
			return err
		}
		return s.mustHave(tx, "webhooks", f.Tenant, f.WebhookID, noWebhook())
	})
	if err != nil {
		return Page[AuditEntry]{}, err
	}
	entries := make([]AuditEntry, len(rows))
	for i, row := range rows {
		entries[i] = AuditEntry{
			ID: row.ID, Tenant: row.Tenant, WebhookID: row.WebhookID, At: time.Time(row.At),
			Actor:  Actor{Kind: row.ActorKind, Name: row.Actor, RequestID: row.RequestID},
			Action: row.Action, Changes: json.RawMessage(row.Changes),
		}
	}
	return pageOf(listAudit, entries, limit, func(e AuditEntry) position { return position{id: e.ID} }), nil
}

// auditID is NewID with the microseconds in front of the random bits: changes of
// one webhook come one after the other, but perhaps within a millisecond.
func auditID(at time.Time) string {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // never fails, see NewID
	binary.BigEndian.PutUint16(bits[:], uint16(at.UnixMicro()%1000))
	return timeOrdered(at, bits[:])
}

var auditBatch = []column{
	{"id", textCol}, {"tenant", textCol}, {"webhook_id", textCol}, {"at", timeCol}, {"actor_kind", textCol},
	{"actor", textCol}, {"action", textCol}, {"changes", textCol}, {"request_id", textCol},
}

// insertAudit writes entries, in the transaction of the changes they tell of.
// Ids are set here.
func (s *Store) insertAudit(tx *gorm.DB, entries ...AuditEntry) error {
	b := &batch{columns: auditBatch}
	for _, e := range entries {
		b.add(auditID(e.At), e.Tenant, e.WebhookID, moment(e.At), e.Actor.Kind, cleanText(e.Actor.Name),
			e.Action, string(e.Changes), cleanText(e.Actor.RequestID))
	}
	return s.db.dialect.inParts(b, func(source string, args []any) error {
		return tx.Exec("INSERT INTO audit ("+b.names()+") "+source, args...).Error
	})
}
