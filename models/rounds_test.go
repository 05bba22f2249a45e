package models_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

func TestReopen(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		for _, state := range models.States() {
			d := w.in(state, hook)
			reopened, err := w.store.Reopen(t.Context(), "acme", d.ID, "resend/1")
			if !state.Settled() {
				requireCode(t, errs.Conflict, err)
				continue
			}
			require.NoError(t, err, state)
			again, _ := w.reload(d)
			require.Equal(t, again, reopened)
			require.Equal(t, models.StatePending, reopened.State)
			require.Equal(t, d.Attempts, reopened.RoundStart)
			require.Nil(t, reopened.SettledAt)

			repeated, err := w.store.Reopen(t.Context(), "acme", d.ID, "resend/1")
			require.NoError(t, err, "the same workflow asks again after a crash")
			require.Equal(t, reopened, repeated)
			_, err = w.store.Reopen(t.Context(), "acme", d.ID, "resend/2")
			requireCode(t, errs.Conflict, err)

			w.record(reopened, models.StepDeliver)
			final, attempts := w.reload(d)
			require.Equal(t, d.Attempts+1, final.Attempts, "numbers go on over the rounds")
			require.Len(t, attempts, d.Attempts+1)
		}
	})
}

func TestCancel(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		byState := map[models.State]models.Delivery{}
		ids := []string{models.NewID(now())} // of no delivery (any more)
		for _, state := range models.States() {
			byState[state] = w.in(state, hook)
			ids = append(ids, byState[state].ID, byState[state].ID)
		}
		require.NoError(t, w.store.Cancel(t.Context(), "acme", nil))
		require.NoError(t, w.store.Cancel(t.Context(), "acme", ids))
		for state, before := range byState {
			after, _ := w.reload(before)
			if state == models.StatePending || state == models.StateRetrying {
				require.Equal(t, models.StateCancelled, after.State)
				require.NotNil(t, after.SettledAt)
				require.Nil(t, after.NextAttemptAt)
				continue
			}
			require.Equal(t, before, after, state)
		}
		require.NoError(t, w.store.Cancel(t.Context(), "acme", ids), "again")
	})
}

// A round that is cancelled, with failed attempts or without, leaves the delivery
// what it was, however often it is reopened; and ready to be reopened again.
func TestCancelledRoundLeavesTheDeliveryAsItWas(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		all := models.Replayable{Tenant: "acme", WebhookID: hook.ID, States: models.States()}
		stop := map[string]func(models.Delivery){
			"cancelled": func(d models.Delivery) { require.NoError(t, w.store.Cancel(t.Context(), "acme", []string{d.ID})) },
			"recorded":  func(d models.Delivery) { w.record(d, models.StepCancel) },
		}
		for _, state := range models.States() {
			if !state.Settled() {
				continue
			}
			for how, stop := range stop {
				what := fmt.Sprint(state, " ", how)
				before := w.in(state, hook)
				_, err := w.store.Reopen(t.Context(), "acme", before.ID, "resend/1")
				require.NoError(t, err)
				d, err := w.store.Adopt(t.Context(), "acme", before.ID, "resend/1", "resend/2")
				require.NoError(t, err, "the workflow of a round may change")
				stop(d)
				after, _ := w.reload(before)
				require.Equal(t, state, after.State, what)
				require.Equal(t, []any{before.LastStatusCode, before.Attempts}, []any{after.LastStatusCode, after.Attempts}, what)
				require.True(t, after.SettledAt.After(*before.SettledAt), "another moment, for another request")
				require.Equal(t, 1, w.count("SELECT COUNT(*) FROM deliveries WHERE id = ? AND reopened_from = state", d.ID), "not its round's work")

				opened, err := w.store.ReopenSome(t.Context(), all, []string{before.ID}, "replay/1")
				require.NoError(t, err)
				require.Len(t, opened.Deliveries, 1, what)
				w.record(opened.Deliveries[0], models.StepFailRetry)
				d, _ = w.reload(before)
				require.Equal(t, models.StateRetrying, d.State)
				stop(d)
				after, attempts := w.reload(before)
				require.Equal(t, state, after.State, what)
				require.Nil(t, after.NextAttemptAt)
				require.Len(t, attempts, before.Attempts+1, "what was sent is on record")
				require.NotNil(t, after.SettledAt)
			}
		}
	})
}

func TestReasonAfterACancelledRound(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		fresh, untried, tried := w.deliveryTo(hook), w.deliveryTo(hook), w.deliveryTo(hook)
		for _, d := range []models.Delivery{untried, tried} {
			require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: d, Step: models.StepSkip, Reason: "webhook_paused"}))
			_, err := w.store.Reopen(t.Context(), "acme", d.ID, "resend/1")
			require.NoError(t, err)
		}
		for _, d := range []models.Delivery{fresh, tried} {
			d, _ = w.reload(d)
			require.NoError(t, w.store.Record(t.Context(), models.Record{
				Delivery: d, Step: models.StepFailRetry, Attempt: attempt(500), Reason: "server_error",
			}))
		}
		require.NoError(t, w.store.Cancel(t.Context(), "acme", []string{fresh.ID, untried.ID, tried.ID}))
		for _, c := range []struct {
			d      models.Delivery
			state  models.State
			reason string
		}{
			{fresh, models.StateCancelled, "server_error"},
			{untried, models.StateSkipped, "webhook_paused"},
			{tried, models.StateSkipped, models.ReasonResendCancelled},
		} {
			after, _ := w.reload(c.d)
			require.Equal(t, []any{c.state, c.reason}, []any{after.State, after.Reason})
		}
	})
}

// A round that ends because the webhook is no longer active does the same, and
// says so, however the delivery came to be in its state.
func TestSkippedRoundLeavesTheDeliveryAsItWas(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		skip := func(d models.Delivery) {
			d, _ = w.reload(d)
			require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: d, Step: models.StepSkip, Reason: "webhook_paused"}))
		}
		for _, state := range models.States() {
			before := w.in(state, hook)
			if !state.Settled() || state == models.StateSkipped {
				continue
			}
			for round, steps := range [][]models.Step{nil, {models.StepFailRetry}} {
				_, err := w.store.Reopen(t.Context(), "acme", before.ID, fmt.Sprint("resend/", round))
				require.NoError(t, err)
				for _, step := range steps {
					d, _ := w.reload(before)
					w.record(d, step)
				}
				skip(before)
				after, attempts := w.reload(before)
				require.Equal(t, []any{state, models.ReasonResendSkipped}, []any{after.State, after.Reason}, steps)
				require.Len(t, attempts, before.Attempts+len(steps), "what was sent is on record")
				require.Nil(t, after.NextAttemptAt)
				require.True(t, after.SettledAt.After(*before.SettledAt), "when the round ended")
			}

			_, err := w.store.Reopen(t.Context(), "acme", before.ID, "resend/cancelled")
			require.NoError(t, err)
			require.NoError(t, w.store.Cancel(t.Context(), "acme", []string{before.ID}))
			after, _ := w.reload(before)
			require.Equal(t, []any{state, models.ReasonResendCancelled}, []any{after.State, after.Reason}, "the last round was not skipped")
		}
		again := w.in(models.StateSkipped, hook)
		_, err := w.store.Reopen(t.Context(), "acme", again.ID, "resend/1")
		require.NoError(t, err)
		skip(again)
		after, _ := w.reload(again)
		require.Equal(t, []any{models.StateSkipped, "webhook_paused"}, []any{after.State, after.Reason}, "skipped before and now")
	})
}

// A round that has settled its delivery is over: what came before it is forgotten,
// and nothing brings it back.
func TestSettledRoundForgetsWhatWasBefore(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		kept := func(d models.Delivery) int {
			return w.count("SELECT COUNT(*) FROM deliveries WHERE id = ? AND reopened_from = 'delivered'", d.ID)
		}
		for _, steps := range [][]models.Step{
			{models.StepDeliver}, {models.StepFailFinal}, {models.StepClaim, models.StepLose},
			{models.StepFailRetry, models.StepDeliver}, {models.StepFailRetry, models.StepClaim, models.StepFailFinal},
		} {
			d := w.in(models.StateDelivered, hook)
			_, err := w.store.Reopen(t.Context(), "acme", d.ID, "resend/1")
			require.NoError(t, err)
			for _, step := range steps {
				require.Equal(t, 1, kept(d), "until it has settled")
				d, _ = w.reload(d)
				w.record(d, step)
			}
			require.Zero(t, kept(d), steps)
			settled, _ := w.reload(d)
			require.NoError(t, w.store.Cancel(t.Context(), "acme", []string{d.ID}))
			after, _ := w.reload(d)
			require.Equal(t, settled, after, "too late")
		}
	})
}
