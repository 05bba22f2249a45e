package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"posthaste/config"
)

// makeDatabase makes a SQLite file, or a schema in a running PostgreSQL.
func (s *benchStage) makeDatabase(ctx context.Context) error {
	if !s.benchCommand.DatabaseURL.IsSet() {
		s.settings.DatabaseURL = config.Secret(s.dir.databaseURL())
		s.Facts["database"] = "SQLite"
		return nil
	}
	given := s.benchCommand.DatabaseURL
	target, err := url.Parse(given.Reveal())
	if err != nil {
		return misused("--database-url cannot be read")
	}
	var version string
	schema := pgx.Identifier{s.name}.Sanitize()
	if err := execute(ctx, given, "CREATE SCHEMA "+schema, &version); err != nil {
		return databaseFailure(given, err)
	}
	s.closers.push("schema", func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return execute(ctx, given, "DROP SCHEMA "+schema+" CASCADE", &version)
	})
	query := target.Query()
	query.Set("search_path", schema)
	target.RawQuery = query.Encode()
	s.settings.DatabaseURL = config.Secret(target.String())
	s.Facts["database"] = "PostgreSQL " + version
	return nil
}

func execute(ctx context.Context, database config.Secret, statement string, version *string) error {
	connection, err := pgx.Connect(ctx, database.Reveal())
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }() // what it did is committed
	if _, err := connection.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return connection.QueryRow(ctx, "SHOW server_version").Scan(version)
}
