package api

import (
	"context"
	"errors"
	"time"

	"posthaste/errs"
	"posthaste/models"

	"github.com/sony/gobreaker/v2"
)

const (
	// recallPatience is how long the ledger may take to say whether it knows an
	// event; one that is slow but there needs a few round trips.
	recallPatience = 3 * time.Second
	// recallFailures look-ups in a row without an answer make it an outage, and
	// recallPause is how soon one is let through to see whether it is over.
	recallFailures = 3
	recallPause    = time.Second
)

// recallStore is what a look-up by key asks of the ledger. KeyedEvents returns
// those of the events that there are, by id: their names and hashes alone.
type recallStore interface {
	KeyedEvents(ctx context.Context, tenant string, ids []string) (map[string]models.Event, error)
}

// recall asks the ledger for events by their keys. While the ledger is away it
// says so at once: an event with a key must not wait, holding its body and a
// place, for what the event before it has just waited for in vain.
type recall struct {
	store   recallStore
	breaker *gobreaker.CircuitBreaker[map[string]models.Event]
}

// leftError is how a look-up ends whose caller did not wait for it. It says nothing
// about the ledger.
type leftError struct{ error }

// Unwrap returns how the look-up ended.
func (e leftError) Unwrap() error { return e.error }

func newRecall(store recallStore) *recall {
	return &recall{store: store, breaker: gobreaker.NewCircuitBreaker[map[string]models.Event](gobreaker.Settings{
		Name:         "ledger",
		Timeout:      recallPause,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= recallFailures },
		IsSuccessful: func(err error) bool { return !errs.Is(err, errs.Unavailable) },
		IsExcluded:   func(err error) bool { var left leftError; return errors.As(err, &left) },
	})}
}

// events returns those of the events that the ledger has, by id, and
// errs.Unavailable when nobody can say.
func (r *recall) events(ctx context.Context, tenant string, ids []string) (map[string]models.Event, error) {
	found, err := r.breaker.Execute(func() (map[string]models.Event, error) {
		limited, cancel := context.WithTimeout(ctx, recallPatience)
		defer cancel()
		found, err := r.store.KeyedEvents(limited, tenant, ids)
		if err != nil && ctx.Err() != nil {
			err = leftError{err}
		}
		return found, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return nil, errs.Wrap(err, errs.Unavailable, "The Idempotency-Key could not be looked up; try again shortly")
	}
	return found, err
}
