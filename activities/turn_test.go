package activities

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/webhook"
)

// newLineUp returns what gives turns, with a lane of four places a webhook.
func newLineUp() (*clock, *turns) {
	c, p := newLine()
	a := &Activities{spread: func() float64 { return 0 }, places: p, silentTenants: newPlaces(c.now, func() float64 { return 0.5 }, asksPerSecond), fitness: newFitness(c.now), breakers: newBreakers(c.now), durable: newSlots(4, 0), durableTenants: newSlots(6, 0), fastCalls: newSlots(2, 0), fastLines: p}
	return c, a.newTurns()
}

func TestTurnsUnderARateLimit(t *testing.T) {
	t.Parallel()
	c, turns := newLineUp()
	turns.note(&models.Webhook{ID: "w", MaxPerSecond: 2})
	given := map[time.Duration]int{}
	for range 64 {
		given[turns.turn("acme", "w")]++
	}
	require.Equal(t, map[time.Duration]int{
		0: 10, 5 * time.Second: 10, 10 * time.Second: 10, 15 * time.Second: 10, 20 * time.Second: 10, 25 * time.Second: 10, 30 * time.Second: 4,
	}, given, "two a second, five seconds ahead of their slots")
	require.Zero(t, turns.turn("acme", "another"), "without a limit nobody waits")
	c.at = c.at.Add(time.Minute)
	require.Zero(t, turns.turn("acme", "w"), "the line has gone")
}

// A run's turns fall into few steps, and those of many runs everywhere.
func TestRunsHaveStepsOfTheirOwn(t *testing.T) {
	t.Parallel()
	_, all := newLineUp()
	place := 0.0
	all.spread = func() float64 { place += 0.2; return place - 0.2 }
	for phase := time.Duration(0); phase < turnStep; phase += time.Second {
		run := all.newTurns()
		for wait := time.Duration(0); wait < 12*time.Second; wait += time.Second {
			down, up := run.roundDown(wait), run.roundUp(wait)
			require.True(t, down == 0 || down%turnStep == phase, "%s", down)
			require.Equal(t, phase, up%turnStep)
			require.LessOrEqual(t, down, wait)
			require.Less(t, wait-down, turnStep)
			require.GreaterOrEqual(t, up, wait)
			require.Less(t, up-wait, turnStep)
		}
	}
}

func TestTurnsOfABacklog(t *testing.T) {
	t.Parallel()
	_, all := newLineUp()
	perMinute := map[int]int{}
	for range 1000 { // 64 events a run, for a webhook that takes one a second
		run := all.newTurns()
		run.note(&models.Webhook{ID: "w", MaxPerSecond: 1})
		late := map[time.Duration]bool{}
		for range 64 {
			turn := run.turn("acme", "w")
			require.LessOrEqual(t, turn, longestDeferral)
			perMinute[int(turn/time.Minute)]++
			if len(run.late) > 0 {
				late[turn] = true
			}
		}
		require.LessOrEqual(t, len(late), 1, "those who meet a full line come together")
	}
	require.Equal(t, 60, perMinute[1], "the line's beginning is as fast as the webhook")
}

func TestTurnsBeforeAWebhookThatHangs(t *testing.T) {
	t.Parallel()
	c, turns := newLineUp()
	turns.breakers.trip("w")
	require.Equal(t, openFor, turns.turn("acme", "w"))
	c.at = c.at.Add(openFor)
	require.Zero(t, turns.turn("acme", "w"), "it may be probed")

	for range 4 {
		_, ok := turns.durable.take(context.Background(), "full", nil)
		require.True(t, ok)
	}
	require.Equal(t, turnStep, turns.turn("acme", "full"), "its share is in flight")
	for range 6 {
		_, ok := turns.durableTenants.take(context.Background(), "zeta", nil)
		require.True(t, ok)
	}
	require.Equal(t, turnStep, turns.turn("zeta", "idle"), "and so is its tenant's")
}

func TestTurnsBeforeAWebhookThatHasAnsweredNothingYet(t *testing.T) {
	t.Parallel()
	_, turns := newLineUp()
	var ends []func(webhook.Outcome)
	for range unansweredPosts {
		require.Zero(t, turns.turn("acme", "w"))
		ends = append(ends, turns.fitness.begin("acme", "w"))
	}
	require.Equal(t, turnStep, turns.turn("acme", "w"))
	ends[0](webhook.Outcome{Kind: webhook.Delivered})
	require.Zero(t, turns.turn("acme", "w"), "it answers: it may have more")
}

func TestOnlyNewDeliveriesGetTurns(t *testing.T) {
	t.Parallel()
	_, turns := newLineUp()
	turns.breakers.trip("w")
	deliveries := []models.Delivery{
		{Tenant: "acme", WebhookID: "w", State: models.StatePending, Lane: "durable"},
		{Tenant: "acme", WebhookID: "w", State: models.StatePending, Lane: "fast"},
		{Tenant: "acme", WebhookID: "w", State: models.StatePending, Lane: "durable", Test: true},
		{Tenant: "acme", WebhookID: "w", State: models.StatePending, Lane: "fast", Test: true},
		{Tenant: "acme", WebhookID: "w", State: models.StateRetrying, Lane: "durable", Attempts: 1},
		{Tenant: "acme", WebhookID: "w", State: models.StatePending, Lane: "fast", Attempts: 1},
		{Tenant: "acme", WebhookID: "w", State: models.StateDelivered, Lane: "durable"},
	}
	plan := make([]Planned, len(deliveries))
	for i, d := range deliveries {
		plan[i] = planned(d)
	}
	for range 2 {
		_, ok := turns.fastCalls.take(t.Context(), "acme", nil)
		require.True(t, ok)
	}
	turns.give(deliveries, plan)
	turns.giveFast("acme")
	require.Equal(t, 30, plan[0].StartInSeconds)
	require.Equal(t, 1, plan[1].StartInSeconds)
	for _, p := range plan[2:] {
		require.Zero(t, p.StartInSeconds)
	}
}

func TestARunHandlesNoMoreThanItHasRoomFor(t *testing.T) {
	t.Parallel()
	event := func(deliveries int) models.ResolvedEvent {
		return models.ResolvedEvent{EventID: "e", Deliveries: make([]models.Delivery, deliveries)}
	}
	require.Len(t, plan(event(100), RunSize).Deliveries, 100)
	require.Len(t, plan(event(101), RunSize).Pages, 2)
	require.Empty(t, plan(event(101), RunSize).Deliveries)
	require.Len(t, plan(event(5), 4).Pages, 1, "what does not fit in goes to a child")
	require.Empty(t, plan(event(0), 0).Pages)
}
