package activities_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"posthaste/activities"
	"posthaste/errs"
)

// unknown are events that this process cannot plan: one of a provider and one of
// a type that it does not know.
func unknown() []activities.Event {
	return []activities.Event{
		{ID: uuid.NewString(), Tenant: "acme", Provider: "nobody", Type: "order.paid"},
		{ID: uuid.NewString(), Tenant: "acme", Provider: "akol", Type: "call.invented"},
	}
}

// orders are events that it can plan.
func orders(count int) []activities.Event {
	now := time.Now().UTC().Truncate(time.Millisecond)
	events := make([]activities.Event, count)
	for i := range events {
		events[i] = activities.Event{
			ID: uuid.Must(uuid.NewV7()).String(), Tenant: "acme", Provider: "standard", Type: "order.paid",
			Data: []byte(fmt.Sprintf(`{"n":%d}`, i)), OccurredAt: now, AcceptedAt: now,
		}
	}
	return events
}

func (b *bench) resolveAll(in activities.ResolveInput) (activities.ResolveResult, error) {
	b.t.Helper()
	value, err := b.run(a.ResolveSubscriptions, in)
	if err != nil {
		return activities.ResolveResult{}, err
	}
	var result activities.ResolveResult
	require.NoError(b.t, value.Get(&result))
	return result, nil
}

func TestAnEventThatIsNotKnownDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	for _, strange := range unknown() {
		t.Run(strange.Provider, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, answers(204))
			b.webhook(once)
			events := orders(64)
			events[17] = strange
			result, err := b.resolveAll(activities.ResolveInput{Events: events, Partly: true})
			require.NoError(t, err)
			require.Equal(t, []string{strange.ID}, result.Later)
			require.Len(t, result.Events, 63)
			known := append(append([]activities.Event{}, events[:17]...), events[18:]...)
			for i, resolved := range result.Events {
				require.Equal(t, known[i].ID, resolved.EventID, "in the order of the input")
				require.Len(t, resolved.Deliveries, 1)
			}
			_, err = b.store.Event(t.Context(), "acme", strange.ID)
			require.True(t, errs.Is(err, errs.NotFound), "nothing is written for it: %v", err)
		})
	}
}

func TestWhereNoPartIsAskedForAllArePlannedOrNone(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	events := append(orders(2), unknown()...)
	_, err := b.resolveAll(activities.ResolveInput{Events: events})
	require.False(t, application(t, err).NonRetryable())
	require.ErrorContains(t, err, "does not know the provider nobody yet")
	_, err = b.store.Event(t.Context(), "acme", events[0].ID)
	require.True(t, errs.Is(err, errs.NotFound), "%v", err)
}

func TestWhereNothingIsKnownTheStepFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	_, err := b.resolveAll(activities.ResolveInput{Events: unknown(), Partly: true})
	require.False(t, application(t, err).NonRetryable(), "a process that knows them will come: %v", err)
	require.ErrorContains(t, err, "does not know the provider nobody yet")
}

func TestALaterStepCountsWhatTheRunHandlesAlready(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	b.webhook(once)
	result, err := b.resolveAll(activities.ResolveInput{Events: orders(3), Partly: true, Handled: activities.RunSize - 2})
	require.NoError(t, err)
	require.Len(t, result.Events[1].Deliveries, 1)
	require.Empty(t, result.Events[2].Deliveries)
	require.Len(t, result.Events[2].Pages, 1)
}
