package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// settledIn returns how many deliveries settled in the hour that begins at a time,
// and how many of them had failed.
func (w world) settledIn(hook models.Webhook, hour time.Time) [2]int64 {
	w.t.Helper()
	list := w.stats(models.StatsFilter{Tenant: hook.Tenant, WebhookID: hook.ID, Since: hour, Until: hour.Add(time.Hour)})
	require.Len(w.t, list, 1)
	return [2]int64{list[0].Deliveries, list[0].DeliveriesFailed}
}

// However many attempts it takes, a delivery counts when it settles, and again
// when it has been sent again.
func TestStatsCountDeliveriesOnce(t *testing.T) {
	inThePast(t, 5, func(t *testing.T, p past) {
		hook, ten, eleven := p.webhook("acme"), date(5, 1, 10), date(5, 1, 11)
		d := p.sent(hook, ten, models.StepFailRetry)
		for _, step := range []models.Step{models.StepFailRetry, models.StepDeliver} {
			require.Equal(t, [2]int64{}, p.settledIn(hook, ten), "it has not settled")
			d, _ = p.reload(d)
			p.tried(d, ten.Add(20*time.Minute), step)
		}
		require.Equal(t, [2]int64{1, 0}, p.settledIn(hook, ten))
		again := p.sent(hook, ten.Add(30*time.Minute), models.StepFailFinal)
		p.in(models.StateUnknown, hook)
		p.in(models.StateSkipped, hook)
		p.in(models.StateCancelled, hook)
		require.Equal(t, [2]int64{3, 2}, p.settledIn(hook, ten), "failed and unknown; not skipped, not cancelled")

		again, err := p.store.Reopen(t.Context(), "acme", again.ID, "resend/1")
		require.NoError(t, err)
		p.tried(again, eleven, models.StepDeliver)
		require.Equal(t, [2]int64{1, 0}, p.settledIn(hook, eleven))
		require.Equal(t, [2]int64{3, 2}, p.settledIn(hook, ten), "what was stays")
	})
}

// The migration tells of the deliveries that settled before it which had failed,
// as Record would have: of those that are there, of one that was pruned, of one
// that was sent again, and of one that settled in the hour after its attempt.
func TestRollupsOfOldDeliveries(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		open := func(at time.Time) past { return openPastAt(t, at, models.Options{URL: url, RetentionDays: 3}) }
		p := open(date(5, 1, 9))
		hook, long, ten := p.webhook("acme"), date(5, 1, 10), date(5, 9, 10)
		p.sent(hook, long, models.StepFailFinal)
		p.sent(hook, long, models.StepDeliver)
		p.prune(date(5, 8, 0))
		require.Zero(t, p.count("SELECT COUNT(*) FROM deliveries"))

		p.sent(hook, ten, models.StepDeliver)
		p.sent(hook, ten, models.StepFailFinal)
		again := p.sent(hook, ten, models.StepFailFinal)
		p.in(models.StateUnknown, hook)
		late := p.in(models.StatePending, hook)
		other := open(p.at.now()) // counts in another row of the hour, most likely
		other.sent(hook, ten.Add(time.Minute), models.StepFailFinal)
		require.NoError(t, p.store.Record(t.Context(), models.Record{
			Delivery: late, Step: models.StepDeliver, Attempt: took(200, ten.Add(-time.Second), 2000),
		}))
		again, err := p.store.Reopen(t.Context(), "acme", again.ID, "resend/1")
		require.NoError(t, err)
		eleven := ten.Add(time.Hour)
		p.tried(again, eleven, models.StepDeliver)

		want := map[time.Time][2]int64{long: {2, 1}, ten.Add(-time.Hour): {0, 0}, ten: {6, 4}, eleven: {1, 0}}
		requireSettled := func(p past) {
			for hour, counts := range want {
				require.Equal(t, counts, p.settledIn(hook, hour), hour)
			}
		}
		requireSettled(p)
		require.NoError(t, models.MigrateTo(t.Context(), url, 9))
		requireSettled(open(p.at.now()))
	})
}
