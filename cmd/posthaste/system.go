package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.temporal.io/sdk/client"

	"posthaste/activities"
	"posthaste/api"
	"posthaste/codec"
	"posthaste/config"
	"posthaste/keyset"
	"posthaste/models"
	"posthaste/webhook/provider"
	"posthaste/webhook/send"
	"posthaste/worker"
	"posthaste/workflows"
)

// role says which parts of Posthaste a process runs.
type role string

// The three roles. Only in roleAll do API and worker share a client, and only
// then can a workflow begin in the process that accepted its event.
const (
	roleAll    role = "all"
	roleAPI    role = "api"
	roleWorker role = "worker"
)

func (r role) servesAPI() bool { return r != roleWorker }
func (r role) works() bool     { return r != roleAPI }

// system is Posthaste in one process: store, Temporal client, worker, API.
type system struct {
	settings config.Config
	role     role
	logger   *slog.Logger
	closers  *cleanup

	stopping  atomic.Bool // GET /readyz refuses from then on
	store     *models.Store
	providers *provider.Registry
	metrics   *metrics
	traces    tracing
	client    client.Client
	starter   *workflows.Starter
	keys      *keyset.Keyset
	worker    *worker.Worker // nil in role api
	server    *server
}

// startSystem joins the parts and starts them, in the order in which each needs
// the ones before it. What it opened is on closers, even when it fails; closing
// is the reverse: no new requests, no new work, then the connections.
func startSystem(ctx context.Context, s *system, listener net.Listener) error {
	if err := s.openParts(ctx); err != nil {
		return err
	}
	if s.role.works() {
		if err := s.startWorker(); err != nil {
			return err
		}
	}
	handler := probes(s.checks(), s.metrics.handler(s.logger), s.logger)
	if s.role.servesAPI() {
		var err error
		if handler, err = s.newAPI(ctx); err != nil {
			return err
		}
	}
	s.server = serveHTTP(listener, handler, s.logger)
	s.closers.push("HTTP server", s.server.stop)
	s.watchChecks()
	s.closers.pushFunc("readiness", func() { s.stopping.Store(true) })
	return nil
}

// openParts opens what both roles need.
func (s *system) openParts(ctx context.Context) error {
	keys, err := keyset.Parse(s.settings.EncryptionKeyset.Reveal())
	if err != nil {
		return err
	}
	s.keys = keys
	if s.providers, err = provider.Load(s.settings.ProvidersDir); err != nil {
		return err
	}
	if err := s.startTracing(ctx); err != nil {
		return err
	}
	span, given, err := s.settings.BrokenSpan()
	if err != nil {
		return fmt.Errorf("POSTHASTE_BROKEN_AFTER %w", err)
	}
	if given {
		s.providers.OverrideFailingFor(span)
	}
	s.store, err = models.Open(ctx, models.Options{
		URL: s.settings.DatabaseURL.Reveal(), Sealer: keys, Now: time.Now, Logger: s.logger,
		DefaultLimits: models.Limits{
			Webhooks: s.settings.LimitWebhooks, EventsPerMinute: s.settings.LimitEventsPerMinute,
		},
		RetentionDays: s.settings.RetentionDays,
	})
	if err != nil {
		return openFailure(s.settings.DatabaseURL, err)
	}
	s.closers.push("database", s.store.Close)
	if err := checkKeys(ctx, s.store, s.settings.DatabaseURL); err != nil {
		return err
	}
	// Without them rows fall into the default partitions, which does no harm.
	if _, err := s.store.AddPartitions(ctx); err != nil {
		s.logger.Warn("cannot add the partitions of the coming days", "error", err)
	}
	s.warnOfMissingProfiles(ctx)
	s.metrics = newMetrics(s.providers.Names(), s.store.RecorderStats)
	s.metrics.pruning.stats = s.store.PruneStats
	s.watchClock(ctx)

	sdkLogger := slog.New(quietPolls{s.logger.Handler(), s.stopping.Load})
	s.client, err = dialTemporal(ctx, s.settings.Temporal, keys, sdkLogger, func(o *client.Options) {
		o.MetricsHandler, o.Interceptors = s.metrics.temporal.handler(), s.traces.temporal
	})
	if err != nil {
		return err
	}
	s.closers.pushFunc("Temporal client", s.client.Close)
	s.starter = workflows.NewStarter(s.client, codec.DataConverter(keys), s.settings.EventsPerWorkflow)
	missing, err := missingAttributes(ctx, s.client, s.settings.TemporalNamespace)
	switch {
	case err != nil: // hosted Temporal may keep its operator service to itself
		s.logger.Warn("cannot check Temporal's search attributes", "error", err)
	case len(missing) > 0:
		return failed(nil, "Temporal's namespace %q lacks the search attributes %v: run `posthaste migrate up`", s.settings.TemporalNamespace, missing)
	}
	return nil
}

// startTracing comes before all that makes spans; its last spans go when all of
// that has stopped.
func (s *system) startTracing(ctx context.Context) (err error) {
	if s.traces, err = newTracing(ctx, s.settings.OTLPEndpoint, s.role, s.logger); err != nil || s.traces.tracer == nil {
		return err
	}
	s.logger = slog.New(tracedLines{s.logger.Handler()})
	s.closers.pushFunc("traces", s.traces.stop)
	return nil
}

func (s *system) startWorker() error {
	networks, err := s.settings.Networks()
	if err != nil {
		return fmt.Errorf("POSTHASTE_ALLOW_NETWORKS %w", err)
	}
	options := send.Options{AllowNetworks: networks}
	if s.settings.DNSServer != "" {
		options.Resolver = send.ResolverAt(s.settings.DNSServer)
	}
	sender := send.New(options)
	s.closers.pushFunc("sender", sender.Close)
	effects, err := activities.New(activities.Deps{
		Store: s.store, Providers: s.providers, Sender: sender, Meter: s.metrics,
		UserAgent: userAgent(), FastSlots: s.settings.FastSlots, DurableSlots: s.settings.DurableSlots, Now: time.Now, Logger: s.logger,
		Tracer: s.traces.tracer, TraceReceivers: s.settings.TraceReceivers,
	})
	if err != nil {
		return err
	}
	s.worker = worker.New(s.client, effects, worker.Options{
		FastSlots: s.settings.FastSlots, DurableSlots: s.settings.DurableSlots, Pollers: s.settings.Pollers,
	})
	if err := s.worker.Start(); err != nil {
		return failed(err, "the worker cannot start on Temporal at %s: %v", s.settings.TemporalAddress, err)
	}
	s.closers.pushFunc("worker", func() { s.stopping.Store(true); s.worker.Stop() })
	s.announce()
	return nil
}

// announce makes events of what happens to webhooks for as long as the worker
// runs.
func (s *system) announce() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		worker.Announce(ctx, activities.NewAnnouncer(s.store), s.starter, s.logger)
	}()
	s.closers.pushFunc("announcer", func() { cancel(); <-done })
}

func (s *system) newAPI(ctx context.Context) (http.Handler, error) {
	networks, err := s.settings.Networks()
	if err != nil {
		return nil, fmt.Errorf("POSTHASTE_ALLOW_NETWORKS %w", err)
	}
	var keySet jwt.Keyfunc
	if url := s.settings.JWKSURL; url != "" {
		// The key set is kept fresh for as long as requests are answered, which
		// is longer than ctx.
		refresh, stop := context.WithCancel(context.WithoutCancel(ctx))
		s.closers.pushFunc("key set", stop)
		if keySet, err = api.OpenKeySet(refresh, url); err != nil {
			return nil, err
		}
	}
	return api.New(api.Deps{
		Store:             s.store,
		Starter:           s.starter,
		Providers:         s.providers,
		DefaultProvider:   s.settings.Provider,
		URLRules:          provider.URLRules{AllowHTTP: s.settings.AllowHTTP, AllowNetworks: networks},
		JWTSecret:         s.settings.JWTSecret.Reveal(),
		JWTAudience:       s.settings.JWTAudience,
		JWTIssuer:         s.settings.JWTIssuer,
		KeySet:            keySet,
		Codec:             codec.New(s.keys),
		Sealer:            s.keys,
		Checks:            s.checks(),
		Meter:             s.metrics,
		Metrics:           s.metrics.handler(s.logger),
		Tracer:            s.traces.tracer,
		TemporalUIURL:     s.settings.TemporalUIURL,
		TemporalNamespace: s.settings.TemporalNamespace,
		MaxEventBytes:     s.settings.MaxEventBytes,
		Random:            rand.Reader,
		Now:               time.Now,
		Logger:            s.logger,
	})
}

// checks is what GET /readyz asks. The first one turns the process away from
// its load balancer before it stops.
func (s *system) checks() []api.Check {
	checks := []api.Check{
		{Name: "process", Run: func(context.Context) error {
			if s.stopping.Load() {
				return errors.New("stopping")
			}
			return nil
		}},
		{Name: "database", Run: s.store.Ping},
		{Name: "temporal", Run: s.starter.Ready},
	}
	if s.worker != nil {
		checks = append(checks, api.Check{Name: "worker", Run: func(context.Context) error { return s.worker.Healthy() }})
	}
	return checks
}

// wait returns when ctx ends, or earlier with what ended the server.
func (s *system) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.server.failed:
		return err
	}
}

// ignoreClosed drops the error of closing a listener that its server closed.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
