package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"posthaste/config"
	"posthaste/errs"
	"posthaste/models"
)

type migrateCommand struct {
	Up     migrateUpCommand     `cmd:"" help:"Bring the database's schema and Temporal's search attributes up to date. May be run again at any time."`
	Status migrateStatusCommand `cmd:"" help:"Show which migrations are applied."`
}

type migrateUpCommand struct {
	SkipTemporal bool `help:"Migrate the database alone, for when Temporal cannot be reached yet."`
	config.Database
	config.Temporal
}

// Run migrates and says what it did.
func (m migrateUpCommand) Run(ctx context.Context, c console) error {
	settings := config.Config{Database: m.Database, Temporal: m.Temporal}
	if err := validateMigrate(settings, !m.SkipTemporal); err != nil {
		return err
	}
	report, err := models.MigrateUp(ctx, m.DatabaseURL.Reveal())
	if err != nil {
		return databaseFailure(m.DatabaseURL, err)
	}
	for _, migration := range report.Applied {
		fmt.Fprintf(c.out, "database: applied %d %s\n", migration.Version, migration.Name)
	}
	fmt.Fprintf(c.out, "database: at version %d\n", report.Version)
	if m.SkipTemporal {
		return nil
	}
	client, err := dialTemporal(ctx, m.Temporal, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer client.Close()
	added, err := addAttributes(ctx, client, m.TemporalNamespace)
	if err != nil {
		return err
	}
	for _, name := range added {
		fmt.Fprintf(c.out, "temporal: added search attribute %s\n", name)
	}
	fmt.Fprintf(c.out, "temporal: namespace %s is up to date\n", m.TemporalNamespace)
	return nil
}

type migrateStatusCommand struct {
	config.Database
}

// Run prints a table of all migrations.
func (m migrateStatusCommand) Run(ctx context.Context, c console) error {
	if err := validateMigrate(config.Config{Database: m.Database}, false); err != nil {
		return err
	}
	migrations, err := models.MigrationStatus(ctx, m.DatabaseURL.Reveal())
	if err != nil {
		return databaseFailure(m.DatabaseURL, err)
	}
	table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tMIGRATION\tAPPLIED")
	for _, migration := range migrations {
		applied := "pending"
		if migration.Applied {
			applied = migration.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%d\t%s\t%s\n", migration.Version, migration.Name, applied)
	}
	return table.Flush()
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
