package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// A glance at many webhooks tells what the history and the sums of each one
// tell.
func TestGlanceTellsWhatHistoryAndStatsTell(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		busy, failing, fresh, aged := w.webhook("acme"), w.webhook("acme"), w.webhook("acme"), w.webhook("acme")
		theirs, d := w.delivery("zeta")
		w.record(d, models.StepDeliver)
		for range 3 {
			w.record(w.deliveryTo(busy), models.StepDeliver)
		}
		for _, step := range []models.Step{models.StepDeliver, models.StepFailFinal} {
			w.record(w.deliveryTo(failing), step)
			<-time.After(2 * time.Millisecond) // attempts of one millisecond have no order
		}
		w.crowd(aged, 3, 2, now().Add(-100*24*time.Hour)) // past the rollups
		ids := []string{busy.ID, failing.ID, fresh.ID, aged.ID, theirs.ID, "", "x", "a\x00b"}
		until := now().Add(time.Minute)
		since := until.Add(-24 * time.Hour)
		glances, err := w.store.Glances(t.Context(), "acme", ids, since, until)
		require.NoError(t, err)
		require.NotContains(t, glances, theirs.ID)
		require.Empty(t, glances[fresh.ID])
		for _, hook := range []models.Webhook{busy, failing, fresh, aged} {
			got := glances[hook.ID]
			history, err := w.store.History(t.Context(), models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID, Limit: 1})
			require.NoError(t, err)
			require.Equal(t, len(history.Items) == 0, got.Last == nil)
			if got.Last != nil {
				want := history.Items[0]
				want.ResponseBody = nil // which a glance does not show
				require.Equal(t, want, *got.Last)
			}
			buckets, err := w.store.Stats(t.Context(), models.StatsFilter{Tenant: "acme", WebhookID: hook.ID, Since: since, Until: until})
			require.NoError(t, err)
			var attempts, failed, timed, counted int64
			for _, b := range buckets {
				attempts, failed = attempts+b.Attempts, failed+b.Failed
				for _, n := range b.Latency {
					timed += n
				}
			}
			for _, n := range got.Latency {
				counted += n
			}
			require.Equal(t, []int64{attempts, failed, timed}, []int64{got.Attempts, got.Failed, counted})
		}
		require.EqualValues(t, 3, glances[busy.ID].Attempts)
		require.False(t, glances[failing.ID].Last.Success)
		require.NotNil(t, glances[aged.ID].Last)

		others, err := w.store.Glances(t.Context(), "zeta", ids, since, until)
		require.NoError(t, err)
		require.Len(t, others, 1)
		_, err = w.store.Glances(t.Context(), "*", ids, since, until)
		requireCode(t, errs.NotFound, err)
		_, err = w.store.Glances(t.Context(), "acme", ids, until, since)
		requireCode(t, errs.Invalid, err)
		none, err := w.store.Glances(t.Context(), "acme", nil, since, until)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

// However many webhooks a page lists, a glance at them is the same few
// statements: one for what happened last and one for the sums, and on PostgreSQL
// those of a transaction. Where the last attempt is old it takes one or the other
// more, and never more than that.
func TestTrafficOfAGlance(t *testing.T) {
	t.Parallel()
	for _, kind := range modelstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w, traffic := counted(t, kind)
			usual, worst := int64(2), int64(2)
			if kind == modelstest.Postgres {
				usual, worst = 5, 8 // BEGIN, the tenant's name, COMMIT; four reaches at most
			}
			least := func(ids []string) int64 {
				least := int64(1000) // a connection that was idle is asked whether it lives
				for range 3 {
					before := traffic.Statements.Load()
					_, err := w.store.Glances(t.Context(), "acme", ids, now().Add(-time.Hour), now())
					require.NoError(t, err)
					least = min(least, traffic.Statements.Load()-before)
				}
				return least
			}
			var ids []string
			for range 25 {
				hook := w.webhook("acme")
				w.record(w.deliveryTo(hook), models.StepDeliver)
				ids = append(ids, hook.ID)
			}
			require.Equal(t, usual, least(ids[:1]))
			require.Equal(t, usual, least(ids))
			for range 25 {
				ids = append(ids, w.webhook("acme").ID)
			}
			require.Equal(t, worst, least(ids))
		})
	}
}

// SQLite steps into an index for each webhook, and reads neither a history nor
// what else the tenant has.
func TestAGlanceReadsAlongIndexes(t *testing.T) {
	t.Parallel()
	w := world{t, modelstest.Open(t, modelstest.SQLite)}
	hook := w.webhook("acme")
	w.record(w.deliveryTo(hook), models.StepDeliver)
	for table, want := range map[string]string{
		"attempts AS n": `SEARCH n USING (COVERING )?INDEX \S+ \(webhook_id=\? AND id[<>]\?`,
		"rollups":       `SEARCH rollups USING INDEX \S+ \(webhook_id=\? AND hour>\? AND hour<\?\)`,
	} {
		plans, err := w.store.Plans(table, func() {
			_, err := w.store.Glances(t.Context(), "acme", []string{hook.ID}, now().Add(-time.Hour), now())
			require.NoError(t, err)
		})
		require.NoError(t, err)
		require.Len(t, plans, 1)
		for _, plan := range plans {
			require.Regexp(t, want, plan)
			require.NotRegexp(t, `SCAN (a|n|w|webhooks|attempts|rollups)\b`, plan)
			require.NotContains(t, plan, "(tenant=?)")
		}
	}
}
