package workflows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.temporal.io/api/serviceerror"
	"golang.org/x/sync/singleflight"
)

const (
	// callTimeout bounds one call of a Temporal that is there but slow. The SDK
	// gives one try half of it, so a start has 5 s: one that is given up may have
	// happened, so it is not given up lightly.
	callTimeout = 10 * time.Second
	// suspicion is how long a call may take before Temporal is asked whether it
	// is there at all, and askTimeout how long it may take to say so. Together
	// they are the longest that a caller waits for a Temporal that is not.
	suspicion  = time.Second
	askTimeout = time.Second
	// failuresToOpen calls in a row without an answer make it an outage; one or
	// two may be a node of Temporal that is being replaced.
	failuresToOpen = 5
	// reopenAfter is how soon one call is let through to see whether it is over.
	reopenAfter = time.Second
	// A caller that is refused is told to come back in 1, 2 or 3 s, in turn, so
	// that those who were refused together do not come back together.
	longestRetryAfter = 3
)

// outage keeps callers from waiting for a Temporal that is away, and a Temporal
// that comes back from being met by all of them at once. After some calls without
// an answer it refuses at once, and lets one call through about every second; the
// first that succeeds ends it. It is safe for concurrent use.
type outage struct {
	breaker  *gobreaker.CircuitBreaker[struct{}]
	alive    func(context.Context) error // asks Temporal whether it serves
	asking   singleflight.Group
	refusals atomic.Uint64
}

// errAway stands for a Temporal that does not answer.
var errAway = errors.New("no answer from Temporal")

// leftError is how a call ends whose caller did not wait for it. It says nothing
// about Temporal.
type leftError struct{ error }

// Unwrap returns how the call ended.
func (c leftError) Unwrap() error { return c.error }

func newOutage(alive func(context.Context) error) *outage {
	return &outage{alive: alive, breaker: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:         "Temporal",
		Timeout:      reopenAfter,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failuresToOpen },
		IsSuccessful: func(err error) bool { return !isNoAnswer(err) },
		IsExcluded:   func(err error) bool { var left leftError; return errors.As(err, &left) },
	})}
}

// call makes a call of Temporal. An error of the call itself comes back as it is;
// otherwise errAway is in the chain.
func (o *outage) call(ctx context.Context, run func(context.Context) error) error {
	_, err := o.breaker.Execute(func() (struct{}, error) {
		if o.breaker.State() == gobreaker.StateHalfOpen {
			// Not at the expense of the one who happens to try first.
			if err := o.ask(ctx); err != nil {
				return struct{}{}, err
			}
		}
		err := o.watch(ctx, run)
		if err != nil && ctx.Err() != nil {
			err = leftError{err}
		}
		return struct{}{}, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return fmt.Errorf("%w lately: %w", errAway, err)
	}
	return err
}

// watch runs a call until it ends or Temporal turns out to be away.
func (o *outage) watch(ctx context.Context, run func(context.Context) error) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	timed, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	suspect := time.AfterFunc(suspicion, func() {
		if err := o.ask(ctx); err != nil {
			giveUp(err)
		}
	})
	defer suspect.Stop()
	err := run(timed)
	if away := context.Cause(ctx); err != nil && errors.Is(away, errAway) {
		return errors.Join(away, err)
	}
	return err
}

// ask returns nil when Temporal serves. All who ask at one time share an answer.
func (o *outage) ask(ctx context.Context) error {
	_, err, _ := o.asking.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		return nil, o.alive(ctx)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", errAway, err)
	}
	return nil
}

// retryAfter says when the next caller who is refused should come back.
func (o *outage) retryAfter() time.Duration {
	return time.Duration(o.refusals.Add(1)%longestRetryAfter+1) * time.Second
}

// isNoAnswer tells an error that means an outage from one that Temporal itself
// gave: a refusal is an answer.
func isNoAnswer(err error) bool {
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	return errors.Is(err, errAway) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &unavailable) || errors.As(err, &late) || isForgetful(err)
}

// isForgetful tells that Temporal does not know our search attributes, without
// which no process starts. When its own store is away it cannot look them up, and
// calls the request invalid, without a code of its own for that.
func isForgetful(err error) bool {
	var refused *serviceerror.InvalidArgument
	return errors.As(err, &refused) && (strings.Contains(refused.Error(), "has no mapping defined for search attribute") ||
		strings.HasPrefix(refused.Error(), "search attribute ") && strings.HasSuffix(refused.Error(), " is not defined"))
}
