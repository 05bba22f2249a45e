package main

import (
	"context"
	"errors"
	"log/slog"

	"posthaste/config"
)

type serveCommand struct {
	Role role `enum:"all,api,worker" default:"all" help:"What this process runs: all (API and worker), api or worker."`
	config.Config
}

// Run serves until ctx ends, and then stops in good order.
func (s serveCommand) Run(ctx context.Context, c console) (err error) {
	needs := config.Needs{Database: true, Temporal: true, Keyset: true, Tokens: s.Role.servesAPI()}
	if err := config.AsError(s.Validate(needs)); err != nil {
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
	parts := &system{settings: s.Config, role: s.Role, logger: logger, closers: closers}
	if err := startSystem(ctx, parts, listener); err != nil {
		return err
	}
	closers.logger = logger
	logger.Info("serving", "role", string(s.Role), "address", listener.Addr().String(), "version", userAgent())
	return parts.wait(ctx)
}
