package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

// replay puts a replay of the webhook on record.
func (w world) replay(hook models.Webhook, change ...func(*models.Replay)) models.Replay {
	w.t.Helper()
	r := models.Replay{
		ID: models.NewID(now()), Tenant: hook.Tenant, WebhookID: hook.ID, RunID: "run-1", Since: now().Add(-time.Hour), Until: now(),
		Status: models.ReplayFailed, PerSecond: 10, Count: 3,
	}
	for _, c := range change {
		c(&r)
	}
	require.NoError(w.t, w.store.BeginReplay(w.t.Context(), byTest, r))
	return r
}

// replayable is what a replay of the last and the next hour takes.
func replayable(hook models.Webhook, status string) models.Replayable {
	return models.Replayable{
		Tenant: hook.Tenant, WebhookID: hook.ID, Since: now().Add(-time.Hour), Until: now().Add(time.Hour), States: models.ReplayStates(status),
	}
}

func TestReplayStates(t *testing.T) {
	t.Parallel()
	for _, status := range models.ReplayStatuses() {
		states := models.ReplayStates(status)
		require.NotEmpty(t, states, status)
		for _, state := range states {
			require.True(t, state.Settled())
			require.NotEqual(t, models.StateSuppressed, state)
		}
	}
	require.Empty(t, models.ReplayStates("pending"))
	require.Empty(t, models.ReplayStates("suppressed"))
	require.Len(t, models.ReplayStates(models.ReplayAll), 5)
}

func TestReplayTakesWhatWasAskedFor(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		in := map[models.State]models.Delivery{}
		for _, state := range models.States() {
			in[state] = w.in(state, hook)
		}
		w.in(models.StateFailed, w.webhook("acme"))
		test := w.deliveryTo(hook, func(e *models.Event) { e.Test = true })
		w.record(test, models.StepFailFinal)
		for _, status := range models.ReplayStatuses() {
			span := replayable(hook, status)
			count, more, err := w.store.CountReplayable(t.Context(), span)
			require.NoError(t, err)
			require.False(t, more)
			require.Len(t, span.States, count, status)
			found, err := w.store.FindReplayable(t.Context(), span, "", "replay/1", 100)
			require.NoError(t, err)
			require.True(t, found.End)
			var want []string
			for _, state := range span.States {
				want = append(want, in[state].ID)
			}
			require.ElementsMatch(t, want, found.IDs, status)
		}
		span := replayable(hook, models.ReplayFailed)
		span.Since, span.Until = now().Add(time.Hour), now().Add(2*time.Hour)
		count, _, err := w.store.CountReplayable(t.Context(), span)
		require.NoError(t, err)
		require.Zero(t, count, "of another time")
	})
}

// TestReplaysOfSpansPastTheIDs has spans begin and end where no id has its time.
func TestReplaysOfSpansPastTheIDs(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		w.in(models.StateFailed, hook)
		before, after := time.Date(1960, 5, 30, 10, 0, 0, 0, time.UTC), time.Date(12_000, 1, 1, 0, 0, 0, 0, time.UTC)
		for _, test := range []struct {
			since, until time.Time
			want         int
		}{
			{time.Time{}, now().Add(time.Hour), 1}, {before, after, 1}, {before, before.Add(time.Hour), 0}, {after, after.Add(time.Hour), 0},
		} {
			span := replayable(hook, models.ReplayFailed)
			span.Since, span.Until = test.since, test.until
			count, more, err := w.store.CountReplayable(t.Context(), span)
			require.NoError(t, err)
			require.False(t, more)
			require.Equal(t, test.want, count, "%s to %s", span.Since, span.Until)
			found, err := w.store.FindReplayable(t.Context(), span, "", "replay/1", 10)
			require.NoError(t, err)
			require.Len(t, found.IDs, test.want, "%s to %s", span.Since, span.Until)
		}
	})
}

// A page that is asked for again after a crash is the same page.
func TestReopenedPagesAreFoundAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		for range 5 {
			w.in(models.StateFailed, hook)
		}
		span := replayable(hook, models.ReplayFailed)
		first, err := w.store.FindReplayable(t.Context(), span, "", "replay/1", 3)
		require.NoError(t, err)
		require.Len(t, first.IDs, 3)
		require.False(t, first.End)
		for range 2 {
			done, err := w.store.ReopenSome(t.Context(), span, first.IDs, "replay/1")
			require.NoError(t, err)
			require.Len(t, done.Deliveries, 3)
			require.Equal(t, hook.ID, done.Webhook.ID)
			for _, d := range done.Deliveries {
				require.Equal(t, models.StatePending, d.State)
				require.Equal(t, 1, d.RoundStart, "a whole new round")
				again, _ := w.reload(d)
				require.Equal(t, d, again)
			}
		}
		d, _ := w.reload(models.Delivery{Tenant: "acme", ID: first.IDs[0]})
		w.record(d, models.StepDeliver)
		again, err := w.store.FindReplayable(t.Context(), span, "", "replay/1", 3)
		require.NoError(t, err)
		require.Equal(t, first, again)
		done, err := w.store.ReopenSome(t.Context(), span, first.IDs, "replay/1")
		require.NoError(t, err)
		require.Equal(t, models.StateDelivered, done.Deliveries[0].State, "not opened a second time")
		others, err := w.store.ReopenSome(t.Context(), span, first.IDs, "replay/2")
		require.NoError(t, err)
		require.Empty(t, others.Deliveries, "under way elsewhere, or delivered")

		rest, err := w.store.FindReplayable(t.Context(), span, first.Last, "replay/2", 3)
		require.NoError(t, err)
		require.Len(t, rest.IDs, 2)
		require.True(t, rest.End)
		_, err = w.store.UpdateWebhook(t.Context(), byTest, "acme", hook.ID, func(h *models.Webhook) error { h.Status = models.StatusPaused; return nil })
		require.NoError(t, err)
		others, err = w.store.ReopenSome(t.Context(), span, rest.IDs, "replay/2")
		require.NoError(t, err)
		require.Empty(t, others.Deliveries, "the webhook is paused")
		require.Equal(t, models.StatusPaused, others.Webhook.Status)
	})
}

// What a cancelled replay leaves as it was is no work of the replay, whatever it
// is; and the next replay finds it.
func TestProgressOfACancelledReplay(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		r := w.replay(hook)
		before := map[string]models.State{}
		var ids []string
		for _, state := range models.ReplayStates(models.ReplayAll) {
			for range 2 {
				d := w.in(state, hook)
				before[d.ID], ids = state, append(ids, d.ID)
			}
		}
		span := replayable(hook, models.ReplayAll)
		done, err := w.store.ReopenSome(t.Context(), span, ids, "replay/1")
		require.NoError(t, err)
		require.Len(t, done.Deliveries, 10)
		noted := func() models.ReplayProgress {
			require.NoError(t, w.store.NoteReplay(t.Context(), models.ReplayPage{
				Tenant: "acme", ReplayID: r.ID, Number: 1, DeliveryIDs: ids, WorkflowID: "replay/1",
			}))
			now, err := w.store.Replay(t.Context(), "acme", r.ID)
			require.NoError(t, err)
			return now.Progress
		}
		require.Equal(t, models.ReplayProgress{Found: 10, Reopened: 10}, noted())
		sent := done.Deliveries[:3]
		for i, step := range []models.Step{models.StepDeliver, models.StepFailFinal, models.StepSkip} {
			w.record(sent[i], step)
		}
		require.NoError(t, w.store.Cancel(t.Context(), "acme", ids))
		require.Equal(t, models.ReplayProgress{Found: 10, Reopened: 10, Delivered: 1, Failed: 1, Skipped: 1, Cancelled: 7}, noted())
		for _, d := range done.Deliveries[3:] {
			after, _ := w.reload(d)
			require.Equal(t, before[d.ID], after.State)
		}
		found, err := w.store.FindReplayable(t.Context(), replayable(hook, models.ReplayFailed), "", "replay/2", 100)
		require.NoError(t, err)
		for id, state := range before {
			if state == models.StateFailed && id != sent[0].ID {
				require.Contains(t, found.IDs, id)
			}
		}
		skipped, _ := w.reload(sent[2])
		require.Equal(t, before[skipped.ID], skipped.State)
	})
}

func TestProgressOfAReplay(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		r := w.replay(hook)
		require.NoError(t, w.store.BeginReplay(t.Context(), models.Actor{Kind: models.ActorToken, Name: "eve"}, r), "again")
		log, err := w.store.Audit(t.Context(), models.AuditFilter{Tenant: "acme", WebhookID: hook.ID})
		require.NoError(t, err)
		require.Len(t, log.Items, 2, "created, replayed")
		require.Equal(t, models.AuditReplayed, log.Items[0].Action)
		require.Equal(t, byTest, log.Items[0].Actor)

		var ids []string
		for range 5 {
			ids = append(ids, w.in(models.StateFailed, hook).ID)
		}
		done, err := w.store.ReopenSome(t.Context(), replayable(hook, models.ReplayFailed), ids[:4], "replay/1")
		require.NoError(t, err)
		for i, step := range []models.Step{models.StepDeliver, models.StepFailFinal, models.StepSkip} {
			w.record(done.Deliveries[i], step)
		}
		for page := range 2 {
			for range 2 {
				require.NoError(t, w.store.NoteReplay(t.Context(), models.ReplayPage{
					Tenant: "acme", ReplayID: r.ID, Number: page + 1, DeliveryIDs: ids, WorkflowID: "replay/1",
				}))
			}
		}
		now, err := w.store.Replay(t.Context(), "acme", r.ID)
		require.NoError(t, err)
		require.Equal(t, models.ReplayProgress{Found: 10, Reopened: 8, Delivered: 2, Failed: 2, Skipped: 2}, now.Progress)
		require.Equal(t, models.ReplayRunning, now.State)
		require.Nil(t, now.EndedAt)

		require.NoError(t, w.store.EndReplay(t.Context(), "acme", r.ID, models.ReplayStopped, "paused"))
		require.NoError(t, w.store.EndReplay(t.Context(), "acme", r.ID, models.ReplayCompleted, ""), "too late")
		now, err = w.store.Replay(t.Context(), "acme", r.ID)
		require.NoError(t, err)
		require.Equal(t, []any{models.ReplayStopped, "paused"}, []any{now.State, now.Reason})
		require.NotNil(t, now.EndedAt)

		for range 2 {
			w.replay(hook)
		}
		first, err := w.store.Replays(t.Context(), models.ReplayFilter{Tenant: "acme", WebhookID: hook.ID, Limit: 2})
		require.NoError(t, err)
		require.Len(t, first.Items, 2)
		rest, err := w.store.Replays(t.Context(), models.ReplayFilter{Tenant: "acme", WebhookID: hook.ID, Limit: 2, Cursor: first.NextCursor})
		require.NoError(t, err)
		require.Equal(t, []models.Replay{now}, rest.Items, "the oldest is last")

		require.NoError(t, w.store.DeleteWebhook(t.Context(), byTest, "acme", hook.ID))
		_, err = w.store.Replay(t.Context(), "acme", r.ID)
		requireCode(t, errs.NotFound, err)
		require.NoError(t, w.store.NoteReplay(t.Context(), models.ReplayPage{Tenant: "acme", ReplayID: r.ID, Number: 1}))
		require.NoError(t, w.store.EndReplay(t.Context(), "acme", r.ID, models.ReplayCompleted, ""))
		requireCode(t, errs.NotFound, w.store.BeginReplay(t.Context(), byTest, r))
	})
}
