package models

import (
	"context"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// APIKey is a credential of a tenant. The key itself is kept nowhere.
type APIKey struct {
	ID         string // set by CreateAPIKey when empty
	Tenant     string
	Name       string
	Hash       string // SHA-256 of the key, in hex; unique
	Shown      string // how the key begins
	CreatedAt  time.Time
	LastUsedAt *time.Time // nil until it is used; up to a minute old
	ExpiresAt  *time.Time // nil = never
}

// touchEvery is how often at most the use of a key is noted: a write per
// request would cost more than the request.
const touchEvery = time.Minute

// apiKeyRow is a key as it lies in the table api_keys.
type apiKeyRow struct {
	ID         string
	Tenant     string
	Name       string
	Hash       string
	Shown      string
	CreatedAt  moment `gorm:"autoCreateTime:false"`
	LastUsedAt *moment
	ExpiresAt  *moment
}

// TableName names the table for gorm.
func (apiKeyRow) TableName() string { return "api_keys" }

func apiKeyFromRow(row *apiKeyRow) APIKey {
	return APIKey{
		ID: row.ID, Tenant: row.Tenant, Name: row.Name, Hash: row.Hash, Shown: row.Shown,
		CreatedAt: time.Time(row.CreatedAt), LastUsedAt: timePtr(row.LastUsedAt), ExpiresAt: timePtr(row.ExpiresAt),
	}
}

// CreateAPIKey stores a new key and fills in its id and time.
func (s *Store) CreateAPIKey(ctx context.Context, k *APIKey) error {
	k.CreatedAt = s.now()
	if k.ID == "" {
		k.ID = NewID(k.CreatedAt)
	}
	if k.ExpiresAt != nil {
		k.ExpiresAt = new(toMicros(*k.ExpiresAt))
	}
	row := apiKeyRow{
		ID: k.ID, Tenant: k.Tenant, Name: k.Name, Hash: k.Hash, Shown: k.Shown,
		CreatedAt: moment(k.CreatedAt), LastUsedAt: momentPtr(k.LastUsedAt), ExpiresAt: momentPtr(k.ExpiresAt),
	}
	return s.writeAs(ctx, k.Tenant, func(tx *gorm.DB) error { return tx.Create(&row).Error })
}

// APIKeyFilter narrows a list of keys. Tenant is required.
type APIKeyFilter struct {
	Tenant string
	Limit  int
	Cursor string
}

// APIKeys lists a tenant's keys, newest first, those that have expired too.
func (s *Store) APIKeys(ctx context.Context, f APIKeyFilter) (Page[APIKey], error) {
	after, err := decodeCursor(listAPIKeys, f.Cursor)
	if err != nil {
		return Page[APIKey]{}, err
	}
	limit := pageLimit(f.Limit)
	var rows []apiKeyRow
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		list := tx.Table("api_keys").Where("tenant = ?", f.Tenant)
		if after != nil {
			list = list.Where("id < ?", after.id)
		}
		return list.Order("id DESC").Limit(limit + 1).Find(&rows).Error
	})
	if err != nil {
		return Page[APIKey]{}, err
	}
	keys := make([]APIKey, len(rows))
	for i := range rows {
		keys[i] = apiKeyFromRow(&rows[i])
	}
	return pageOf(listAPIKeys, keys, limit, func(k APIKey) position { return position{id: k.ID} }), nil
}

// DeleteAPIKey revokes a key, for good.
func (s *Store) DeleteAPIKey(ctx context.Context, tenant, id string) error {
	if !couldExist(tenant, id) {
		return noAPIKey()
	}
	return s.writeAs(ctx, tenant, func(tx *gorm.DB) error {
		done := tx.Exec("DELETE FROM api_keys WHERE tenant = ? AND id = ?", tenant, id)
		if done.Error == nil && done.RowsAffected == 0 {
			return noAPIKey()
		}
		return done.Error
	})
}

// APIKeyByHash returns the key with the hash, whosever it is. NotFound when
// there is none; one that has expired is returned like any other.
func (s *Store) APIKeyByHash(ctx context.Context, hash string) (APIKey, error) {
	if !couldExist(hash) {
		return APIKey{}, noAPIKey()
	}
	var rows []apiKeyRow
	if err := query(s.readAll(ctx), &rows, "SELECT * FROM api_keys WHERE hash = ?", hash); err != nil {
		return APIKey{}, s.translate(err)
	}
	if len(rows) == 0 {
		return APIKey{}, noAPIKey()
	}
	return apiKeyFromRow(&rows[0]), nil
}

// TouchAPIKey notes that a key is being used, at most once a minute: k is the
// key as it was read, and a use that is noted already costs nothing.
func (s *Store) TouchAPIKey(ctx context.Context, k APIKey) error {
	now := s.now()
	if k.LastUsedAt != nil && now.Sub(*k.LastUsedAt) < touchEvery {
		return nil
	}
	return s.writeAs(ctx, k.Tenant, func(tx *gorm.DB) error {
		return tx.Exec(`UPDATE api_keys SET last_used_at = ?
			WHERE tenant = ? AND id = ? AND (last_used_at IS NULL OR last_used_at <= ?)`,
			moment(now), k.Tenant, k.ID, moment(now.Add(-touchEvery))).Error
	})
}

func noAPIKey() error { return errs.New(errs.NotFound, "There is no such API key") }
