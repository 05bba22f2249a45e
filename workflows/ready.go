package workflows

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.temporal.io/api/serviceerror"
)

const (
	// noWorkflow is an id that no workflow has.
	noWorkflow = "readiness/none"
	// lostFor is how long a start without an answer speaks against Temporal. While
	// events keep coming one is tried at least every seven seconds, so that it does
	// so until one succeeds; and when none comes any more, because of this very
	// answer, somebody has to try again some time.
	lostFor = 10 * time.Second
)

// Ready reports whether Temporal would take an event now: it answers, so does its
// store, and the last start did not just fail.
func (s *Starter) Ready(ctx context.Context) error {
	err := s.alive(ctx)
	if err == nil {
		err = s.remembers(ctx)
	}
	if err == nil {
		err = s.starts.lost()
	}
	return s.unavailable(err, "Temporal does not answer")
}

// remembers asks Temporal for a workflow that does not exist. For that it has to
// look into its store, which its health check does not do, and for which neither
// its frontend nor its history service has an answer in memory.
func (s *Starter) remembers(ctx context.Context) error {
	_, err := s.client.DescribeWorkflowExecution(ctx, noWorkflow, "")
	var none *serviceerror.NotFound
	var busy *serviceerror.ResourceExhausted
	if errors.As(err, &none) || errors.As(err, &busy) { // being busy starting workflows is what it is there for
		return nil
	}
	return err
}

// lastStart remembers whether the last start got an answer. A store that cannot be
// written, on a full disk say, shows in nothing else. It is safe for concurrent
// use.
type lastStart struct {
	now    func() time.Time
	mu     sync.Mutex
	lostAt time.Time // zero after one that succeeded
}

// note takes down how a start ended. What was not tried, or not waited for, says
// nothing.
func (l *lastStart) note(err error) {
	var left leftError
	switch {
	case err == nil || isAlreadyStarted(err):
		l.set(time.Time{})
	case errors.As(err, &left) || errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests):
	case isNoAnswer(err):
		l.set(l.now())
	}
}

func (l *lastStart) set(lostAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lostAt = lostAt
}

// lost returns an error while the last start speaks against Temporal.
func (l *lastStart) lost() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lostAt.IsZero() {
		return nil
	}
	if ago := l.now().Sub(l.lostAt); ago < lostFor {
		return fmt.Errorf("%w: to the last start, %s ago", errAway, ago.Round(time.Millisecond))
	}
	return nil
}
