package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	"posthaste/api"
	"posthaste/cmd/posthaste/bench"
)

const (
	// benchReady bounds the start of posthaste serve.
	benchReady = time.Minute
	// benchStop is past what serve takes to stop in good order.
	benchStop = 75 * time.Second
)

// serve starts posthaste serve, in place of the one before.
func (s *benchStage) serve(ctx context.Context, eventsPerWorkflow int) (bench.Server, error) {
	if err := s.stopServing(); err != nil {
		return bench.Server{}, err
	}
	executable, err := os.Executable()
	if err != nil {
		return bench.Server{}, fmt.Errorf("find our own executable: %w", err)
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return bench.Server{}, err
	}
	environment := append(s.serveEnvironment(),
		"POSTHASTE_HTTP_ADDR="+address, "POSTHASTE_EVENTS_PER_WORKFLOW="+strconv.Itoa(eventsPerWorkflow))
	server := bench.Server{API: "http://" + address, Token: s.token}
	if s.Profile != "" {
		profiles, err := freeAddress(ctx)
		if err != nil {
			return bench.Server{}, err
		}
		environment, server.Profiles = append(environment, "POSTHASTE_DEBUG_ADDR="+profiles), "http://"+profiles
	}
	output, err := os.OpenFile(s.dir.file(fileServe), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return bench.Server{}, failed(err, "cannot write %s: %v", s.dir.file(fileServe), err)
	}
	defer func() { _ = output.Close() }()        // the child has its own copy of the descriptor
	command := exec.Command(executable, "serve") //nolint:noctx,gosec // ended by its process group, gently first; it is ourselves
	command.Env = environment
	if s.serving, err = startChild(command, output); err != nil {
		return bench.Server{}, err
	}
	return server, s.awaitReady(ctx, server.API)
}

// serveEnvironment is what posthaste serve gets to see, whatever it is started for.
func (s *benchStage) serveEnvironment() []string {
	environment := append(childEnvironment(s.lookupEnv),
		"POSTHASTE_DATABASE_URL="+s.settings.DatabaseURL.Reveal(),
		"POSTHASTE_TEMPORAL_ADDRESS="+s.settings.TemporalAddress,
		"POSTHASTE_TEMPORAL_NAMESPACE="+s.settings.TemporalNamespace,
		"POSTHASTE_JWT_SECRET="+s.settings.JWTSecret.Reveal(),
		"POSTHASTE_ENCRYPTION_KEYSET="+s.settings.EncryptionKeyset.Reveal(),
		"POSTHASTE_ALLOW_HTTP=true", "POSTHASTE_ALLOW_NETWORKS=127.0.0.0/8,::1/128",
		"POSTHASTE_LIMIT_WEBHOOKS=0", "POSTHASTE_LIMIT_EVENTS_PER_MINUTE=0")
	for name, value := range s.Settings { // of Go's runtime
		environment = append(environment, name+"="+value)
	}
	return environment
}

// runtimeSettings are those of Go's runtime that Posthaste is measured with: the
// two that an operator sets.
func (s *benchStage) runtimeSettings() map[string]string {
	settings := map[string]string{}
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if value, set := s.lookupEnv(name); set {
			settings[name] = value
		}
	}
	return settings
}

// freeAddress is one of this machine on which nothing listens.
func freeAddress(ctx context.Context) (string, error) {
	port, err := freePort(ctx, 0, "--receiver")
	return fmt.Sprintf("%s:%d", loopback, port), err
}

// stopServing stops the Posthaste that runs, if one does.
func (s *benchStage) stopServing() error {
	if s.serving == nil {
		return nil
	}
	serving := s.serving
	s.serving = nil
	return serving.stop(context.Background(), benchStop)
}

func (s *benchStage) awaitReady(ctx context.Context, base string) error {
	probe := &http.Client{Timeout: api.CheckTimeout}
	return poll(ctx, benchReady, func() (bool, error) {
		select {
		case <-s.serving.ended:
			return false, s.died("posthaste serve", fileServe)
		default:
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", http.NoBody)
		if err != nil {
			return false, fmt.Errorf("ask for readiness: %w", err)
		}
		if response, err := probe.Do(request); err == nil { // else it does not listen yet
			return response.StatusCode == http.StatusOK, response.Body.Close()
		}
		return false, nil
	}, func() error {
		return failed(nil, "posthaste serve is not ready after %v; the end of its output:\n%s", benchReady, lastLines(s.dir.file(fileServe), 5))
	})
}

func (s *benchStage) token(tenant string) (string, error) {
	return api.MintToken(tokenRules(s.settings.Signing), api.Grant{Tenant: tenant, TTL: benchRetention}, time.Now())
}
