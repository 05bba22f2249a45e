package main

import (
	"context"
	"log/slog"
	"time"

	"posthaste/api"
)

// checkEvery is how often a process makes its checks by itself. It is above
// api.CheckTimeout, so that no round waits for the one before.
const checkEvery = 5 * time.Second

// checkWatch makes the checks on a timer, so that the metrics tell of an outage,
// and of its end, whether or not anybody asks GET /readyz, and no scrape waits
// for a part that does not answer.
type checkWatch struct {
	checks  []api.Check
	metrics *metrics
	logger  *slog.Logger
	failing map[string]bool // as of the last round
}

// watchChecks watches from now on until the process stops.
func (s *system) watchChecks() {
	ctx, cancel := context.WithCancel(context.Background())
	watch := &checkWatch{checks: s.checks(), metrics: s.metrics, logger: s.logger, failing: map[string]bool{}}
	done := make(chan struct{})
	go func() { defer close(done); watch.run(ctx) }()
	s.closers.pushFunc("checks", func() { cancel(); <-done })
}

// run makes a round at once and one every checkEvery, until ctx ends.
func (w *checkWatch) run(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for {
		failures := api.RunChecks(ctx, w.checks)
		if ctx.Err() != nil {
			return // what was cut off has not failed
		}
		for i, check := range w.checks {
			w.note(ctx, check.Name, failures[i])
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// note shows what a check came to, and logs it where that is new.
func (w *checkWatch) note(ctx context.Context, name string, failure error) {
	w.metrics.checked(name, failure)
	switch was := w.failing[name]; {
	case failure != nil && !was:
		w.logger.WarnContext(ctx, "not ready", "check", name, "error", failure)
	case failure == nil && was:
		w.logger.InfoContext(ctx, "ready again", "check", name)
	}
	w.failing[name] = failure != nil
}
