package main

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"posthaste/activities"
)

// laneMetrics say where attempts run and what keeps them from it.
type laneMetrics struct {
	attempts *prometheus.CounterVec
	inFlight *prometheus.GaugeVec
	deferred *prometheus.CounterVec
	waits    prometheus.Histogram
	breakers prometheus.Gauge
}

// waitBuckets end above half a second, which is how long a delivery waits for
// its turn in the fast lane.
var waitBuckets = []float64{.0001, .001, .005, .01, .025, .05, .1, .25, .5, 1}

// newLaneMetrics begins every series at zero.
func newLaneMetrics(measure promauto.Factory) laneMetrics {
	m := laneMetrics{
		attempts: measure.NewCounterVec(prometheus.CounterOpts{
			Name: "posthaste_lane_attempts_total", Help: "Attempts that began, by lane.",
		}, []string{"lane"}),
		inFlight: measure.NewGaugeVec(prometheus.GaugeOpts{
			Name: "posthaste_lane_in_flight", Help: "Attempts under way, by lane; the writing of their outcome included.",
		}, []string{"lane"}),
		deferred: measure.NewCounterVec(prometheus.CounterOpts{
			Name: "posthaste_lane_deferred_total", Help: "Deliveries that a lane sent away without an attempt, by reason.",
		}, []string{"lane", "reason"}),
		waits: measure.NewHistogram(prometheus.HistogramOpts{
			Name: "posthaste_fast_slot_wait_seconds", Help: "How long deliveries waited for their webhook's turn in the fast lane.", Buckets: waitBuckets,
		}),
		breakers: measure.NewGauge(prometheus.GaugeOpts{
			Name: "posthaste_breakers_open", Help: "Webhooks that this process leaves alone because they do not answer.",
		}),
	}
	for _, lane := range []activities.Lane{activities.LaneFast, activities.LaneDurable} {
		m.attempts.WithLabelValues(string(lane))
		m.inFlight.WithLabelValues(string(lane))
		for _, reason := range activities.Deferrals(lane) {
			m.deferred.WithLabelValues(string(lane), string(reason))
		}
	}
	return m
}

// measureBuild shows which version runs.
func measureBuild(measure promauto.Factory) {
	measure.NewGaugeVec(prometheus.GaugeOpts{
		Name: "posthaste_build_info", Help: "1, with the version of Posthaste and of Go.",
	}, []string{"version", "go"}).WithLabelValues(currentVersion(), runtime.Version()).Set(1)
}

// Posting counts an attempt that begins in a lane, and holds it in flight until
// ended is called.
func (m *metrics) Posting(lane activities.Lane) (ended func()) {
	m.lanes.attempts.WithLabelValues(string(lane)).Inc()
	gauge := m.lanes.inFlight.WithLabelValues(string(lane))
	gauge.Inc()
	return gauge.Dec
}

// Deferred counts a delivery that was sent away.
func (m *metrics) Deferred(lane activities.Lane, why activities.Deferral) {
	m.lanes.deferred.WithLabelValues(string(lane), string(why)).Inc()
}

// WaitedFast notes how long a delivery waited for its turn in the fast lane.
func (m *metrics) WaitedFast(wait time.Duration) { m.lanes.waits.Observe(wait.Seconds()) }

// BreakerOpened counts an open breaker.
func (m *metrics) BreakerOpened() { m.lanes.breakers.Inc() }

// BreakerClosed takes it back.
func (m *metrics) BreakerClosed() { m.lanes.breakers.Dec() }
