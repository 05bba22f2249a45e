package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"posthaste/api"
)

// Limits of a connection to us, before any handler sees the request.
const (
	readHeaderTimeout = 5 * time.Second  // a client that sends its headers slower means harm
	readTimeout       = 30 * time.Second // 1 MiB at 35 KB/s; the API wants bodies to come steadily
	writeTimeout      = 60 * time.Second // past the slowest answer, with its request read
	idleTimeout       = 2 * time.Minute  // above what load balancers keep, so that they close first
	maxHeaderBytes    = 32 << 10         // a token and cookies of other applications
	maxConnections    = 4096             // some 30 KiB each; room for four times the requests that are let in
	// shutdownGrace lets requests under way finish: all but a batch are answered
	// 10 s after their body has arrived.
	shutdownGrace = 15 * time.Second
)

// server is an HTTP server that runs.
type server struct {
	http   *http.Server
	failed chan error // holds what ended it, if that was not stop
}

// serveHTTP serves the handler until stop.
func serveHTTP(listener net.Listener, handler http.Handler, logger *slog.Logger) *server {
	return serveBounded(listener, handler, logger, maxConnections)
}

// serveBounded is serveHTTP with a bound of the caller's on connections.
func serveBounded(listener net.Listener, handler http.Handler, logger *slog.Logger, most int) *server {
	s := &server{failed: make(chan error, 1), http: &http.Server{
		Handler:           answeringAtOnce(handler),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ConnState:         newConnections(most).changed,
	}}
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("serve HTTP on %s: %w", listener.Addr(), err))
		}
	}()
	return s
}

// fail ends the process in good order with the error; the first one counts.
func (s *server) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// stop takes no new connections and waits for the requests under way, within
// the grace; then it cuts them.
func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests did not end in %v: %w", shutdownGrace, err), s.http.Close())
	}
	return nil
}

// probes is all that a worker answers over HTTP: whether it lives, whether what
// it needs works, and its metrics.
func probes(checks []api.Check, metrics http.Handler, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{})
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		status, results := http.StatusOK, map[string]string{}
		failures := api.RunChecks(r.Context(), checks)
		for i, check := range checks {
			results[check.Name] = "ok"
			if failures[i] != nil {
				logger.WarnContext(r.Context(), "not ready", "check", check.Name, "error", failures[i])
				status, results[check.Name] = http.StatusServiceUnavailable, "failing"
			}
		}
		answer(w, status, results)
	})
	return mux
}

func answer(w http.ResponseWriter, status int, checks map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := struct {
		Success bool              `json:"success"`
		Checks  map[string]string `json:"checks,omitempty"`
	}{status == http.StatusOK, checks}
	_ = json.NewEncoder(w).Encode(body) // whoever asked is gone; nothing is lost
}
