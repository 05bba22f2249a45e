package models

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"hash/crc32"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"posthaste/errs"
)

//go:embed migrations
var migrations embed.FS

// migrationTable is goose's table of what has been applied, under a name of our
// own so that it may share a schema with another program's.
const migrationTable = "posthaste_migrations"

// migrationTries is how often MigrateUp looks again on SQLite, which has no
// lock to take, when another process was migrating the same file.
const migrationTries = 10

// Migration is one step of the schema.
type Migration struct {
	Version   int64
	Name      string // the file's name
	Applied   bool
	AppliedAt time.Time // zero when it is not applied
}

// MigrationReport is what MigrateUp did.
type MigrationReport struct {
	Applied []Migration // by this call, in order; empty when there was nothing to do
	Version int64       // of the schema now
}

// MigrateUp brings the schema to the latest version. It may be run at any time
// and by several processes at once: one migrates, the others wait and find
// nothing to do.
func MigrateUp(ctx context.Context, url string) (MigrationReport, error) {
	var report MigrationReport
	err := withMigrator(ctx, url, func(m *goose.Provider) error {
		results, err := upTogether(ctx, m)
		if err != nil {
			return err
		}
		for _, r := range results {
			report.Applied = append(report.Applied, Migration{
				Version: r.Source.Version, Name: path.Base(r.Source.Path), Applied: true,
			})
		}
		report.Version, err = m.GetDBVersion(ctx)
		return err
	})
	if err != nil {
		return report, err
	}
	return report, addPartitions(ctx, url)
}

// upTogether runs the migrations. Each one is a transaction that also notes its
// version, so a failure because another process got there first shows in a
// version that moved, and running again goes on from there.
func upTogether(ctx context.Context, m *goose.Provider) ([]*goose.MigrationResult, error) {
	var results []*goose.MigrationResult
	for try := 1; ; try++ {
		before, err := m.GetDBVersion(ctx)
		if err != nil && try == migrationTries {
			return nil, err
		}
		applied, err := m.Up(ctx)
		results = append(results, applied...)
		var part *goose.PartialError
		if errors.As(err, &part) {
			results = append(results, part.Applied...)
		}
		if err == nil || try == migrationTries {
			return results, err
		}
		after, versionErr := m.GetDBVersion(ctx)
		if versionErr != nil || after == before {
			return nil, err
		}
	}
}

// MigrationStatus lists every migration there is and whether it is applied.
func MigrationStatus(ctx context.Context, url string) ([]Migration, error) {
	var list []Migration
	err := withMigrator(ctx, url, func(m *goose.Provider) error {
		statuses, err := m.Status(ctx)
		for _, s := range statuses {
			list = append(list, Migration{
				Version: s.Source.Version, Name: path.Base(s.Source.Path),
				Applied: s.State == goose.StateApplied, AppliedAt: s.AppliedAt.UTC(),
			})
		}
		return err
	})
	return list, err
}

func withMigrator(ctx context.Context, url string, fn func(*goose.Provider) error) error {
	t, err := parseURL(url)
	if err != nil {
		return err
	}
	m, pool, err := t.migrator(ctx)
	if err != nil {
		return unavailable(err, "Cannot open the database "+t.name())
	}
	err = fn(m)
	if closeErr := pool.Close(); err == nil {
		err = closeErr
	}
	if err == nil || !isUnavailable(err) {
		return errs.Wrap(err, errs.Internal, "Cannot migrate the database %s", t.name())
	}
	return unavailable(err, "Cannot migrate the database "+t.name())
}

// migrator opens a pool of its own and goose on it.
func (t target) migrator(ctx context.Context) (*goose.Provider, *sql.DB, error) {
	folder, err := fs.Sub(migrations, "migrations/"+string(t.dialect))
	if err != nil {
		return nil, nil, err
	}
	options := []goose.ProviderOption{goose.WithTableName(migrationTable), goose.WithDisableGlobalRegistry(true)}
	var pool *sql.DB
	gooseDialect := goose.DialectPostgres
	if t.dialect == sqliteDialect {
		gooseDialect = goose.DialectSQLite3
		if _, err := os.Stat(path.Dir(t.path)); err != nil {
			return nil, nil, err
		}
		pool, err = openSQLitePool(t.path+sqliteWriting, 1)
	} else {
		pool = stdlib.OpenDB(*t.postgres)
		var locker lock.SessionLocker
		locker, err = schemaLocker(ctx, pool)
		options = append(options, goose.WithSessionLocker(locker))
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeIfOpen(pool))
	}
	m, err := goose.NewProvider(gooseDialect, pool, folder, options...)
	if err != nil {
		return nil, nil, errors.Join(err, pool.Close())
	}
	return m, pool, nil
}

func closeIfOpen(pool *sql.DB) error {
	if pool == nil {
		return nil
	}
	return pool.Close()
}

// schemaLocker makes migrating processes wait for each other when, and only
// when, they migrate the same schema of the same database.
func schemaLocker(ctx context.Context, pool *sql.DB) (lock.SessionLocker, error) {
	var schema string
	if err := pool.QueryRowContext(ctx, "SELECT current_schema()::text").Scan(&schema); err != nil {
		return nil, err
	}
	id := int64(crc32.ChecksumIEEE([]byte("posthaste migrations of " + schema)))
	const everySecond, forFiveMinutes = 1, 300
	return lock.NewPostgresSessionLocker(lock.WithLockID(id), lock.WithLockTimeout(everySecond, forFiveMinutes))
}

// checkSchema refuses a database that lacks migrations. One that is ahead is
// fine: during an upgrade the old processes run on.
func (d *database) checkSchema(ctx context.Context) error {
	files, err := fs.Glob(migrations, "migrations/"+string(d.dialect)+"/*.sql")
	if err != nil {
		return errs.Wrap(err, errs.Internal, "Cannot list the migrations")
	}
	latest, err := goose.NumericComponent(files[len(files)-1])
	if err != nil {
		return errs.Wrap(err, errs.Internal, "Cannot read the latest migration's number")
	}
	var version int64
	err = d.reader.WithContext(ctx).
		Raw("SELECT COALESCE(MAX(version_id), 0) FROM " + migrationTable).Scan(&version).Error
	if err != nil && isUnavailable(err) {
		return translate(err)
	}
	if err != nil || version < latest {
		lacking := errs.New(errs.Internal,
			"The database lacks migrations (it is at %d of %d): run posthaste migrate up", version, latest)
		lacking.Cause = err
		return lacking
	}
	return nil
}
