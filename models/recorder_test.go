package models_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// recordAll hands over all records at once and returns each one's answer.
func (w world) recordAll(records []models.Record) []error {
	failures := make([]error, len(records))
	var all sync.WaitGroup
	for i, r := range records {
		all.Go(func() { failures[i] = w.store.Record(w.t.Context(), r) })
	}
	all.Wait()
	return failures
}

// deliveries makes n pending deliveries, of ten webhooks of a tenant without
// others.
func (w world) deliveries(n int) []models.Delivery {
	w.t.Helper()
	for range 10 {
		w.webhook("acme")
	}
	var events []models.Event
	for range n / 10 {
		events = append(events, w.event("acme"))
	}
	var list []models.Delivery
	for _, plan := range w.resolve(events...) {
		list = append(list, plan.Deliveries...)
	}
	require.Len(w.t, list, n)
	return list
}

// pile hands records over while the committer is busy, lets meanwhile run once
// all of them wait, and returns each one's answer: they go into the ledger
// together.
func (w world) pile(records []models.Record, meanwhile func()) []error {
	w.t.Helper()
	plug := w.deliveryTo(w.webhook("plug"))
	failures := make([]error, len(records))
	var all sync.WaitGroup
	w.held(func() {
		all.Go(func() {
			if err := w.store.Record(context.Background(), models.Record{Delivery: plug, Step: models.StepSkip}); err != nil {
				w.t.Errorf("plug: %v", err)
			}
		})
		w.await(func(s models.RecorderStats) bool { return s.InFlight == 1 })
		for i, r := range records {
			all.Go(func() { failures[i] = w.store.Record(w.t.Context(), r) })
		}
		w.await(func(s models.RecorderStats) bool { return s.Waiting == len(records) })
		meanwhile()
	})
	all.Wait()
	return failures
}

// held runs fn while no commit can finish.
func (w world) held(fn func()) {
	w.t.Helper()
	release, err := w.store.HoldCommits(w.t.Context())
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, release()) }()
	fn()
}

func (w world) await(condition func(models.RecorderStats) bool) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return condition(w.store.RecorderStats()) }, 20*time.Second, time.Millisecond)
}

func nothing() {}

func delivered(list []models.Delivery) []models.Record {
	var records []models.Record
	for _, d := range list {
		records = append(records, models.Record{Delivery: d, Step: models.StepDeliver, Attempt: attempt(200)})
	}
	return records
}

func TestRecordsShareCommits(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		const many = 500
		records := delivered(w.deliveries(many))
		succeeded := false
		for i := range records {
			records[i].WebhookFailed = &succeeded
		}
		for _, err := range w.pile(records, nothing) {
			require.NoError(t, err)
		}
		require.Equal(t, many, w.count("SELECT COUNT(*) FROM attempts"))
		require.Equal(t, many, w.count("SELECT COUNT(*) FROM deliveries WHERE state = 'delivered' AND attempts = 1"))
		stats := w.store.RecorderStats()
		require.Equal(t, []uint64{4, many + 1, 0}, []uint64{stats.Commits, stats.Records, stats.Alone},
			"the one that kept the committer busy, then 200, 200 and 100")
	})
}

// Alone, a record is committed at once: it does not wait for company.
func TestALoneRecordIsOneCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		for i, d := range w.deliveries(10) {
			w.record(d, models.StepDeliver)
			stats := w.store.RecorderStats()
			require.Equal(t, []uint64{uint64(i + 1), uint64(i + 1)}, []uint64{stats.Commits, stats.Records})
		}
	})
}

// One record that breaks a constraint takes the whole transaction down; the
// others must be stored all the same, and only the bad one told.
func TestABadRecordHarmsNobody(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		list := w.deliveries(50)
		first := attempt(200)
		require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: list[0], Step: models.StepDeliver, Attempt: first}))
		poisoned := -1
		records := delivered(list[1:])
		for i, d := range list[1:] {
			if d.WebhookID == list[0].WebhookID && poisoned < 0 {
				poisoned, records[i].Attempt.ID = i, first.ID // an id that is taken
			}
		}
		require.GreaterOrEqual(t, poisoned, 0)
		records = append(records, models.Record{Delivery: list[0], Step: models.StepSkip}) // it is delivered by now

		for i, err := range w.pile(records, nothing) {
			if i == poisoned || i == len(records)-1 {
				requireCode(t, errs.Conflict, err)
				continue
			}
			require.NoError(t, err, i)
		}
		require.Equal(t, 49, w.count("SELECT COUNT(*) FROM attempts"))
		require.Equal(t, 49, w.count("SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'"))
		require.Equal(t, uint64(len(records)), w.store.RecorderStats().Alone)
	})
}

// A stale record does not even take its group apart.
func TestAStaleRecordLeavesItsGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		list := w.deliveries(20)
		w.record(list[3], models.StepFailFinal)
		for i, err := range w.pile(delivered(list), nothing) {
			if i == 3 {
				requireCode(t, errs.Conflict, err)
				continue
			}
			require.NoError(t, err, i)
		}
		stats := w.store.RecorderStats()
		require.Equal(t, []uint64{3, 1}, []uint64{stats.Commits, stats.Alone})
	})
}

// Records of one delivery that are handed over together: one wins, and the
// others are told.
func TestRecordsOfOneDelivery(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		list := w.deliveries(10)
		records := append(delivered(list), delivered(list)...)
		failures := w.pile(append(records, delivered(list)...), nothing)
		for i := range list {
			won := 0
			for round := range 3 {
				if err := failures[round*len(list)+i]; err == nil {
					won++
				} else {
					requireCode(t, errs.Conflict, err)
				}
			}
			require.Equal(t, 1, won)
		}
		require.Equal(t, len(list), w.count("SELECT COUNT(*) FROM attempts"))
	})
}

// The same for claims, where nothing but the grouping stands between two
// workers that both believe they may POST at most once.
func TestClaimsOfOneDeliveryTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		list := w.deliveries(10)
		var claims []models.Record
		for range 3 {
			for _, d := range list {
				claims = append(claims, models.Record{Delivery: d, Step: models.StepClaim})
			}
		}
		won := map[string]int{}
		for i, err := range w.pile(claims, nothing) {
			if err == nil {
				won[claims[i].Delivery.ID]++
			} else {
				requireCode(t, errs.Conflict, err)
			}
		}
		require.Len(t, won, len(list))
		for id, n := range won {
			require.Equal(t, 1, n, id)
		}
	})
}

func TestACallerThatGivesUp(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		list := w.deliveries(20)
		for _, err := range w.pile(delivered(list[1:]), func() {
			ctx, cancel := context.WithCancel(t.Context())
			gaveUp := make(chan error, 1)
			go func() { gaveUp <- w.store.Record(ctx, delivered(list[:1])[0]) }()
			w.await(func(s models.RecorderStats) bool { return s.Waiting == len(list) })
			cancel()
			err := <-gaveUp
			requireCode(t, errs.Unavailable, err)
			require.ErrorIs(t, err, context.Canceled)
			requireCode(t, errs.Unavailable, w.store.Record(ctx, delivered(list[:1])[0]))
		}) {
			require.NoError(t, err)
		}
	})
}

// A long transaction of one tenant (here: a change of its webhook) must not
// hold up the records of others.
func TestALockedWebhookHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	url := modelstest.URL(t, modelstest.Postgres) // SQLite has one writer anyway
	w := world{t, modelstest.OpenWith(t, models.Options{URL: url})}
	slow, quick := w.webhook("acme"), w.webhook("zeta")
	failing, passing := w.deliveryTo(slow), w.deliveryTo(quick)
	failed := true
	locked, finish, blocked := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var changed sync.WaitGroup
	changed.Go(func() {
		_, err := w.store.UpdateWebhook(t.Context(), byTest, "acme", slow.ID, func(*models.Webhook) error {
			close(locked)
			<-finish
			return nil
		})
		if err != nil {
			t.Errorf("update: %v", err)
		}
	})
	<-locked
	go func() {
		blocked <- w.store.Record(t.Context(), models.Record{
			Delivery: failing, Step: models.StepFailRetry, Attempt: attempt(500), WebhookFailed: &failed,
		})
	}()
	require.Eventually(t, func() bool { return w.store.RecorderStats().Alone == 1 }, 10*time.Second, time.Millisecond)
	w.record(passing, models.StepDeliver)
	require.Empty(t, blocked, "the record of the locked webhook waits")
	closed := make(chan error, 1)
	go func() { closed <- w.store.Close() }()
	require.Never(t, func() bool { return len(closed) > 0 }, 100*time.Millisecond, time.Millisecond,
		"closing waits for the record that is settled alone")
	close(finish)
	require.NoError(t, <-blocked)
	changed.Wait()
	require.NoError(t, <-closed)
	again := world{t, modelstest.OpenWith(t, models.Options{URL: url})}
	require.Equal(t, 1, again.webhookNow(slow).FailedInARow)
}

func TestCloseFinishesWhatWasHandedOver(t *testing.T) {
	t.Parallel()
	for _, kind := range modelstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			url := modelstest.URL(t, kind)
			w := world{t, modelstest.OpenWith(t, models.Options{URL: url})}
			list := w.deliveries(50)
			closed := make(chan error, 1)
			for _, err := range w.pile(delivered(list[1:]), func() { go func() { closed <- w.store.Close() }() }) {
				require.NoError(t, err)
			}
			require.NoError(t, <-closed)
			require.NoError(t, w.store.Close(), "closing twice is fine")
			requireCode(t, errs.Unavailable, w.store.Ping(t.Context()))
			requireCode(t, errs.Unavailable, w.store.Record(t.Context(), delivered(list[:1])[0]))
			again := world{t, modelstest.OpenWith(t, models.Options{URL: url})}
			require.Equal(t, 49, again.count("SELECT COUNT(*) FROM attempts"))
		})
	}
}
