// Package models is the ledger: every webhook, event, delivery and attempt, in
// PostgreSQL or SQLite. One exported method is one transaction. Every row
// belongs to a tenant, and every method that takes a tenant answers NotFound
// for another one's rows. No *gorm.DB leaves this package, no gorm hook runs in
// it, and the schema comes from the migrations alone.
package models

import (
	"context"
	"database/sql"
	"log/slog"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// Options says where the ledger is and how to open it.
type Options struct {
	// URL is postgres://… or sqlite://path. The path is relative to the working
	// directory, or absolute with a third slash.
	URL string
	// Sealer encrypts secrets and custom headers at rest; required.
	Sealer Sealer
	// Now is the clock; required.
	Now func() time.Time
	// Logger is told of what was handled but should be known; silent when nil.
	Logger *slog.Logger
	// MaxConnections caps the connections to PostgreSQL; DefaultMaxConnections
	// when 0. SQLite has one for writing and a few for reading.
	MaxConnections int
	// DefaultLimits are those of every tenant that PutTenant gave none.
	DefaultLimits Limits
	// RetentionDays is how long events, deliveries and attempts are kept of every
	// tenant that PutTenant gave no time of its own; 0 = for ever.
	RetentionDays int
}

// DefaultMaxConnections suits a PostgreSQL with its default limit of 100 and a
// handful of our processes.
const DefaultMaxConnections = 20

// maxTries is how often a transaction is run in all when the database ends it
// for the sake of another one (deadlock, serialization, a parent deleted in
// between). Each time someone else has made progress, so few are enough.
const maxTries = 5

// Store is the ledger. It is safe for concurrent use.
type Store struct {
	db       *database
	sealer   Sealer
	limits   Limits // of tenants without a row
	days     int    // Options.RetentionDays
	pruned   pruned
	now      func() time.Time // the ledger's, see Now
	local    func() time.Time // Options.Now
	ahead    atomic.Int64     // nanoseconds that local is ahead of the ledger's time, see CheckClock
	logger   *slog.Logger
	slot     int // of this process in the rollups
	recorder *recorder
	closed   atomic.Bool
	refused  lastRefusal

	subscriptions subscriptions
}

// Open connects to a ledger whose migrations have been run (MigrateUp). A
// database that cannot be used is refused with one sentence that says why.
func Open(ctx context.Context, o Options) (*Store, error) {
	t, err := parseURL(o.URL)
	if err != nil {
		return nil, err
	}
	return openTarget(ctx, t, o)
}

func openTarget(ctx context.Context, t target, o Options) (*Store, error) {
	if o.Sealer == nil {
		return nil, errs.New(errs.Internal, "The ledger needs a Sealer: secrets are never stored in plain")
	}
	if o.Now == nil {
		return nil, errs.New(errs.Internal, "The ledger needs a clock")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	db, err := t.open(ctx, o.MaxConnections)
	if err != nil {
		return nil, err
	}
	err = db.checkSchema(ctx)
	if err == nil {
		err = db.checkLock(ctx, o.Logger)
	}
	if err != nil {
		_ = db.close() // the first error is the one to tell
		return nil, err
	}
	s := &Store{
		db: db, sealer: o.Sealer, limits: o.DefaultLimits, days: o.RetentionDays, logger: o.Logger, slot: chooseSlot(db.dialect),
		local: o.Now,
	}
	s.now = func() time.Time { return toMicros(o.Now().Add(-time.Duration(s.ahead.Load()))) }
	s.recorder = newRecorder(s, max(1, o.MaxConnections/2))
	return s, nil
}

// Close finishes the records that were handed over, then closes the
// connections. Calls that come later get Unavailable.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.recorder.close()
	return errs.Wrap(s.db.close(), errs.Internal, "Cannot close the database")
}

// Ping reports whether the database answers and has not just refused a write for
// want of room: nil, or Unavailable.
func (s *Store) Ping(ctx context.Context) error {
	err := s.db.ping(ctx)
	if err == nil {
		err = s.refused.lately(s.now())
	}
	return s.translate(err)
}

// RecorderStats counts what the grouped commits of Record have done, for metrics.
type RecorderStats struct {
	Commits uint64 // transactions committed
	Records uint64 // records in them
	Alone   uint64 // records that had to leave their group and were settled on their own

	Waiting  int // records handed over that no transaction has taken yet
	InFlight int // records in the transaction under way
}

// RecorderStats returns the counts since Open, and what is under way now.
func (s *Store) RecorderStats() RecorderStats { return s.recorder.stats() }

// A statement runs on one of two paths, and TestEveryMethodChoosesItsPath knows
// which method takes which. What is done for one tenant takes readAs or writeAs:
// row-level security then shows PostgreSQL's transaction no rows but that
// tenant's, whatever the statement forgot to say. What serves all tenants at
// once (the worker, the grouped commit, finding the owner of an API key) takes
// readAll or writeAll, and pays nothing. On SQLite there is no second lock, and
// the two paths are one.

// readAs runs fn, which only reads, with the rows of one tenant in sight. What
// fn reads in several statements is what stood there while it ran, not at one
// moment.
func (s *Store) readAs(ctx context.Context, tenant string, fn func(tx *gorm.DB) error) error {
	if !couldExist(tenant) {
		return noTenant()
	}
	if s.db.dialect == sqliteDialect {
		return s.translate(fn(s.db.reader.WithContext(ctx)))
	}
	readOnly := &sql.TxOptions{ReadOnly: true}
	return s.translate(s.db.reader.WithContext(ctx).Transaction(s.scoped(tenant, fn), readOnly))
}

// writeAs is writeAll with the rows of one tenant in sight and in reach.
func (s *Store) writeAs(ctx context.Context, tenant string, fn func(tx *gorm.DB) error) error {
	if !couldExist(tenant) {
		return noTenant()
	}
	return s.writeAll(ctx, s.scoped(tenant, fn))
}

// scoped has a transaction begin with the tenant's name. The setting ends with
// the transaction, however that ends.
func (s *Store) scoped(tenant string, fn func(tx *gorm.DB) error) func(tx *gorm.DB) error {
	if s.db.dialect == sqliteDialect {
		return fn
	}
	return func(tx *gorm.DB) error {
		if err := tx.Exec("SELECT set_config('"+tenantSetting+"', ?, true)", tenant).Error; err != nil {
			return err
		}
		return fn(tx)
	}
}

// readAll returns the handle for statements that only read, with the rows of
// all tenants in sight.
func (s *Store) readAll(ctx context.Context) *gorm.DB { return s.db.reader.WithContext(ctx) }

// writeAll runs fn in a transaction, again when the database ended it for the
// sake of another one. What fn keeps outside must therefore be reset when it
// starts. The rows of all tenants are in sight.
func (s *Store) writeAll(ctx context.Context, fn func(tx *gorm.DB) error) error {
	var err error
	for range maxTries {
		err = s.db.writer.WithContext(ctx).Transaction(fn)
		if !worthRepeating(err) {
			break
		}
	}
	return s.translate(err)
}

// mustHave returns missing unless the tenant has that row in the table.
func (s *Store) mustHave(tx *gorm.DB, table, tenant, id string, missing error) error {
	if !couldExist(tenant, id) {
		return missing
	}
	var found []int
	err := query(tx, &found, "SELECT 1 FROM "+table+" WHERE tenant = ? AND id = ?", tenant, id)
	if err == nil && len(found) == 0 {
		return missing
	}
	return s.translate(err)
}

// query runs a statement and collects its rows. It is Find and not Scan, since
// gorm's Scan writes out every statement with all its values, bodies included,
// for a log that nobody keeps. For an empty slice gorm would make room for 20
// rows, which are 20 KB of the widest; most statements yield one.
func query[Row any](tx *gorm.DB, into *[]Row, sql string, args ...any) error {
	if cap(*into) == 0 {
		*into = make([]Row, 0, 1)
	}
	return tx.Raw(sql, args...).Find(into).Error
}
