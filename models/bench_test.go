package models_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

// go test ./models -run '^$' -bench . -count 10 | tee new.txt; benchstat old.txt new.txt

// benchBoth runs a benchmark on both databases. What comes after measured counts.
func benchBoth(b *testing.B, run func(b *testing.B, w world, measured func())) {
	b.Helper()
	for _, kind := range modelstest.Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			w, traffic := counted(b, kind)
			var statements, trips int64
			run(b, w, func() {
				statements, trips = traffic.Statements.Load(), traffic.Trips.Load()
				b.ReportAllocs()
				b.ResetTimer()
			})
			b.StopTimer()
			b.ReportMetric(float64(traffic.Statements.Load()-statements)/float64(b.N), "statements/op")
			b.ReportMetric(float64(traffic.Trips.Load()-trips)/float64(b.N), "trips/op")
		})
	}
}

// counted opens an empty ledger with a count of what it asks of its database.
func counted(tb testing.TB, kind modelstest.Kind) (world, *models.Traffic) {
	tb.Helper()
	url := modelstest.URL(tb, kind)
	_, err := models.MigrateUp(tb.Context(), url)
	require.NoError(tb, err)
	store, traffic, err := models.OpenCounted(tb.Context(), models.Options{URL: url, Sealer: modelstest.Sealer(), Now: time.Now})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, store.Close()) })
	return world{tb, store}, traffic
}

// BenchmarkResolve plans events.
func BenchmarkResolve(b *testing.B) {
	for _, size := range []struct{ events, webhooks, wanting int }{
		{1, 1, 1}, {64, 1, 1}, {1, 100, 100}, {1, 50, 1}, {1, 1000, 1}, {64, 1000, 1},
	} {
		b.Run(fmt.Sprintf("events=%d/webhooks=%d/wanting=%d", size.events, size.webhooks, size.wanting), func(b *testing.B) {
			benchBoth(b, func(b *testing.B, w world, measured func()) {
				w.webhooks("acme", size.webhooks, size.wanting)
				measured()
				for b.Loop() {
					in := models.ResolveInput{Events: w.events("acme", size.events), Match: subscribers}
					if _, err := w.store.Resolve(b.Context(), in); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// BenchmarkResolveTogether plans single events from many goroutines.
func BenchmarkResolveTogether(b *testing.B) {
	benchBoth(b, func(b *testing.B, w world, measured func()) {
		w.webhooks("acme", 1, 1)
		b.SetParallelism(16)
		measured()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				in := models.ResolveInput{Events: w.events("acme", 1), Match: subscribers}
				if _, err := w.store.Resolve(b.Context(), in); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// webhooks makes so many of them, of which some want what w.event makes.
func (w world) webhooks(tenant string, all, wanting int) {
	w.t.Helper()
	for i := range all {
		w.webhook(tenant, func(h *models.Webhook) {
			if i >= wanting {
				h.Events = []string{"order.cancelled", "order.refunded", "order.shipped"}
			}
		})
	}
}

func (w world) events(tenant string, n int) []models.Event {
	events := make([]models.Event, n)
	for i := range events {
		events[i] = w.event(tenant)
	}
	return events
}

// subscribers matches the webhooks that name the event's type.
func subscribers(e models.Event, offered []models.Webhook) []models.Match {
	var matches []models.Match
	for i := range offered {
		if slices.Contains(offered[i].Events, e.Type) {
			matches = append(matches, models.Match{WebhookID: offered[i].ID, State: models.StatePending})
		}
	}
	return matches
}

// BenchmarkRecord stores one delivered attempt per call, alone and by many at
// once, which share commits.
func BenchmarkRecord(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			benchBoth(b, func(b *testing.B, w world, measured func()) {
				w.webhooks("acme", 1, 1)
				list := w.pending("acme", b.N)
				succeeded := false
				var next atomic.Int64
				b.SetParallelism(max(1, callers/2)) // times the processors, of which CI has two
				record := func() error {
					return w.store.Record(b.Context(), models.Record{
						Delivery: list[next.Add(1)-1], Step: models.StepDeliver, Attempt: attempt(200), WebhookFailed: &succeeded,
					})
				}
				measured()
				if callers == 1 {
					for range b.N {
						require.NoError(b, record())
					}
					return
				}
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						if err := record(); err != nil {
							b.Error(err)
							return
						}
					}
				})
				stats := w.store.RecorderStats()
				b.ReportMetric(float64(stats.Records)/float64(stats.Commits), "records/commit")
			})
		})
	}
}

// pending makes so many deliveries.
func (w world) pending(tenant string, n int) []models.Delivery {
	w.t.Helper()
	list := make([]models.Delivery, 0, n)
	for len(list) < n {
		for _, plan := range w.resolve(w.events(tenant, min(1000, n-len(list)))...) {
			list = append(list, plan.Deliveries...)
		}
	}
	return list
}

// pendingIDs is pending, of which only the ids are wanted.
func (w world) pendingIDs(tenant string, n int) []string {
	w.t.Helper()
	ids := make([]string, n)
	for i, d := range w.pending(tenant, n) {
		ids[i] = d.ID
	}
	return ids
}

// BenchmarkDueDelivery reads what an attempt needs in the durable lane.
func BenchmarkDueDelivery(b *testing.B) {
	benchBoth(b, func(b *testing.B, w world, measured func()) {
		_, d := w.delivery("acme")
		measured()
		for b.Loop() {
			if _, err := w.store.DueDelivery(b.Context(), "acme", d.ID); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDueDeliveries reads what the attempts of a call of the fast lane need.
func BenchmarkDueDeliveries(b *testing.B) {
	for _, size := range []int{1, 25} {
		b.Run(fmt.Sprintf("deliveries=%d", size), func(b *testing.B) {
			benchBoth(b, func(b *testing.B, w world, measured func()) {
				w.webhooks("acme", 1, 1)
				ids := w.pendingIDs("acme", size)
				measured()
				for b.Loop() {
					if _, err := w.store.DueDeliveries(b.Context(), "acme", ids); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
