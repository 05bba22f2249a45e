package models

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	"gorm.io/gorm"
)

// What the tests of package models_test look at from inside.
var (
	Translate   = translate
	SealContext = sealContext
)

// EncodePosition and DecodePosition are the two halves of a cursor.
func EncodePosition(list string, e Event) string {
	return encodeCursor(list, position{at: e.AcceptedAt, id: e.ID})
}

func DecodePosition(list, cursor string) (Event, error) {
	p, err := decodeCursor(list, cursor)
	if err != nil || p == nil {
		return Event{}, err
	}
	return Event{AcceptedAt: p.at, ID: p.id}, nil
}

// CheckURL reports whether a database URL makes sense, and what it names.
func CheckURL(url string) (string, error) {
	t, err := parseURL(url)
	if err != nil {
		return "", err
	}
	return t.name(), nil
}

// Exec runs a statement as an operator might, past the store.
func (s *Store) Exec(sql string, args ...any) error { return s.db.writer.Exec(sql, args...).Error }

// Count returns what a SELECT COUNT(*) yields.
func (s *Store) Count(sql string, args ...any) (int, error) {
	var n int
	err := s.db.reader.Raw(sql, args...).Scan(&n).Error
	return n, err
}

// Texts returns one column of a SELECT as text.
func (s *Store) Texts(sql string, args ...any) ([]string, error) {
	var list []string
	err := s.db.reader.Raw(sql, args...).Scan(&list).Error
	return list, err
}

// OnPostgres reports which of the two databases this is.
func (s *Store) OnPostgres() bool { return s.db.dialect == postgresDialect }

// HoldCommits keeps every grouped commit from finishing until release is called.
func (s *Store) HoldCommits(ctx context.Context) (release func() error, err error) {
	tx := s.db.writer.WithContext(ctx).Begin()
	if s.OnPostgres() {
		err = tx.Exec("LOCK TABLE deliveries, attempts IN SHARE ROW EXCLUSIVE MODE").Error
	}
	return func() error { return tx.Rollback().Error }, err
}

// CommitTogether records in one group.
func (s *Store) CommitTogether(records []Record) error {
	group := make([]*entry, len(records))
	for i, r := range records {
		var err error
		if group[i], err = s.prepare(r); err != nil {
			return err
		}
	}
	s.recorder.commitGroup(group)
	var failures []error
	for _, e := range group {
		failures = append(failures, <-e.result)
	}
	return errors.Join(failures...)
}

// KeepSubscriptions has a process keep so many lists of so many bytes each, and
// returns how many it kept, and whether the last one is among them.
func KeepSubscriptions(lists, bytes int) (kept int, last bool) {
	c := &subscriptions{}
	for i := range lists {
		c.keep(&subscription{who: subscribers{tenant: fmt.Sprint(i)}, bytes: bytes})
	}
	return len(c.kept), c.of(subscribers{tenant: fmt.Sprint(lists - 1)}) != nil
}

// MaxKept is how many bytes of webhooks a process keeps.
const MaxKept = maxKept

// OpenColumns are what matching reads of a webhook.
func OpenColumns() []string { return openColumns }

// InTransaction runs fn in a transaction that write would repeat.
func (s *Store) InTransaction(ctx context.Context, fn func() error) error {
	return s.writeAll(ctx, func(*gorm.DB) error { return fn() })
}

// ExecAs runs a raw statement on the path of one tenant and says how many rows
// it touched.
func (s *Store) ExecAs(ctx context.Context, tenant, sql string, args ...any) (int64, error) {
	var touched int64
	err := s.writeAs(ctx, tenant, func(tx *gorm.DB) error {
		done := tx.Exec(sql, args...)
		touched = done.RowsAffected
		return done.Error
	})
	return touched, err
}

// TextsAs is Texts on the path of one tenant.
func (s *Store) TextsAs(ctx context.Context, tenant, sql string, args ...any) ([]string, error) {
	var list []string
	err := s.readAs(ctx, tenant, func(tx *gorm.DB) error { return tx.Raw(sql, args...).Scan(&list).Error })
	return list, err
}

// Settings has every statement of a PostgreSQL store tell which tenant its
// connection was set to while it ran. The function that it returns gives what
// was told since it was called last, each once.
func (s *Store) Settings() (func() []string, error) {
	var mu sync.Mutex
	told := map[string]bool{}
	tell := func(tx *gorm.DB) {
		var setting string
		err := tx.Statement.ConnPool.QueryRowContext(tx.Statement.Context,
			"SELECT COALESCE(current_setting('"+tenantSetting+"', true), '')").Scan(&setting)
		if err != nil {
			setting = err.Error()
		}
		mu.Lock()
		defer mu.Unlock()
		told[setting] = true
	}
	on := s.db.writer.Callback()
	err := errors.Join(on.Create().After("gorm:create").Register("tell", tell), on.Query().After("gorm:query").Register("tell", tell),
		on.Update().After("gorm:update").Register("tell", tell), on.Raw().After("gorm:raw").Register("tell", tell))
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		list := slices.Sorted(maps.Keys(told))
		clear(told)
		return list
	}, err
}

// CheckLock opens a database with connections that were set to a tenant, or to
// none, and says whether Open would take it.
func CheckLock(ctx context.Context, url, setting string) error {
	t, err := parseURL(url)
	if err != nil {
		return err
	}
	if t.postgres.RuntimeParams[tenantSetting] = setting; setting == "" {
		delete(t.postgres.RuntimeParams, tenantSetting)
	}
	db, err := t.open(ctx, 1)
	if err != nil {
		return err
	}
	return errors.Join(db.checkLock(ctx, slog.New(slog.DiscardHandler)), db.close())
}

// HistoryPlan returns how the database reads a page of a history from a place
// on. On PostgreSQL the page is read, once with a plan for these very values and
// once with the plan that is kept for any.
func (s *Store) HistoryPlan(ctx context.Context, f HistoryFilter, afterID string) (string, error) {
	var rows []attemptRow
	parts := s.reaches(f, &position{id: afterID})
	built := s.db.dialect.historyOf(s.db.reader.Session(&gorm.Session{DryRun: true}), f, parts[0], 101).Find(&rows).Statement
	if !s.OnPostgres() {
		steps := []struct{ Detail string }{}
		err := s.db.reader.Raw("EXPLAIN QUERY PLAN "+built.SQL.String(), built.Vars...).Scan(&steps).Error
		var plan strings.Builder
		for _, step := range steps {
			plan.WriteString(step.Detail + "\n")
		}
		return plan.String(), err
	}
	values := make([]string, len(built.Vars))
	for i, value := range built.Vars {
		if valuer, ok := value.(driver.Valuer); ok {
			value, _ = valuer.Value()
		}
		values[i] = fmt.Sprintf("'%v'", value)
	}
	var plan []string
	err := s.writeAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			var lines []string
			err := errors.Join(
				tx.Exec("SET LOCAL plan_cache_mode = "+mode).Error,
				tx.Exec("PREPARE history AS "+built.SQL.String()).Error,
				tx.Raw("EXPLAIN (ANALYZE, TIMING off) EXECUTE history ("+strings.Join(values, ", ")+")").Scan(&lines).Error,
				tx.Exec("DEALLOCATE history").Error,
			)
			if err != nil {
				return err
			}
			plan = append(plan, lines...)
		}
		return nil
	})
	return strings.Join(plan, "\n"), err
}

// SelectRows builds the statement that carries a row of one column of each kind.
func SelectRows(postgres bool, row ...any) (string, []any, error) {
	d := sqliteDialect
	if postgres {
		d = postgresDialect
	}
	b := &batch{columns: []column{{"a", textCol}, {"b", numberCol}, {"c", boolCol}, {"d", bytesCol}, {"e", timeCol}}}
	b.add(row...)
	return d.selectFrom(b)
}

// Instant is a time as the store hands it to a statement.
func Instant(t time.Time) any { return moment(t) }

// MigrateTo takes the schema up or down to a version.
func MigrateTo(ctx context.Context, url string, version int64) error {
	return withMigrator(ctx, url, func(m *goose.Provider) error {
		_, err := m.UpTo(ctx, version)
		if err == nil {
			_, err = m.DownTo(ctx, version)
		}
		return err
	})
}

// MigrateDown takes the schema back to nothing.
func MigrateDown(ctx context.Context, url string) error {
	return withMigrator(ctx, url, func(m *goose.Provider) error {
		_, err := m.DownTo(ctx, 0)
		return err
	})
}
