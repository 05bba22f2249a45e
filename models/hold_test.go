package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// hold takes a delivery in hand and reports whether that went well.
func (w world) hold(d models.Delivery, until time.Time, ours bool) bool {
	w.t.Helper()
	taken, err := w.store.Hold(w.t.Context(), d, until, ours)
	require.NoError(w.t, err)
	return taken
}

func (w world) heldUntil(d models.Delivery) *time.Time {
	w.t.Helper()
	now, _ := w.reload(d)
	return now.HeldUntil
}

func TestADeliveryIsInOneHand(t *testing.T) {
	stoppedClock(t, func(t *testing.T, w world, at *time.Time) {
		d := w.deliveryTo(w.webhook("acme"))
		first := at.Add(10 * time.Second)
		require.True(t, w.hold(d, first, false))
		require.Equal(t, first, *w.heldUntil(d))
		require.False(t, w.hold(d, first.Add(time.Hour), false), "another process")
		require.Equal(t, first, *w.heldUntil(d))
		require.True(t, w.hold(d, first.Add(5*time.Second), true), "the same one goes on")

		stranger := d
		stranger.Tenant = "globex"
		require.False(t, w.hold(stranger, first.Add(time.Hour), true))

		*at = first.Add(5 * time.Second)
		require.True(t, w.hold(d, at.Add(10*time.Second), false), "whoever had it has died")
		held, _ := w.reload(d)
		require.NoError(t, w.store.Claim(t.Context(), held, at.Add(20*time.Second)))
		require.Equal(t, at.Add(20*time.Second), *w.heldUntil(d), "a claim is a hold too")
		held.State = models.StateSending
		require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: held, Step: models.StepLose}))
		require.Nil(t, w.heldUntil(d), "recorded")
	})
}

func TestADeliveryThatHasMovedOnIsInNobodysHand(t *testing.T) {
	stoppedClock(t, func(t *testing.T, w world, at *time.Time) {
		d := w.deliveryTo(w.webhook("acme"))
		require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: d, Step: models.StepSkip}))
		require.False(t, w.hold(d, at.Add(time.Minute), false))
		require.Nil(t, w.heldUntil(d))
	})
}
