package activities

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/webhook"
)

// plans gives so many new deliveries of one tenant their turns.
func (t *turns) plans(count int) []Planned {
	run := t.newTurns()
	deliveries, plan := make([]models.Delivery, count), make([]Planned, count)
	for i := range deliveries {
		deliveries[i] = models.Delivery{Tenant: "acme", WebhookID: "w", State: models.StatePending, Lane: "fast"}
		plan[i] = planned(deliveries[i])
		run.give(deliveries[i:i+1], plan[i:i+1]) // each of another event
	}
	run.giveFast("acme")
	return plan
}

// fill takes all calls that a tenant has in the fast lane.
func fill(t *testing.T, turns *turns) {
	t.Helper()
	for range 2 {
		_, ok := turns.fastCalls.take(t.Context(), "acme", nil)
		require.True(t, ok)
	}
}

func TestTurnsOfATenantThatHasItsShareOfTheFastLane(t *testing.T) {
	t.Parallel()
	_, turns := newLineUp()
	plans := turns.plans
	require.Zero(t, plans(200)[199].StartInSeconds)
	fill(t, turns)
	few, many := plans(10), plans(1000) // at twenty calls a second, the first after a second
	require.Equal(t, 1, few[0].StartInSeconds)
	require.Equal(t, 2, few[9].StartInSeconds)
	require.Equal(t, 2, many[0].StartInSeconds)
	require.Equal(t, 4, many[999].StartInSeconds, "they come back by slices")
	plans(25 * 20 * 20)
	one, many := plans(1), plans(11)
	require.Zero(t, one[0].StartInSeconds, "a line of twenty seconds is too long for one alone")
	require.Equal(t, LaneDurable, one[0].Lane)
	require.Equal(t, LaneFast, many[0].Lane)
	require.Less(t, 20, many[0].StartInSeconds)
}

// Who goes elsewhere stands in no line: once those are through who were let in, the
// next find it short.
func TestALineIsOfThoseWhoWait(t *testing.T) {
	t.Parallel()
	c, turns := newLineUp()
	turns.fastLines = newFastLines(c.now, turns.spread)
	fill(t, turns)
	waiting := 0
	for range 10_000 {
		if turns.plans(1)[0].Lane == LaneFast {
			waiting++
		}
	}
	require.InDelta(t, callsPerSecond*worthOfADelivery.Seconds(), waiting, callsPerSecond)
	c.at = c.at.Add(worthOfADelivery)
	require.Equal(t, Planned{State: models.StatePending, Lane: LaneFast, TimeoutSeconds: 0, StartInSeconds: 1}, turns.plans(1)[0])
}

// Who finds the line of the fast lane too long has a turn in the durable one, if
// that is full.
func TestTheDurableLaneHasALineToo(t *testing.T) {
	t.Parallel()
	_, turns := newLineUp()
	fill(t, turns)
	for turns.plans(1)[0].Lane == LaneFast {
	}
	require.Equal(t, Planned{State: models.StatePending, Lane: LaneDurable}, turns.plans(1)[0], "at once while there is room")
	for range 4 {
		_, ok := turns.durable.take(t.Context(), "w", nil)
		require.True(t, ok)
	}
	require.Positive(t, turns.plans(1)[0].StartInSeconds)
}

// unread is a meter that nobody reads.
type unread struct{ Meter }

func (unread) Deferred(Lane, Deferral)  {}
func (unread) WaitedFast(time.Duration) {}

func TestASliceWithoutACallComesAgainTogether(t *testing.T) {
	t.Parallel()
	_, turns := newLineUp()
	turns.now, turns.meter = time.Now, unread{}
	fill(t, turns)
	input := DeliverInput{Tenant: "acme", Lane: LaneFast, Deliveries: make([]DeliveryRef, 25)}
	for _, seconds := range []int{1, 2} { // at twenty a second, the first after a second
		result, err := turns.Deliver(t.Context(), input)
		require.NoError(t, err)
		require.Len(t, result.Deliveries, 25)
		for _, attempted := range result.Deliveries {
			require.Equal(t, seconds, attempted.StartInSeconds)
			require.False(t, attempted.State.Settled())
		}
	}
}

// A webhook that answers many has those again that found no place; what waits for a
// slower one is the durable lane's.
func TestOnlyAQuickWebhookHasItsDeliveriesAgain(t *testing.T) {
	t.Parallel()
	for posts, again := range map[int]bool{quickPosts: true, quickPosts - 1: false} {
		synctest.Test(t, func(t *testing.T) {
			a := &Activities{now: time.Now, meter: unread{}, fitness: newFitness(time.Now), fast: newSlots(1, fastPatience), fastTenants: newSlots(1, 0)}
			due := models.Due{Webhook: models.Webhook{ID: "w", Tenant: "acme"}}
			leave, ok := a.fast.take(t.Context(), "w", nil)
			require.True(t, ok)
			a.fitness.begin("acme", "w")(webhook.Outcome{Kind: webhook.Delivered}) // before: it counts for nothing
			time.AfterFunc(time.Second, func() {
				for range posts {
					a.fitness.begin("acme", "w")(webhook.Outcome{Kind: webhook.Delivered})
				}
			})
			_, left, err := a.admit(t.Context(), due, job{lane: LaneFast})
			require.NoError(t, err)
			require.Equal(t, again, left.again)

			leave()
			_, ok = a.fastTenants.take(t.Context(), "acme", nil)
			require.True(t, ok)
			_, left, err = a.admit(t.Context(), due, job{lane: LaneFast})
			require.NoError(t, err)
			require.True(t, left.again, "a tenant's places are quick, or their webhooks would not be here")
		})
	}
}

// Of a call, only those for which there was no room have another turn, in one place
// of the line.
func TestThoseOfACallThatComeAgainShareAPlace(t *testing.T) {
	t.Parallel()
	_, turns := newLineUp()
	standings := []standing{
		{Attempted: Attempted{DeliveryID: "d1", State: models.StateDelivered}},
		{Attempted: Attempted{DeliveryID: "d2"}, again: true},
		{Attempted: Attempted{DeliveryID: "d3"}},
		{Attempted: Attempted{DeliveryID: "d4"}, again: true},
	}
	require.Equal(t, []Attempted{
		{DeliveryID: "d1", State: models.StateDelivered}, {DeliveryID: "d2", StartInSeconds: 1}, {DeliveryID: "d3"}, {DeliveryID: "d4", StartInSeconds: 1},
	}, turns.withTurns("acme", standings).Deliveries)
	for range 19 {
		turns.withTurns("acme", standings)
	}
	require.Equal(t, 2, turns.withTurns("acme", standings).Deliveries[1].StartInSeconds, "twenty calls a second")
}

// Calls come back as fast as calls end, and as fast as they may where nobody has
// looked of late.
func TestCallsComeBackAsFastAsTheyEnd(t *testing.T) {
	t.Parallel()
	c, turns := newLineUp()
	turns.now, turns.underway, turns.fastLines = c.now, newUnderway(), newFastLines(c.now, turns.spread)
	apart := func() time.Duration {
		first, second := turns.fastLines.next("acme", 0), turns.fastLines.next("acme", 0)
		return second - first
	}
	require.Equal(t, time.Second/callsPerSecond, apart())
	for range 100 { // twenty a second
		_, err := turns.Deliver(t.Context(), DeliverInput{Tenant: "acme", Lane: LaneFast})
		require.NoError(t, err)
	}
	c.at = c.at.Add(rateWindow)
	require.Equal(t, time.Second/25, apart())
	c.at = c.at.Add(rateWindow)
	require.Equal(t, time.Second/leastCallsPerSecond, apart())
	c.at = c.at.Add(time.Minute)
	require.Equal(t, time.Second/callsPerSecond, apart())
}
