package api

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"

	"github.com/stretchr/testify/require"
)

// awayStore is a ledger that does not answer.
type awayStore struct {
	away  bool
	calls int
}

func (s *awayStore) KeyedEvents(ctx context.Context, _ string, ids []string) (map[string]models.Event, error) {
	s.calls++
	if !s.away {
		return map[string]models.Event{ids[0]: {ID: ids[0]}}, nil
	}
	<-ctx.Done()
	return nil, errs.Wrap(ctx.Err(), errs.Unavailable, "The database cannot be reached")
}

func TestRecallDoesNotWaitForALedgerThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &awayStore{away: true}
		known := newRecall(store)
		find := func(want time.Duration) error {
			began := time.Now()
			_, err := known.events(t.Context(), "acme", []string{"e1"})
			require.Equal(t, want, time.Since(began))
			return err
		}
		for range recallFailures {
			require.True(t, errs.Is(find(recallPatience), errs.Unavailable))
		}
		for range 10 {
			require.True(t, errs.Is(find(0), errs.Unavailable))
		}
		require.Equal(t, recallFailures, store.calls)
		store.away = false
		time.Sleep(recallPause + time.Millisecond) //nolint:forbidigo // the clock is the test's own
		require.NoError(t, find(0))
		require.NoError(t, find(0))
	})
}

func TestRecallDoesNotBlameTheLedgerForCallersThatLeave(t *testing.T) {
	t.Parallel()
	store := &awayStore{away: true}
	known := newRecall(store)
	for range 3 * recallFailures {
		ctx, leave := context.WithCancel(t.Context())
		leave()
		_, err := known.events(ctx, "acme", []string{"e1"})
		require.True(t, errs.Is(err, errs.Unavailable))
	}
	store.away = false
	_, err := known.events(t.Context(), "acme", []string{"e1"})
	require.NoError(t, err)
}

// TestOnlyEventsWithKeysNeedTheLedger: those beside them in a batch are taken.
func TestOnlyEventsWithKeysNeedTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		starter := &fakeStarter{}
		h := &events{known: newRecall(&awayStore{away: true}), starter: starter, meter: &tally{}}
		b := batch{members: []batchMember{
			{event: webhook.Event{Tenant: "acme", ID: "e1"}}, {event: webhook.Event{Tenant: "acme", ID: "e2", BodyHash: "hash"}},
			{event: webhook.Event{Tenant: "acme", ID: "e2", BodyHash: "other"}},
		}}
		h.acceptBatch(t.Context(), &b)
		require.NoError(t, b.members[0].err)
		require.True(t, errs.Is(b.members[1].err, errs.Unavailable))
		require.True(t, errs.Is(b.members[2].err, errs.Unavailable), "which of the two it is, nobody can say")
		require.Len(t, starter.events, 1)
	})
}
