package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// near is how exact a moment is that a test compares with its own clock.
const near = 30 * time.Second

// clockedAt opens a ledger whose process has its clock off, and lets it find out.
func clockedAt(t *testing.T, url string, off *time.Duration) world {
	t.Helper()
	clock := func() time.Time { return time.Now().Add(*off) }
	w := world{t, modelstest.OpenWith(t, models.Options{URL: url, Now: clock})}
	w.checkClock(*off)
	return w
}

// checkClock asks again where a busy machine held the answer up: one that takes a
// second tells no time.
func (w world) checkClock(want time.Duration) {
	w.t.Helper()
	ahead, err := w.store.CheckClock(w.t.Context())
	for tries := 1; errs.CodeOf(err) == errs.Unavailable && tries < 10; tries++ {
		ahead, err = w.store.CheckClock(w.t.Context())
	}
	require.NoError(w.t, err)
	require.InDelta(w.t, want, ahead, float64(500*time.Millisecond))
}

// Machines whose clocks are hours apart go by one time, PostgreSQL's.
func TestTheTimeIsTheDatabases(t *testing.T) {
	t.Parallel()
	url := modelstest.URL(t, modelstest.Postgres)
	for _, off := range []time.Duration{0, 400 * time.Millisecond, 3 * time.Hour, -3 * time.Hour} {
		w := clockedAt(t, url, &off)
		require.WithinDuration(t, time.Now(), w.store.Now(), near)
		off = 0 // somebody has set the clock right
		w.checkClock(0)
		require.WithinDuration(t, time.Now(), w.store.Now(), near)
	}
}

// A clock that is right to the second stays as it is: what looks like the rest may
// be the network's.
func TestAClockThatIsRightIsLeftAlone(t *testing.T) {
	t.Parallel()
	stopped := &handClock{}
	set := func() time.Time {
		stopped.set(time.Now().Truncate(time.Microsecond))
		return stopped.now()
	}
	set()
	w := world{t, modelstest.OpenWith(t, models.Options{URL: modelstest.URL(t, modelstest.Postgres), Now: stopped.now})}
	at := set()
	require.NoError(t, second(w.store.CheckClock(t.Context())))
	for tries := 1; time.Since(at) > time.Second && tries < 10; tries++ { // until the answer it was not right any more
		at = set()
		require.NoError(t, second(w.store.CheckClock(t.Context())))
	}
	require.True(t, at.Equal(w.store.Now()))
}

// On SQLite there is one clock.
func TestSQLiteHasTheClockOfTheMachine(t *testing.T) {
	t.Parallel()
	wrong := time.Now().Add(3 * time.Hour).Truncate(time.Microsecond)
	w := world{t, modelstest.OpenWith(t, models.Options{URL: modelstest.URL(t, modelstest.SQLite), Now: func() time.Time { return wrong }})}
	ahead, err := w.store.CheckClock(t.Context())
	require.NoError(t, err)
	require.Zero(t, ahead)
	require.True(t, wrong.Equal(w.store.Now()))
}

// Whose turn it is under a rate limit does not depend on who asks.
func TestSlotsGoByTheTimeOfTheDatabase(t *testing.T) {
	t.Parallel()
	url := modelstest.URL(t, modelstest.Postgres)
	ahead, behind, right := 3*time.Hour, -3*time.Hour, time.Duration(0)
	worlds := []world{clockedAt(t, url, &ahead), clockedAt(t, url, &right), clockedAt(t, url, &behind)}
	hook := worlds[0].webhook("acme")
	for range 2 {
		for _, w := range worlds {
			slot, err := w.store.Pace(t.Context(), w.deliveryTo(hook), hook.ID, 1)
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), slot, near)
		}
	}
}
