package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"posthaste/config"
	"posthaste/errs"
	"posthaste/models"
)

type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" help:"Bring the database's schema and Temporal's search attributes up to date. May be run again at any time."`
	Status migrateStatusCommand `cmd:"" help:"Show which migrations are applied and, where Temporal is named, its search attributes and schedule."`
}

type migrateUpCommand struct {
	SkipTemporal bool `help:"Migrate the database alone, for when Temporal cannot be reached yet."`
	config.Database
	config.Temporal
	output
}

// Help says where it is to be run.
func (migrateUpCommand) Help() string {
	return `Run it once for a new version, before its processes start. It needs no keys.

Examples:

  posthaste migrate up                          settings from POSTHASTE_* variables
  posthaste migrate up --database-url sqlite://posthaste.db --temporal-address 127.0.0.1:7233
  posthaste migrate up --skip-temporal          the database alone`
}

// Run migrates and says what it did.
func (m migrateUpCommand) Run(ctx context.Context, c console) error {
	settings := config.Config{Database: m.Database, Temporal: m.Temporal}
	if err := validateMigrate(settings, !m.SkipTemporal); err != nil {
		return err
	}
	told := &migrateTold{c: c, asJSON: m.JSON, Applied: []migrationRow{}, Attributes: []string{}}
	report, err := models.MigrateUp(ctx, m.DatabaseURL.Reveal())
	if err != nil {
		return databaseFailure(m.DatabaseURL, err)
	}
	for _, migration := range report.Applied {
		told.Applied = append(told.Applied, rowOf(migration))
		told.say("database: applied %d %s", migration.Version, migration.Name)
	}
	told.Version = report.Version
	told.say("database: at version %d", report.Version)
	if m.SkipTemporal {
		return told.end()
	}
	added, err := prepareTemporal(ctx, m.Temporal)
	for _, name := range added {
		told.Attributes = append(told.Attributes, name)
		told.say("temporal: added search attribute %s", name)
	}
	if err != nil {
		return err
	}
	told.say("temporal: namespace %s is up to date", m.TemporalNamespace)
	return told.end()
}

// migrateTold tells a person step by step what migrate up does, and a program
// everything at the end.
type migrateTold struct {
	c      console
	asJSON bool

	Applied    []migrationRow `json:"applied"`
	Version    int64          `json:"version"`
	Attributes []string       `json:"searchAttributesAdded"`
}

func (t *migrateTold) say(format string, args ...any) {
	if !t.asJSON {
		fmt.Fprintf(t.c.out, format+"\n", args...)
	}
}

func (t *migrateTold) end() error {
	if !t.asJSON {
		return nil
	}
	return writeJSON(t.c.out, t)
}

// migrationRow is one migration for a program.
type migrationRow struct {
	Version   int64      `json:"version"`
	Name      string     `json:"name"`
	Applied   bool       `json:"applied"`
	AppliedAt *time.Time `json:"appliedAt"`
}

func rowOf(m models.Migration) migrationRow {
	row := migrationRow{Version: m.Version, Name: m.Name, Applied: m.Applied}
	if !m.AppliedAt.IsZero() {
		at := m.AppliedAt.UTC()
		row.AppliedAt = &at
	}
	return row
}

// validateMigrate looks at what migrate uses; the rest of the settings is not
// its business.
func validateMigrate(settings config.Config, temporal bool) error {
	var problems []config.Problem
	for _, problem := range settings.Validate(config.Needs{Database: true, Temporal: temporal}) {
		if strings.HasPrefix(problem.Variable, "POSTHASTE_DATABASE_") || strings.HasPrefix(problem.Variable, "POSTHASTE_TEMPORAL_") {
			problems = append(problems, problem)
		}
	}
	return config.AsError(problems)
}

// openFailure tells what keeps us from using the database. One that answers but
// is not fit, because it lacks migrations, says so itself.
func openFailure(database config.Secret, err error) error {
	var coded *errs.Error
	if errors.As(err, &coded) && coded.Code == errs.Internal {
		return failed(err, "%s", coded.Message)
	}
	return databaseFailure(database, err)
}

// databaseFailure tells what is wrong with the database without its password.
func databaseFailure(database config.Secret, err error) error {
	return failed(err, "the database %s cannot be used (%s): check that it runs, and --database-url (POSTHASTE_DATABASE_URL)",
		redacted(database), databaseCause(err))
}

// databaseCause is what the server answered; without an answer, why there is
// none. The driver tries with and without TLS, and repeats itself.
func databaseCause(err error) string {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return answer.Error()
	}
	return strings.Join(strings.Fields(innermost(err).Error()), " ")
}

// redacted is the database's URL without its password.
func redacted(database config.Secret) string {
	if path, ok := strings.CutPrefix(database.Reveal(), "sqlite://"); ok {
		return path
	}
	parsed, err := url.Parse(database.Reveal())
	if err != nil {
		return "of POSTHASTE_DATABASE_URL"
	}
	return parsed.Host + parsed.Path
}

// innermost is the first cause of an error, where the facts are; of several
// joined ones, that of the first.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if joined, ok := err.(interface{ Unwrap() []error }); ok && len(joined.Unwrap()) > 0 {
			next = joined.Unwrap()[0]
		}
		if next == nil {
			return err
		}
		err = next
	}
}
