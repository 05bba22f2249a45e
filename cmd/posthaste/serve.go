package main

import (
	"context"
	"errors"
	"log/slog"

	"posthaste/config"
	"posthaste/errs"
	"posthaste/keyset"
	"posthaste/models"
)

type serveCommand struct {
	Role role `enum:"all,api,worker" default:"all" help:"What this process runs: all (API and worker), api or worker."`
	config.Config
}

// Help shows how processes part the work.
func (serveCommand) Help() string {
	return `Run posthaste migrate up before. SIGTERM stops it in good order: requests and deliveries under way may finish.

Examples:

  posthaste serve                               API and worker, settings from POSTHASTE_* variables
  posthaste serve --role worker --http 127.0.0.1:8081`
}

// Run serves until ctx ends, and then stops in good order.
func (s serveCommand) Run(ctx context.Context, c console) (err error) {
	needs := config.Needs{Database: true, Temporal: true, Keyset: true, Tokens: s.Role.servesAPI()}
	if err := config.AsError(append(s.Validate(needs), checkKeyset(s.EncryptionKeyset)...)); err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(c.err, nil))
	closers := &cleanup{}
	defer func() { err = errors.Join(err, closers.run()) }()

	listener, err := listen(ctx, s.HTTPAddr, "--http (POSTHASTE_HTTP_ADDR)")
	if err != nil {
		return err
	}
	closers.push("listener", func() error { return ignoreClosed(listener.Close()) })
	if err := serveProfiles(ctx, s.DebugAddr, logger, closers); err != nil {
		return err
	}
	parts := &system{settings: s.Config, role: s.Role, logger: logger, closers: closers}
	if err := startSystem(ctx, parts, listener); err != nil {
		return err
	}
	closers.logger = logger
	logger.Info("serving", "role", string(s.Role), "address", listener.Addr().String(), "version", userAgent())
	return parts.wait(ctx)
}

// checkKeys refuses a keyset that does not open what is in the database: each
// delivery would fail for it, and what is sealed here nobody else could open.
func checkKeys(ctx context.Context, store *models.Store, database config.Secret) error {
	err := store.CheckKeys(ctx)
	if errs.Is(err, errs.Internal) {
		return failed(err, "POSTHASTE_ENCRYPTION_KEYSET does not hold the keys that sealed the webhook secrets in the database %s: give this process the line that the others have", redacted(database))
	}
	if err != nil {
		return databaseFailure(database, err)
	}
	return nil
}

// checkKeyset reports a keyset that cannot be read beside all other problems;
// config knows settings but no keys.
func checkKeyset(line config.Secret) []config.Problem {
	if !line.IsSet() {
		return nil // if it is needed, that is a problem already
	}
	if _, err := keyset.Parse(line.Reveal()); err != nil {
		return []config.Problem{{Variable: "POSTHASTE_ENCRYPTION_KEYSET", Text: "cannot be used: " + explain(err)}}
	}
	return nil
}
