package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"posthaste/models"
)

// pruneMetrics shows what the ledger has pruned, once there is a ledger.
type pruneMetrics struct{ stats func() models.PruneStats }

func measurePruning(measure promauto.Factory) *pruneMetrics {
	m := &pruneMetrics{stats: func() models.PruneStats { return models.PruneStats{} }}
	for _, counter := range []struct {
		name, help string
		read       func(models.PruneStats) int64
	}{
		{"deliveries", "Deliveries that were forgotten.", func(s models.PruneStats) int64 { return s.Deliveries }},
		{"events", "Events that were forgotten one by one.", func(s models.PruneStats) int64 { return s.Events }},
		{"attempts", "Attempts that were forgotten one by one.", func(s models.PruneStats) int64 { return s.Attempts }},
		{"partitions", "Partitions of events and attempts that were dropped.", func(s models.PruneStats) int64 { return s.Partitions }},
	} {
		measure.NewCounterFunc(prometheus.CounterOpts{Name: "posthaste_pruned_" + counter.name + "_total", Help: counter.help},
			func() float64 { return float64(counter.read(m.stats())) })
	}
	measure.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "posthaste_prune_last_run_timestamp", Help: "When this process last ended a run of pruning, in seconds since 1970; 0 = never.",
	}, func() float64 {
		if at := m.stats().LastRun; !at.IsZero() {
			return float64(at.Unix())
		}
		return 0
	})
	return m
}
