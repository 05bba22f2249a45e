package models

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"posthaste/errs"
)

// database is an open database: where to write, where to read, and which of the
// two kinds it is. On PostgreSQL writer and reader are the same.
type database struct {
	dialect dialect
	writer  *gorm.DB
	reader  *gorm.DB
	pools   []*sql.DB // writer's first
}

// target is a database URL that makes sense.
type target struct {
	dialect  dialect
	path     string          // SQLite: the file, absolute
	postgres *pgx.ConnConfig // PostgreSQL
}

// Row-level security shows a connection the rows of the tenant that this setting
// names; allTenants stands for every one of them, no setting for none. A new
// connection asks for all, see Store.readAs for the rest.
const (
	tenantSetting = "posthaste.tenant"
	allTenants    = "*"
)

// Pool settings of PostgreSQL: idle connections go after minutes, and each one
// after an hour, so that a failover or a new DNS answer is noticed.
const (
	connectTimeout  = 5 * time.Second
	maxIdleTime     = 5 * time.Minute
	maxConnLifetime = time.Hour
)

// parseURL reads a database URL. Its password never appears in the error.
func parseURL(url string) (target, error) {
	scheme, rest, found := strings.Cut(url, "://")
	switch {
	case found && scheme == "sqlite":
		return parseSQLite(rest)
	case found && (scheme == "postgres" || scheme == "postgresql"):
		config, err := pgx.ParseConfig(url)
		if err != nil {
			return target{}, errs.Wrap(err, errs.Invalid, "The database URL is not a valid PostgreSQL URL")
		}
		if config.ConnectTimeout == 0 {
			config.ConnectTimeout = connectTimeout
		}
		if config.RuntimeParams["application_name"] == "" {
			config.RuntimeParams["application_name"] = "posthaste"
		}
		config.RuntimeParams[tenantSetting] = allTenants
		// A plan is kept for as long as its connection, and a ledger begins empty,
		// when reading a whole table is cheapest: until the tables were analyzed, the
		// first minutes of a busy installation would read all there is for each attempt.
		// Statements this short are over before a compiled one would have begun.
		config.RuntimeParams["enable_seqscan"], config.RuntimeParams["jit"] = "off", "off"
		return target{dialect: postgresDialect, postgres: config}, nil
	}
	return target{}, errs.New(errs.Invalid, "The database URL must be postgres://user@host/name or sqlite://path")
}

func parseSQLite(path string) (target, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.ContainsAny(path, "?\x00") {
		return target{}, errs.New(errs.Invalid, "The database URL sqlite://%s must name a file, without parameters", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return target{}, errs.Wrap(err, errs.Internal, "Cannot find the working directory")
	}
	return target{dialect: sqliteDialect, path: absolute}, nil
}

// open connects the pools and makes sure that the database answers.
func (t target) open(ctx context.Context, maxConnections int) (*database, error) {
	db := &database{dialect: t.dialect}
	var err error
	if t.dialect == sqliteDialect {
		err = db.openSQLite(t.path)
	} else {
		err = db.openPostgres(t.postgres, maxConnections)
	}
	if err == nil {
		err = db.ping(ctx)
	}
	if err != nil {
		_ = db.close() // the first error is the one to tell
		return nil, unavailable(err, "Cannot open the database "+t.name())
	}
	return db, nil
}

// name says which database is meant, without credentials.
func (t target) name() string {
	if t.dialect == sqliteDialect {
		return "file " + t.path
	}
	return t.postgres.Database + " on " + t.postgres.Host
}

// openPostgres makes one pool. pgx prepares each statement once per connection
// and keeps it, so gorm need not.
func (d *database) openPostgres(config *pgx.ConnConfig, maxConnections int) error {
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(maxConnections)
	pool.SetMaxIdleConns(maxConnections)
	pool.SetConnMaxIdleTime(maxIdleTime)
	pool.SetConnMaxLifetime(maxConnLifetime)
	d.pools = []*sql.DB{pool}
	handle, err := gorm.Open(postgres.New(postgres.Config{Conn: pool}), gormConfig())
	d.writer, d.reader = handle, handle
	return err
}

// Pragmas of every SQLite connection. With WAL, synchronous=NORMAL loses no
// commit when the process dies; when the machine does, the last commits may be
// missing but the file is sound. That is enough: Temporal holds an event until
// its workflow has ended, and runs again what the ledger does not know.
const (
	sqliteShared   = "?_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-16000)"
	sqliteWriting  = sqliteShared + "&_pragma=journal_mode(WAL)&_txlock=immediate"
	sqliteReading  = sqliteShared + "&_pragma=query_only(1)"
	sqliteMinReads = 4
)

// openSQLite makes two pools: SQLite has one writer at a time, so one
// connection writes and no transaction ever waits for a lock it cannot get;
// readers do not wait for it.
func (d *database) openSQLite(path string) error {
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return err
	}
	writer, err := openKeeping(path+sqliteWriting, 1)
	if err != nil {
		return err
	}
	d.pools = append(d.pools, writer)
	reader, err := openKeeping(path+sqliteReading, max(sqliteMinReads, runtime.NumCPU()))
	if err != nil {
		return err
	}
	d.pools = append(d.pools, reader)
	if d.writer, err = gorm.Open(sqliteDialector{writer}, gormConfig()); err != nil {
		return err
	}
	d.reader, err = gorm.Open(sqliteDialector{reader}, gormConfig())
	return err
}

// gormConfig is the same for both: errors translated, nothing implicit, and no
// logger, because gorm's prints values.
func gormConfig() *gorm.Config {
	return &gorm.Config{
		TranslateError:         true,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard,
	}
}

func (d *database) ping(ctx context.Context) error {
	for _, pool := range d.pools {
		if err := pool.PingContext(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *database) close() error {
	var failures []error
	for _, pool := range d.pools {
		failures = append(failures, pool.Close())
	}
	return errors.Join(failures...)
}
