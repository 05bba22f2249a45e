package models

import (
	"context"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// The statuses of a tenant.
const (
	TenantActive   = "active"
	TenantInactive = "inactive" // may read, and change nothing that sends
)

// Limits are what a tenant may have and do. 0 sets no limit.
type Limits struct {
	Webhooks        int
	EventsPerMinute int // the API counts them, not the ledger
}

// Tenant is one customer of the platform. Nobody has to make one: a name that
// has no row is an active tenant with the default limits, and zero times.
type Tenant struct {
	ID     string
	Status string
	Limits Limits
	// RetentionDays is how long what is the tenant's is kept: nil = the
	// installation's time, 0 = for ever.
	RetentionDays *int
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// tenantRow is a tenant as it lies in the table tenants.
type tenantRow struct {
	ID                   string
	Status               string
	LimitWebhooks        int
	LimitEventsPerMinute int
	RetentionDays        *int
	CreatedAt            moment
	UpdatedAt            moment
}

// TableName names the table for gorm.
func (tenantRow) TableName() string { return "tenants" }

func tenantFromRow(row *tenantRow) Tenant {
	return Tenant{
		ID: row.ID, Status: row.Status,
		Limits:        Limits{Webhooks: row.LimitWebhooks, EventsPerMinute: row.LimitEventsPerMinute},
		RetentionDays: row.RetentionDays,
		CreatedAt:     time.Time(row.CreatedAt), UpdatedAt: time.Time(row.UpdatedAt),
	}
}

// Tenant returns a tenant. Beside an error it returns what a tenant without a
// row is like, so that a caller who can do without the database may go on with
// that. It stands before every request that makes something, so it takes no
// transaction: from afar each of its round trips would be felt.
func (s *Store) Tenant(ctx context.Context, id string) (Tenant, error) {
	return s.tenant(s.readAll(ctx), id)
}

// unknownTenant is what a tenant without a row is like.
func (s *Store) unknownTenant(id string) Tenant {
	return Tenant{ID: id, Status: TenantActive, Limits: s.limits}
}

func (s *Store) tenant(tx *gorm.DB, id string) (Tenant, error) {
	otherwise := s.unknownTenant(id)
	if !couldExist(id) {
		return otherwise, noTenant()
	}
	var rows []tenantRow
	if err := query(tx, &rows, "SELECT * FROM tenants WHERE id = ?", id); err != nil {
		return otherwise, s.translate(err)
	}
	if len(rows) == 0 {
		return otherwise, nil
	}
	return tenantFromRow(&rows[0]), nil
}

// PutTenant sets a tenant's status, limits and retention and fills in its times. Webhooks
// above a lower limit stay; there will be no new ones.
func (s *Store) PutTenant(ctx context.Context, t *Tenant) error {
	if !couldExist(t.ID) {
		return noTenant()
	}
	var rows []tenantRow
	err := s.writeAs(ctx, t.ID, func(tx *gorm.DB) error {
		rows = nil
		now := moment(s.now())
		return query(tx, &rows, `INSERT INTO tenants
			(id, status, limit_webhooks, limit_events_per_minute, retention_days, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET status = excluded.status, limit_webhooks = excluded.limit_webhooks,
				limit_events_per_minute = excluded.limit_events_per_minute,
				retention_days = excluded.retention_days, updated_at = excluded.updated_at
			RETURNING *`,
			t.ID, t.Status, t.Limits.Webhooks, t.Limits.EventsPerMinute, t.RetentionDays, now, now)
	})
	if err != nil {
		return err
	}
	*t = tenantFromRow(&rows[0])
	return nil
}

func noTenant() error { return errs.New(errs.NotFound, "There is no such tenant") }

// webhookLocks is the space of the advisory locks that roomForWebhook takes:
// they have two numbers, so no lock of one number (goose's) is ever the same.
const webhookLocks = 0x7068

// roomForWebhook refuses a webhook over the tenant's limit. Until the
// transaction ends nobody else gets an answer for this tenant, so that two who
// come at once do not both take the last place: on PostgreSQL by a lock of the
// tenant's name (there may be no row to lock), on SQLite by the one writer. It
// counts no more entries of an index than the limit allows.
func (s *Store) roomForWebhook(tx *gorm.DB, tenant string) error {
	found, err := s.tenant(tx, tenant)
	limit := found.Limits.Webhooks
	if err != nil || limit == 0 {
		return err
	}
	if s.db.dialect == postgresDialect {
		err := tx.Exec("SELECT pg_advisory_xact_lock(?::int, hashtext(?))", webhookLocks, tenant).Error
		if err != nil {
			return err
		}
	}
	var counts []int
	err = query(tx, &counts, "SELECT COUNT(*) FROM (SELECT 1 FROM webhooks WHERE tenant = ? LIMIT ?) AS present", tenant, limit)
	if err != nil {
		return err
	}
	if counts[0] >= limit {
		return errs.New(errs.LimitExceeded, "The plan's limit of webhooks is reached: %d", limit)
	}
	return nil
}
