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
		_, _ = fmt.Fprintf(c.out, "database: applied %d %s\n", migration.Version, migration.Name)
	}
	_, _ = fmt.Fprintf(c.out, "database: at version %d\n", report.Version)
	if m.SkipTemporal {
		return nil
	}
	client, err := dialTemporal(ctx, m.Temporal, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer client.Close()
	added, err := addAttributes(ctx, client, m.TemporalNamespace)
	if err != nil {
		return err
	}
	for _, name := range added {
		_, _ = fmt.Fprintf(c.out, "temporal: added search attribute %s\n", name)
	}
	_, _ = fmt.Fprintf(c.out, "temporal: namespace %s is up to date\n", m.TemporalNamespace)
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
	_, _ = fmt.Fprintln(table, "VERSION\tMIGRATION\tAPPLIED")
	for _, migration := range migrations {
		applied := "pending"
		if migration.Applied {
			applied = migration.AppliedAt.UTC().Format(time.RFC3339)
		}
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\n", migration.Version, migration.Name, applied)
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

// databaseFailure tells what is wrong with the database without its password.
func databaseFailure(database config.Secret, err error) error {
	var coded *errs.Error
	if errors.As(err, &coded) && coded.Code == errs.Internal && coded.Cause == nil {
		return failed(err, "%s", coded.Message) // it answers, and says itself what it lacks
	}
	return failed(err, "the database %s cannot be used (%s): check that it runs, and --database-url (POSTHASTE_DATABASE_URL)",
		redacted(database), strings.ReplaceAll(innermost(err).Error(), "\n", " "))
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

// innermost is the first cause of an error, where the facts are.
func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
