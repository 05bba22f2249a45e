package models

import (
	"context"
	"database/sql"
	"embed"
	"errors"
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
		results, err := m.Up(ctx)
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
	var pool *sql.DB
	var locker lock.SessionLocker
	gooseDialect := goose.DialectPostgres
	if t.dialect == sqliteDialect {
		gooseDialect = goose.DialectSQLite3
		if _, err := os.Stat(path.Dir(t.path)); err != nil {
			return nil, nil, err
		}
		locker = &folderLocker{folder: path.Dir(t.path)}
		pool, err = openKeeping(t.path+sqliteWriting, 1)
	} else {
		pool = stdlib.OpenDB(*t.postgres)
		locker, err = schemaLocker(ctx, pool)
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeIfOpen(pool))
	}
	m, err := goose.NewProvider(gooseDialect, pool, folder, goose.WithTableName(migrationTable),
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
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
