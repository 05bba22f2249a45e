package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

// hold takes a delivery in hand and reports whether that went well.
func (w world) hold(d models.Delivery, span time.Duration, ours bool) bool {
	w.t.Helper()
	taken, err := w.store.Hold(w.t.Context(), d, span, ours)
	require.NoError(w.t, err)
	return taken
}

// heldFor is what a worker reads before an attempt.
func (w world) heldFor(d models.Delivery) time.Duration {
	w.t.Helper()
	due, err := w.store.DueDelivery(w.t.Context(), d.Tenant, d.ID)
	require.NoError(w.t, err)
	list, err := w.store.DueDeliveries(w.t.Context(), d.Tenant, []string{d.ID})
	require.NoError(w.t, err)
	require.InDelta(w.t, due.HeldFor, list[0].HeldFor, float64(20*time.Second))
	return due.HeldFor
}

// requireHeld has a delivery in somebody's hand for so long, but for the time that
// the test itself has taken.
func (w world) requireHeld(want time.Duration, d models.Delivery) {
	w.t.Helper()
	got := w.heldFor(d)
	require.LessOrEqual(w.t, got, want)
	require.Greater(w.t, got, want-30*time.Second)
}

// passes lets time pass for what is held.
func (w world) passes(span time.Duration, at *time.Time) {
	w.t.Helper()
	if w.store.OnPostgres() {
		require.NoError(w.t, w.store.Exec("UPDATE deliveries SET held_until = held_until - ? * interval '1 second'", span.Seconds()))
		return
	}
	*at = at.Add(span)
}

func TestADeliveryIsInOneHand(t *testing.T) {
	stoppedClock(t, func(t *testing.T, w world, at *time.Time) {
		d := w.deliveryTo(w.webhook("acme"))
		require.Zero(t, w.heldFor(d))
		require.True(t, w.hold(d, time.Minute, false))
		w.requireHeld(time.Minute, d)
		require.False(t, w.hold(d, time.Hour, false), "another process")
		w.requireHeld(time.Minute, d)
		require.True(t, w.hold(d, 10*time.Minute, true), "the same one goes on")
		w.requireHeld(10*time.Minute, d)

		stranger := d
		stranger.Tenant = "globex"
		require.False(t, w.hold(stranger, time.Hour, true))

		w.passes(10*time.Minute, at)
		require.Zero(t, w.heldFor(d))
		require.True(t, w.hold(d, time.Minute, false), "whoever had it has died")
		held, _ := w.reload(d)
		require.NoError(t, w.store.Claim(t.Context(), held, 20*time.Minute))
		w.requireHeld(20*time.Minute, d)
		held.State = models.StateSending
		require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: held, Step: models.StepLose}))
		recorded, _ := w.reload(d)
		require.Nil(t, recorded.HeldUntil)
		require.Zero(t, w.heldFor(d))
	})
}

func TestADeliveryThatHasMovedOnIsInNobodysHand(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		d := w.deliveryTo(w.webhook("acme"))
		require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: d, Step: models.StepSkip}))
		require.False(t, w.hold(d, time.Minute, false))
		require.Zero(t, w.heldFor(d))
	})
}

// Machines whose clocks are hours apart agree on who has what in hand.
func TestHoldsGoByTheClockOfTheDatabase(t *testing.T) {
	t.Parallel()
	url := modelstest.URL(t, modelstest.Postgres)
	on := func(off time.Duration) world {
		clock := func() time.Time { return time.Now().Add(off) }
		return world{t, modelstest.OpenWith(t, models.Options{URL: url, Now: clock})}
	}
	right, ahead, behind := on(0), on(3*time.Hour), on(-3*time.Hour)
	for _, holder := range []world{right, ahead, behind} {
		d := right.deliveryTo(right.webhook("acme"))
		claimed := right.deliveryTo(right.webhook("acme"))
		require.True(t, holder.hold(d, time.Minute, false))
		require.NoError(t, holder.store.Claim(t.Context(), claimed, time.Minute))
		for _, other := range []world{right, ahead, behind} {
			other.requireHeld(time.Minute, d)
			other.requireHeld(time.Minute, claimed)
			require.False(t, other.hold(d, time.Minute, false))
		}
	}
}
