package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"go.temporal.io/sdk/client"

	"posthaste/api"
	"posthaste/config"
	"posthaste/models"
)

type devCommand struct {
	HTTP           string `name:"http" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address the API listens on."`
	TemporalPort   int    `default:"7233" placeholder:"PORT" help:"Port of the Temporal server; 0 takes a free one."`
	TemporalUIPort int    `name:"temporal-ui-port" default:"8233" placeholder:"PORT" help:"Port of Temporal Web UI; 0 takes a free one."`
	TemporalCLI    string `name:"temporal-cli" placeholder:"PATH" help:"The Temporal CLI. Without it: bin/temporal, then PATH."`
	Receiver       string `default:"127.0.0.1:8090" placeholder:"HOST:PORT" help:"Address the demo receiver listens on."`
	Demo           bool   `default:"true" negatable:"" help:"Run the demo receiver and keep a webhook of tenant demo that points to it."`
	DataDir        string `default:".posthaste" placeholder:"DIR" help:"Folder that keeps everything between runs."`
	config.Auth
	config.Sealing
	config.Delivery
	config.Worker
}

// Run starts everything in one process tree and stops it when ctx ends. It is
// straight-line wiring: what each step opens is closed in reverse.
func (d devCommand) Run(ctx context.Context, c console) (err error) {
	if err := config.AsError(append(d.Delivery.Validate(), d.Worker.Validate()...)); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	closers := &cleanup{}
	defer func() { err = errors.Join(err, closers.run()) }()

	say(c, "%s, data in %s\n", userAgent(), d.DataDir)
	dir, unlock, err := openDataDir(d.DataDir)
	if err != nil {
		return err
	}
	closers.push("data directory", unlock)
	settings, err := d.settings(dir)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, d.HTTP, "--http")
	if err != nil {
		return err
	}
	closers.push("listener", func() error { return ignoreClosed(listener.Close()) })
	target, err := d.startReceiver(ctx, c, dir, closers)
	if err != nil {
		return err
	}
	temporal, server, err := d.startTemporal(ctx, c, dir, closers)
	if err != nil {
		return err
	}
	settings.TemporalAddress, settings.TemporalUIURL = temporal.address(), temporal.uiURL()

	report, err := models.MigrateUp(ctx, settings.DatabaseURL.Reveal())
	if err != nil {
		return failed(err, "the database %s cannot be used (%v): move it away, or choose another folder with --data-dir", dir.file(fileDatabase), innermost(err))
	}
	say(c, "  database  at version %d, %d migrations applied\n", report.Version, len(report.Applied))
	parts := &system{settings: settings, role: roleAll, logger: logger, closers: closers}
	if err := startSystem(ctx, parts, listener); err != nil {
		return err
	}
	say(c, "  Posthaste API and worker started\n")
	if err := d.welcome(ctx, c, dir, settings, listener.Addr(), target); err != nil {
		return err
	}

	closers.pushFunc("message", func() { say(c, "\nstopping: requests and deliveries under way may finish; Ctrl-C again ends at once\n") })
	go func() { // an end of Temporal is an end of everything
		select {
		case <-server.ended:
			parts.server.fail(temporal.died(server))
		case <-ctx.Done():
		}
	}()
	return parts.wait(ctx)
}

// settings are those of a machine of one's own: its folder, its secrets, and
// receivers on it allowed.
func (d devCommand) settings(dir dataDir) (config.Config, error) {
	settings := config.Config{
		Database: config.Database{DatabaseURL: config.Secret(dir.databaseURL())},
		Temporal: config.Temporal{TemporalNamespace: client.DefaultNamespace},
		HTTP:     config.HTTP{HTTPAddr: d.HTTP},
		Auth:     d.Auth, Sealing: d.Sealing, Delivery: d.Delivery, Worker: d.Worker,
	}
	settings.AllowHTTP = true
	settings.AllowNetworks = append([]string{"127.0.0.0/8", "::1/128"}, d.AllowNetworks...)
	if !settings.JWTSecret.IsSet() {
		secret, err := dir.jwtSecret()
		if err != nil {
			return config.Config{}, err
		}
		settings.JWTSecret = config.Secret(secret)
	}
	if !settings.EncryptionKeyset.IsSet() {
		line, err := dir.keyset()
		if err != nil {
			return config.Config{}, err
		}
		settings.EncryptionKeyset = config.Secret(line)
	}
	return settings, nil
}

// startReceiver starts the demo receiver and returns its URL; "" without one.
func (d devCommand) startReceiver(ctx context.Context, c console, dir dataDir, closers *cleanup) (string, error) {
	if !d.Demo {
		return "", nil
	}
	secret, err := dir.demoSecret()
	if err != nil {
		return "", err
	}
	handler, err := newReceiver(secret, c.out, time.Now)
	if err != nil {
		return "", err
	}
	listener, err := listen(ctx, d.Receiver, "--receiver")
	if err != nil {
		return "", err
	}
	closers.push("receiver", serveHTTP(listener, handler, slog.New(slog.DiscardHandler)).stop)
	return browsable(listener.Addr()) + "/webhooks", nil
}

// startTemporal starts the Temporal dev server and waits until it serves.
func (d devCommand) startTemporal(ctx context.Context, c console, dir dataDir, closers *cleanup) (temporalDev, *child, error) {
	executable, err := os.Executable()
	if err != nil {
		return temporalDev{}, nil, fmt.Errorf("find our own executable: %w", err)
	}
	path, _ := c.lookupEnv("PATH")
	server := temporalDev{dir: dir, environ: childEnvironment(c.lookupEnv)}
	if server.cli, err = findTemporalCLI(d.TemporalCLI, executable, path); err != nil {
		return temporalDev{}, nil, err
	}
	if server.port, err = freePort(ctx, d.TemporalPort, "--temporal-port"); err != nil {
		return temporalDev{}, nil, err
	}
	if server.uiPort, err = freePort(ctx, d.TemporalUIPort, "--temporal-ui-port"); err != nil {
		return temporalDev{}, nil, err
	}
	say(c, "  Temporal  starting … ")
	began := time.Now()
	running, err := server.start(ctx)
	if err != nil {
		say(c, "\n")
		return temporalDev{}, nil, err
	}
	say(c, "ready in %.1f s\n", time.Since(began).Seconds())
	closers.push("Temporal server", func() error { return running.stop(context.WithoutCancel(ctx), childGrace) })
	return server, running, nil
}

// welcome makes the demo webhook and prints where everything is.
func (d devCommand) welcome(ctx context.Context, c console, dir dataDir, settings config.Config, address net.Addr, target string) error {
	base := browsable(address)
	token, err := api.MintToken(settings.JWTSecret.Reveal(), demoTenant, false, demoTokenLife, time.Now())
	if err != nil {
		return err
	}
	demo := demo{api: base, token: token, target: target}
	if target != "" {
		secret, err := dir.demoSecret()
		if err != nil {
			return err
		}
		demo.secret = config.Secret(secret)
		if err := demo.ensure(ctx); err != nil {
			return err
		}
	}
	say(c, "\nPosthaste runs; Ctrl-C stops it, and its data stays.\n\n")
	say(c, "  API          %s/api\n", base)
	say(c, "  API docs     %s/api/openapi.yaml\n", base)
	say(c, "  Temporal UI  %s\n", settings.TemporalUIURL)
	if target != "" {
		say(c, "  Receiver     %s (webhook %q of tenant %s)\n", target, demoName, demoTenant)
	}
	say(c, "\nToken of tenant %s, for 30 days:\n\n  %s\n", demoTenant, token)
	if target != "" {
		say(c, "\nPaste this, and the event arrives below:\n\n  %s\n\n", demo.curl(settings.Provider))
	}
	return nil
}

// say prints progress for a person; a terminal that is gone is no reason to
// stop.
func say(c console, format string, args ...any) {
	_, _ = fmt.Fprintf(c.out, format, args...)
}
