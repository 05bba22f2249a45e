package models_test

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

func benchBoth(b *testing.B, run func(b *testing.B, w world)) {
	b.Helper()
	for _, kind := range modelstest.Kinds() {
		b.Run(string(kind), func(b *testing.B) { run(b, world{b, modelstest.Open(b, kind)}) })
	}
}

// BenchmarkResolve plans one event with one webhook per call.
func BenchmarkResolve(b *testing.B) {
	benchBoth(b, func(b *testing.B, w world) {
		w.webhook("acme")
		b.SetParallelism(16)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				in := models.ResolveInput{Events: []models.Event{w.event("acme")}, Match: everyone}
				if _, err := w.store.Resolve(b.Context(), in); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkResolveBatch plans 64 events with one webhook per call.
func BenchmarkResolveBatch(b *testing.B) {
	benchBoth(b, func(b *testing.B, w world) {
		w.webhook("acme")
		for b.Loop() {
			events := make([]models.Event, 64)
			for i := range events {
				events[i] = w.event("acme")
			}
			w.resolve(events...)
		}
		b.ReportMetric(float64(64*b.N)/b.Elapsed().Seconds(), "events/s")
	})
}

// BenchmarkRecord stores one delivered attempt per call.
func BenchmarkRecord(b *testing.B) {
	benchBoth(b, func(b *testing.B, w world) {
		w.webhook("acme")
		list := make([]models.Delivery, 0, b.N)
		for len(list) < b.N {
			events := make([]models.Event, min(1000, b.N-len(list)))
			for i := range events {
				events[i] = w.event("acme")
			}
			for _, plan := range w.resolve(events...) {
				list = append(list, plan.Deliveries...)
			}
		}
		succeeded := false
		var next atomic.Int64
		b.SetParallelism(64)
		b.ResetTimer()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				record := models.Record{
					Delivery: list[next.Add(1)-1], Step: models.StepDeliver, Attempt: attempt(200), WebhookFailed: &succeeded,
				}
				if err := w.store.Record(b.Context(), record); err != nil {
					b.Error(err)
					return
				}
			}
		})
		stats := w.store.RecorderStats()
		require.NotZero(b, stats.Commits)
		b.ReportMetric(float64(stats.Records)/float64(stats.Commits), "records/commit")
	})
}

// BenchmarkDueDelivery reads what an attempt needs.
func BenchmarkDueDelivery(b *testing.B) {
	benchBoth(b, func(b *testing.B, w world) {
		_, d := w.delivery("acme")
		b.SetParallelism(16)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := w.store.DueDelivery(b.Context(), "acme", d.ID); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
