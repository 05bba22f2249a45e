package models_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

const aDay = 24 * time.Hour

// past is a store whose clock the test sets.
type past struct {
	world
	at *handClock
}

// handClock is a clock that is set by hand, also while others read it.
type handClock struct{ at atomic.Pointer[time.Time] }

func (c *handClock) set(at time.Time) { c.at.Store(&at) }

func (c *handClock) now() time.Time { return *c.at.Load() }

// inThePast runs a test on both databases, in May 2025, with the retention that
// is given.
func inThePast(t *testing.T, days int, run func(t *testing.T, p past)) {
	t.Helper()
	t.Parallel()
	for _, kind := range modelstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			run(t, openPast(t, kind, days))
		})
	}
}

func openPast(t *testing.T, kind modelstest.Kind, days int) past {
	t.Helper()
	return openPastAt(t, date(5, 1, 12), models.Options{URL: modelstest.URL(t, kind), RetentionDays: days})
}

func openPastAt(t *testing.T, at time.Time, o models.Options) past {
	t.Helper()
	p := past{at: &handClock{}}
	p.at.set(at)
	o.Now = p.at.now
	p.world = world{t, modelstest.OpenWith(t, o)}
	_, err := p.store.AddPartitions(t.Context())
	require.NoError(t, err)
	return p
}

// sent makes an event at a moment, and its delivery with one attempt that ended
// as the step says.
func (p past) sent(hook models.Webhook, at time.Time, step models.Step, change ...func(*models.Event)) models.Delivery {
	p.t.Helper()
	p.at.set(at)
	d := p.deliveryTo(hook, append([]func(*models.Event){func(e *models.Event) {
		e.ID, e.AcceptedAt, e.OccurredAt = models.NewID(at), at, at
	}}, change...)...)
	p.tried(d, at, step)
	return d
}

func (p past) tried(d models.Delivery, at time.Time, step models.Step) {
	p.t.Helper()
	p.at.set(at)
	a := attemptOf(step)
	if a != nil {
		a.ID, a.StartedAt = models.NewID(at), at
	}
	require.NoError(p.t, p.store.Record(p.t.Context(), models.Record{Delivery: d, Step: step, Attempt: a}))
}

func (p past) prune(at time.Time) models.Pruned {
	p.t.Helper()
	p.at.set(at)
	done, err := p.store.Prune(p.t.Context(), at, nil)
	require.NoError(p.t, err)
	_, err = p.store.AddPartitions(p.t.Context())
	require.NoError(p.t, err)
	require.Zero(p.t, done.Postponed)
	return done
}

// requireKept checks that a delivery is there with its event and its attempts.
func (p past) requireKept(d models.Delivery, attempts int) {
	p.t.Helper()
	_, err := p.store.Event(p.t.Context(), d.Tenant, d.EventID)
	require.NoError(p.t, err)
	_, list := p.reload(d)
	require.Len(p.t, list, attempts)
}

// requireGone checks that nothing is left of a delivery.
func (p past) requireGone(d models.Delivery) {
	p.t.Helper()
	_, err := p.store.Event(p.t.Context(), d.Tenant, d.EventID)
	requireCode(p.t, errs.NotFound, err)
	_, _, err = p.store.Delivery(p.t.Context(), d.Tenant, d.ID)
	requireCode(p.t, errs.NotFound, err)
	require.Zero(p.t, p.count("SELECT COUNT(*) FROM attempts WHERE delivery_id = ?", d.ID))
	if p.store.OnPostgres() {
		require.Zero(p.t, p.count("SELECT COUNT(*) FROM event_keys WHERE id = ?", d.EventID))
	}
}

func date(month time.Month, of, hour int) time.Time {
	return time.Date(2025, month, of, hour, 0, 0, 0, time.UTC)
}

// The day of an event is kept to its end and then for so many days, to the
// microsecond.
func TestForgottenByTheDay(t *testing.T) {
	inThePast(t, 3, func(t *testing.T, p past) {
		hook := p.webhook("acme")
		first := p.sent(hook, date(5, 1, 0), models.StepDeliver)
		last := p.sent(hook, date(5, 2, 0).Add(-time.Microsecond), models.StepFailFinal)
		next := p.sent(hook, date(5, 2, 0), models.StepDeliver)

		require.Equal(t, models.Pruned{}, p.prune(date(5, 5, 0).Add(-time.Microsecond)))
		p.requireKept(first, 1)
		p.requireKept(last, 1)
		done := p.prune(date(5, 5, 0))
		require.EqualValues(t, 2, done.Deliveries)
		p.requireGone(first)
		p.requireGone(last)
		p.requireKept(next, 1)
		if p.store.OnPostgres() {
			require.Equal(t, models.Pruned{Deliveries: 2, Partitions: 2}, done, "one day of events, one of attempts")
		} else {
			require.Equal(t, models.Pruned{Deliveries: 2, Events: 2, Attempts: 2}, done)
		}
		require.Equal(t, models.Pruned{}, p.prune(date(5, 5, 0)), "a second run finds nothing")
		require.Equal(t, date(5, 5, 0), p.store.PruneStats().LastRun)
		require.EqualValues(t, 2, p.store.PruneStats().Deliveries)
	})
}

func TestKeptForEver(t *testing.T) {
	inThePast(t, 0, func(t *testing.T, p past) {
		d := p.sent(p.webhook("acme"), date(5, 1, 10), models.StepDeliver)
		require.Equal(t, models.Pruned{}, p.prune(date(5, 1, 0).AddDate(50, 0, 0)))
		p.requireKept(d, 1)
	})
}

// What is under way keeps its event and its attempts; the others of its day go.
// Once it has settled it goes too.
func TestUnsettledIsKept(t *testing.T) {
	inThePast(t, 3, func(t *testing.T, p past) {
		hook := p.webhook("acme")
		waiting := p.sent(hook, date(5, 1, 10), models.StepFailRetry)
		settled := p.sent(hook, date(5, 1, 11), models.StepDeliver)
		empty := p.event("acme", func(e *models.Event) {
			e.ID, e.AcceptedAt, e.Provider = models.NewID(date(5, 1, 12)), date(5, 1, 12), "nobody"
		})
		require.Zero(t, p.resolve(empty)[0].Total)

		p.prune(date(5, 20, 3))
		p.requireKept(waiting, 1)
		p.requireGone(settled)
		_, err := p.store.Event(t.Context(), "acme", empty.ID)
		requireCode(t, errs.NotFound, err)

		waiting, _ = p.reload(waiting)
		p.tried(waiting, date(5, 20, 4), models.StepDeliver)
		p.requireKept(waiting, 2)
		p.prune(date(5, 21, 3))
		p.requireGone(waiting)
		require.Zero(t, p.count("SELECT COUNT(*) FROM attempts"))
		require.Zero(t, p.count("SELECT COUNT(*) FROM events"))
	})
}

func TestTenantsWithTheirOwnRetention(t *testing.T) {
	inThePast(t, 5, func(t *testing.T, p past) {
		days := func(n int) *int { return &n }
		kept := map[string]*int{"short": days(1), "long": days(9), "ever": nil, "usual": nil}
		deliveries := map[string]models.Delivery{}
		for tenant, own := range kept {
			require.NoError(t, p.store.PutTenant(t.Context(), &models.Tenant{ID: tenant, Status: models.TenantActive, RetentionDays: own}))
			deliveries[tenant] = p.sent(p.webhook(tenant), date(5, 1, 10), models.StepDeliver)
		}
		ever := models.Tenant{ID: "ever", Status: models.TenantActive, RetentionDays: days(0)}
		require.NoError(t, p.store.PutTenant(t.Context(), &ever))
		require.Zero(t, *ever.RetentionDays)
		for _, step := range []struct {
			at   time.Time
			gone []string
		}{
			{date(5, 2, 23), nil},
			{date(5, 3, 0), []string{"short"}},
			{date(5, 6, 23), []string{"short"}},
			{date(5, 7, 0), []string{"short", "usual"}},
			{date(5, 11, 0), []string{"short", "usual", "long"}},
		} {
			p.prune(step.at)
			for tenant, d := range deliveries {
				if contains(step.gone, tenant) {
					p.requireGone(d)
				} else {
					p.requireKept(d, 1)
				}
			}
		}
		// Nobody keeps anything for ever any more, and the day goes as a whole.
		ever.RetentionDays = nil
		require.NoError(t, p.store.PutTenant(t.Context(), &ever))
		p.prune(date(5, 12, 0))
		p.requireGone(deliveries["ever"])
		if p.store.OnPostgres() {
			require.Zero(t, p.count("SELECT COUNT(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname LIKE '%\\_20250501'"))
		}
	})
}

func contains(list []string, one string) bool {
	for _, s := range list {
		if s == one {
			return true
		}
	}
	return false
}

// A key stands for its event until that is forgotten, and then for a new one.
func TestKeyedEventIsAcceptedAnew(t *testing.T) {
	inThePast(t, 3, func(t *testing.T, p past) {
		hook := p.webhook("acme")
		keyed := func(e *models.Event) { e.ID = "7c1f2dcb-6a0e-5d2b-9a53-0f7d9f1f8a11" }
		d := p.sent(hook, date(5, 1, 10), models.StepDeliver, keyed)
		again := p.event("acme", keyed, func(e *models.Event) {
			e.RunID, e.AcceptedAt, e.WebhookID = "run-2", date(5, 3, 10), hook.ID
		})
		require.True(t, p.resolve(again)[0].Duplicate)
		p.requireKept(d, 1)
		first, err := p.store.Event(t.Context(), "acme", d.EventID)
		require.NoError(t, err)
		require.Equal(t, date(5, 1, 10), first.AcceptedAt)

		p.prune(date(5, 10, 3))
		p.requireGone(d)
		again.AcceptedAt = date(5, 10, 4)
		plan := p.resolve(again)[0]
		require.False(t, plan.Duplicate)
		require.Equal(t, 1, plan.Total)
		second, err := p.store.Event(t.Context(), "acme", d.EventID)
		require.NoError(t, err)
		require.Equal(t, date(5, 10, 4), second.AcceptedAt)
		require.Len(t, p.resolve(again)[0].Deliveries, 1, "planned again by the same run, it is read back")
	})
}

// Attempts that were made days after their event go with it, and those of
// another event stay.
func TestAttemptsOfLaterDays(t *testing.T) {
	inThePast(t, 3, func(t *testing.T, p past) {
		hook := p.webhook("acme")
		d := p.sent(hook, date(5, 1, 10), models.StepFailRetry)
		for i := range 3 {
			d, _ = p.reload(d)
			step := models.StepFailRetry
			if i == 2 {
				step = models.StepDeliver
			}
			p.tried(d, date(5, 2+i, 10), step)
		}
		other := p.sent(hook, date(5, 4, 11), models.StepDeliver)
		p.requireKept(d, 4)
		done := p.prune(date(5, 5, 3))
		p.requireGone(d)
		p.requireKept(other, 1)
		history, err := p.store.History(t.Context(), models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID})
		require.NoError(t, err)
		require.Len(t, history.Items, 1)
		if p.store.OnPostgres() {
			require.EqualValues(t, 3, done.Attempts, "the one of the first day went with its partition")
		}
	})
}

// Rollups and the audit log outlive the attempts they tell of.
func TestWhatOutlivesAttempts(t *testing.T) {
	inThePast(t, 3, func(t *testing.T, p past) {
		p.sent(p.webhook("acme"), date(5, 1, 10), models.StepDeliver)
		rows := func() []int {
			return []int{p.count("SELECT COUNT(*) FROM rollups"), p.count("SELECT COUNT(*) FROM audit")}
		}
		p.prune(date(5, 1, 10).Add(400 * aDay))
		require.Equal(t, []int{1, 1}, rows())
		require.EqualValues(t, 1, p.prune(date(5, 1, 10).Add(400*aDay+time.Hour)).Rollups)
		require.Equal(t, []int{0, 1}, rows())
		p.prune(date(5, 1, 12).Add(730*aDay - time.Second))
		require.Equal(t, []int{0, 1}, rows())
		require.EqualValues(t, 1, p.prune(date(5, 1, 12).Add(731*aDay)).Audit)
	})
}

// A run that is interrupted is taken up by the next one.
func TestPruneIsRestartable(t *testing.T) {
	inThePast(t, 3, func(t *testing.T, p past) {
		hook := p.webhook("acme")
		var all []models.Delivery
		for i := range 5 {
			all = append(all, p.sent(hook, date(5, 1+i, 10), models.StepDeliver))
		}
		p.at.set(date(5, 20, 0))
		steps := 0
		for {
			ctx, stop := contextOf(t)
			_, err := p.store.Prune(ctx, date(5, 20, 0), func(done models.Pruned) {
				if done != (models.Pruned{}) {
					stop()
				}
			})
			stop()
			if steps++; err == nil {
				break
			}
			requireCode(t, errs.Unavailable, err)
			require.Less(t, steps, 100)
		}
		require.Greater(t, steps, 2)
		for _, d := range all {
			p.requireGone(d)
		}
	})
}
