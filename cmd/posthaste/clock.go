package main

import (
	"context"
	"log/slog"
	"math"
	"time"

	"posthaste/api"
)

const (
	// clockEvery is how often a process compares its clock with the database's:
	// clocks drift slowly, and what jumps is found within a minute.
	clockEvery = time.Minute
	// clockAgain is how soon it asks again when the database did not say.
	clockAgain = 5 * time.Second
	// clockTolerance is what is not worth a word: far less than the minutes after
	// which receivers refuse a signature, more than any clock is off that NTP keeps.
	clockTolerance = 5 * time.Second
)

// clockWatch compares this process's clock with the ledger's, shows by how much it
// is ahead, and says so when it is wrong.
type clockWatch struct {
	compare func(context.Context) (ahead time.Duration, err error)
	metrics *metrics
	logger  *slog.Logger
	wrong   bool // as of the last time
}

// watchClock compares once before anything is done that goes by the time, and then
// on a timer until the process stops.
func (s *system) watchClock(ctx context.Context) {
	watch := &clockWatch{compare: s.store.CheckClock, metrics: s.metrics, logger: s.logger}
	s.metrics.clock.Set(math.NaN()) // not known
	next := watch.look(ctx)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); watch.run(ctx, next) }()
	s.closers.pushFunc("clock", func() { cancel(); <-done })
}

func (w *clockWatch) run(ctx context.Context, next time.Duration) {
	timer := time.NewTimer(next)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			timer.Reset(w.look(ctx))
		}
	}
}

// look compares the two and says when to do so next. A database that does not
// answer says nothing of the time, and others say that it does not.
func (w *clockWatch) look(ctx context.Context) (next time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, api.CheckTimeout)
	defer cancel()
	ahead, err := w.compare(ctx)
	if err != nil {
		return clockAgain
	}
	w.metrics.clock.Set(ahead.Seconds())
	wrong := ahead.Abs() > clockTolerance
	switch {
	case wrong && !w.wrong:
		w.logger.WarnContext(ctx, "the clock of this machine is wrong, or the database's: set it right with NTP, receivers refuse what is signed with a wrong time",
			"ahead", ahead.Round(time.Millisecond).String())
	case !wrong && w.wrong:
		w.logger.InfoContext(ctx, "the clock of this machine is right again")
	}
	w.wrong = wrong
	return clockEvery
}
