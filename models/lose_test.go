package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

// A delivery whose workflow ended in the middle of a POST that may be made at
// most once is recorded unknown, and a person may then have it sent again.
func TestADeliveryThatWasLostWithItsWorkflow(t *testing.T) {
	stoppedClock(t, func(t *testing.T, w world, at *time.Time) {
		hook := w.webhook("acme")
		d := w.deliveryTo(hook)
		_, err := w.store.Lose(t.Context(), d, "worker_lost")
		requireCode(t, errs.Conflict, err) // it waits, and may be taken over as it is
		require.NoError(t, w.store.Claim(t.Context(), d, time.Minute))
		claimed, _ := w.reload(d)

		_, err = w.store.Lose(t.Context(), claimed, "worker_lost")
		requireCode(t, errs.Conflict, err)
		require.ErrorContains(t, err, "being sent right now")
		w.passes(2*time.Minute, at)
		stranger, taken := claimed, claimed
		stranger.Tenant, taken.WorkflowID = "globex", "event/of/others"
		_, err = w.store.Lose(t.Context(), stranger, "worker_lost")
		requireCode(t, errs.NotFound, err)
		_, err = w.store.Lose(t.Context(), taken, "worker_lost")
		requireCode(t, errs.Conflict, err)
		unchanged, _ := w.reload(d)
		require.Equal(t, models.StateSending, unchanged.State)

		lost, err := w.store.Lose(t.Context(), claimed, "worker_lost")
		require.NoError(t, err)
		require.Equal(t, []any{models.StateUnknown, "worker_lost", 0}, []any{lost.State, lost.Reason, lost.Attempts})
		require.NotNil(t, lost.SettledAt)
		stored, attempts := w.reload(d)
		require.Equal(t, stored, lost)
		require.Empty(t, attempts, "nobody knows whether there was one")
		again, err := w.store.Lose(t.Context(), claimed, "worker_lost") // a double click
		require.NoError(t, err)
		require.Equal(t, lost, again)
		requireSums(t, w, hook, 1, 0)

		reopened, err := w.store.Reopen(t.Context(), "acme", d.ID, "resend/1")
		require.NoError(t, err)
		require.Equal(t, models.StatePending, reopened.State)
		_, err = w.store.Lose(t.Context(), claimed, "worker_lost")
		requireCode(t, errs.Conflict, err)
		// What the worker of before may still say comes too late.
		err = w.store.Record(t.Context(), models.Record{Delivery: claimed, Step: models.StepDeliver, Attempt: attempt(200)})
		requireCode(t, errs.Conflict, err)
	})
}

// requireSums has a webhook's rollups count so many deliveries that settled, and
// attempts.
func requireSums(t *testing.T, w world, hook models.Webhook, settled, attempts int) {
	t.Helper()
	require.Equal(t, settled, w.count("SELECT SUM(settled) FROM rollups WHERE webhook_id = '"+hook.ID+"'"))
	require.Equal(t, attempts, w.count("SELECT SUM(attempts) FROM rollups WHERE webhook_id = '"+hook.ID+"'"))
}
