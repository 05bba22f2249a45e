package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"

	"posthaste/cmd/posthaste/bench"
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
	schema := pgx.Identifier{s.name}.Sanitize()
	server, err := execute(ctx, given, "CREATE SCHEMA "+schema)
	if err != nil {
		return databaseFailure(given, err)
	}
	s.closers.push("schema", func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		_, err := execute(ctx, given, "DROP SCHEMA "+schema+" CASCADE")
		return err
	})
	query := target.Query()
	query.Set("search_path", schema)
	target.RawQuery = query.Encode()
	s.settings.DatabaseURL = config.Secret(target.String())
	s.Facts["database"] = "PostgreSQL " + server.version
	if server.postmaster != 0 {
		s.Postmaster = server.postmaster
	}
	return nil
}

// databaseServer is the PostgreSQL that a statement was executed by.
type databaseServer struct {
	version    string
	postmaster int // its process; 0 where it is on another machine
}

func execute(ctx context.Context, database config.Secret, statement string) (databaseServer, error) {
	connection, err := pgx.Connect(ctx, database.Reveal())
	if err != nil {
		return databaseServer{}, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = connection.Close(context.WithoutCancel(ctx)) }() // what it did is committed
	if _, err := connection.Exec(ctx, statement); err != nil {
		return databaseServer{}, fmt.Errorf("%s: %w", statement, err)
	}
	var server databaseServer
	if address := connection.PgConn().Conn().RemoteAddr(); address.Network() == "unix" || isLoopback(address.String()) {
		server.postmaster = bench.Postmaster(int(connection.PgConn().PID()))
	}
	return server, connection.QueryRow(ctx, "SHOW server_version").Scan(&server.version)
}

// isLoopback tells an address of this machine.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}
