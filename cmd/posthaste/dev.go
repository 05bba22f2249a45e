package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"go.temporal.io/sdk/client"

	"posthaste/api"
	"posthaste/config"
	"posthaste/models"
)

type devCommand struct {
	HTTP           string `name:"http" default:"127.0.0.1:8080" help:"Address the API listens on."`
	TemporalPort   int    `default:"7233" help:"Port of the Temporal server; 0 takes a free one."`
	TemporalUIPort int    `name:"temporal-ui-port" default:"8233" help:"Port of Temporal Web UI; 0 takes a free one."`
	TemporalCLI    string `name:"temporal-cli" placeholder:"PATH" help:"The Temporal CLI. Without it: bin/temporal, then PATH."`
	Receiver       string `default:"127.0.0.1:8090" help:"Address the demo receiver listens on."`
	Demo           bool   `default:"true" negatable:"" help:"Run the demo receiver and keep a webhook of tenant demo that points to it."`
	DataDir        string `default:".posthaste" help:"Folder that keeps everything between runs."`

	// On a machine of one's own there are no limits unless one asks for them.
	LimitWebhooks        int `env:"POSTHASTE_LIMIT_WEBHOOKS" default:"0" group:"Limits:" help:"Webhooks that a tenant may have; 0 sets no limit."`
	LimitEventsPerMinute int `env:"POSTHASTE_LIMIT_EVENTS_PER_MINUTE" default:"0" group:"Limits:" help:"Events per minute that a tenant may enqueue; 0 sets no limit."`
	config.Auth
	config.Sealing
	config.Delivery
	config.Retention
	config.Worker
	config.Telemetry
}

// Help shows how to move it elsewhere.
func (devCommand) Help() string {
	return `It prints a line to paste, which sends an event to the receiver. Ctrl-C stops everything, and its data stays.

Examples:

  posthaste dev
  posthaste dev --http 127.0.0.1:9000 --data-dir second --temporal-port 0 --temporal-ui-port 0 --demo=false`
}

// Run starts everything in one process tree and stops it when ctx ends.
func (d devCommand) Run(ctx context.Context, c console) error {
	if err := config.AsError(slices.Concat(d.Delivery.Validate(), d.limits().Validate(), d.Retention.Validate(), d.Worker.Validate(), d.Telemetry.Validate(), checkKeyset(d.EncryptionKeyset))); err != nil {
		return err
	}
	s := &devSession{devCommand: d, console: c}
	err := s.run(ctx)
	if err = errors.Join(err, s.closers.run()); s.started {
		s.say("stopped\n")
	}
	return err
}

func (d devCommand) limits() config.Limits {
	return config.Limits{LimitWebhooks: d.LimitWebhooks, LimitEventsPerMinute: d.LimitEventsPerMinute}
}

// devSession is one run of posthaste dev.
type devSession struct {
	devCommand
	console
	closers cleanup
	dir     dataDir
	base    string // URL under which the API is reached from this machine
	target  string // URL of the demo receiver; "" without one
	started bool
}

// run is straight-line wiring: ports and files first, because they fail fast,
// then Temporal, which takes a second, then what needs it.
func (s *devSession) run(ctx context.Context) error {
	s.say("%s, data in %s\n", userAgent(), s.DataDir)
	dir, unlock, err := openDataDir(s.DataDir)
	if err != nil {
		return err
	}
	s.dir = dir
	s.closers.push("data directory", unlock)
	settings, err := s.settings()
	if err != nil {
		return err
	}
	listener, err := listen(ctx, s.HTTP, "--http")
	if err != nil {
		return err
	}
	s.closers.push("listener", func() error { return ignoreClosed(listener.Close()) })
	s.base = browsable(listener.Addr())
	if err := s.startReceiver(ctx); err != nil {
		return err
	}
	temporal, process, err := s.startTemporal(ctx)
	if err != nil {
		return err
	}
	settings.TemporalAddress, settings.TemporalUIURL = temporal.address(), temporal.uiURL()
	if err := s.migrate(ctx, settings); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	parts := &system{settings: settings, role: roleAll, logger: logger, closers: &s.closers}
	if err := startSystem(ctx, parts, listener); err != nil {
		return err
	}
	if _, err := prepareTemporal(ctx, settings.Temporal); err != nil { // its search attributes came with the server
		return err
	}
	s.say("  Posthaste API and worker started\n")
	if err := s.welcome(ctx, parts); err != nil {
		return err
	}
	s.started = true
	s.closers.pushFunc("message", func() {
		s.say("\nstopping: requests and deliveries under way may finish; Ctrl-C again ends at once\n")
	})
	go func() { // an end of Temporal is an end of everything
		select {
		case <-process.ended:
			parts.server.fail(temporal.died(process))
		case <-ctx.Done():
		}
	}()
	return parts.wait(ctx)
}

// settings are those of a machine of one's own: its folder, its secrets, and
// receivers on it allowed.
func (s *devSession) settings() (config.Config, error) {
	settings := config.Config{
		Database: config.Database{DatabaseURL: config.Secret(s.dir.databaseURL())},
		Temporal: config.Temporal{TemporalNamespace: client.DefaultNamespace},
		HTTP:     config.HTTP{HTTPAddr: s.HTTP},
		Auth:     s.Auth, Sealing: s.Sealing, Delivery: s.Delivery, Limits: s.limits(), Retention: s.Retention, Worker: s.Worker, Telemetry: s.Telemetry,
	}
	settings.AllowHTTP = true
	settings.AllowNetworks = append([]string{"127.0.0.0/8", "::1/128"}, s.AllowNetworks...)
	if !settings.JWTSecret.IsSet() {
		secret, err := s.dir.jwtSecret()
		if err != nil {
			return config.Config{}, err
		}
		settings.JWTSecret = config.Secret(secret)
	}
	line, err := s.dir.keyset(settings.EncryptionKeyset.Reveal())
	if err != nil {
		return config.Config{}, err
	}
	settings.EncryptionKeyset = config.Secret(line)
	return settings, nil
}

// startReceiver starts the demo receiver, if one is wanted.
func (s *devSession) startReceiver(ctx context.Context) error {
	if !s.Demo {
		return nil
	}
	secret, err := s.dir.demoSecret()
	if err != nil {
		return err
	}
	handler, err := newDemoReceiver(ctx, secret, s.out)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, s.Receiver, "--receiver")
	if err != nil {
		return err
	}
	s.closers.push("receiver", serveHTTP(listener, handler, slog.New(slog.DiscardHandler)).stop)
	s.target = browsable(listener.Addr()) + "/webhooks"
	return nil
}

// startTemporal starts the Temporal dev server and waits until it serves.
func (s *devSession) startTemporal(ctx context.Context) (temporalDev, *child, error) {
	executable, err := os.Executable()
	if err != nil {
		return temporalDev{}, nil, fmt.Errorf("find our own executable: %w", err)
	}
	path, _ := s.lookupEnv("PATH")
	server := temporalDev{dir: s.dir, codec: s.base + api.PathCodec, environ: childEnvironment(s.lookupEnv)}
	if server.cli, err = findTemporalCLI(s.TemporalCLI, executable, path); err != nil {
		return temporalDev{}, nil, err
	}
	if server.port, err = freePort(ctx, s.TemporalPort, "--temporal-port"); err != nil {
		return temporalDev{}, nil, err
	}
	if server.uiPort, err = freePort(ctx, s.TemporalUIPort, "--temporal-ui-port"); err != nil {
		return temporalDev{}, nil, err
	}
	s.say("  Temporal  starting … ")
	began := time.Now()
	process, err := server.start(ctx)
	if err != nil {
		s.say("\n")
		return temporalDev{}, nil, err
	}
	s.say("ready in %.1f s\n", time.Since(began).Seconds())
	s.closers.push("Temporal server", func() error { return process.stop(context.WithoutCancel(ctx), childGrace) })
	return server, process, nil
}

// migrate makes the database, or brings an older one up to date.
func (s *devSession) migrate(ctx context.Context, settings config.Config) error {
	report, err := models.MigrateUp(ctx, settings.DatabaseURL.Reveal())
	if err != nil {
		return failed(err, "the database %s cannot be used (%v): move it away, or choose another folder with --data-dir",
			s.dir.file(fileDatabase), innermost(err))
	}
	s.say("  database  at version %d, %d migrations applied\n", report.Version, len(report.Applied))
	return nil
}

// welcome makes the demo webhook and prints where everything is.
func (s *devSession) welcome(ctx context.Context, parts *system) error {
	settings, base := parts.settings, s.base
	token, err := api.MintToken(tokenRules(settings.Signing), api.Grant{Tenant: demoTenant, Subject: "dev", Admin: true, TTL: demoTokenLife}, time.Now())
	if err != nil {
		return err
	}
	demo := demo{api: base, token: token, target: s.target, stored: parts.demoSecret}
	if s.target != "" {
		secret, err := s.dir.demoSecret()
		if err != nil {
			return err
		}
		demo.secret = config.Secret(secret)
		repairs, err := demo.ensure(ctx)
		if err != nil {
			return err
		}
		for _, repair := range repairs {
			s.say("  the demo webhook %s\n", repair)
		}
	}
	s.say("\nPosthaste runs; Ctrl-C stops it, and its data stays.\n\n")
	s.say("  Dashboard    %s (sign in with the token below)\n", base)
	s.say("  API          %s/api\n", base)
	s.say("  API docs     %s/api/docs\n", base)
	s.say("  Temporal UI  %s (to read payloads, sign in: %s)\n", settings.TemporalUIURL, base+api.PathCodec)
	if s.target != "" {
		s.say("  Receiver     %s (webhook %q of tenant %s)\n", s.target, demoName, demoTenant)
	}
	s.say("\nToken of tenant %s, for 30 days:\n\n  %s\n", demoTenant, token)
	if s.target != "" {
		s.say("\nPaste this, and the event arrives below:\n\n  %s\n\n", demo.curl(settings.Provider))
	}
	return nil
}

// demoSecret reads the secret of a webhook of the demo tenant.
func (s *system) demoSecret(ctx context.Context, id string) (config.Secret, error) {
	found, err := s.store.Webhook(ctx, demoTenant, id)
	return config.Secret(found.Secret.Reveal()), err
}

// say prints progress for a person; a terminal that is gone is no reason to
// stop.
func (s *devSession) say(format string, args ...any) { fmt.Fprintf(s.out, format, args...) }
