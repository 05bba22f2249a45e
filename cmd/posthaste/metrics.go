package main

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"posthaste/models"
	"posthaste/webhook"
)

// metrics are the numbers of one process, as GET /metrics shows them and
// docs/architecture.md lists them. Each label has a closed set of values:
// providers are those that are loaded, routes those of the route table. No label
// names a tenant, a webhook or a host.
type metrics struct {
	registry *prometheus.Registry
	accepted *prometheus.CounterVec
	attempts *prometheus.CounterVec
	took     *prometheus.HistogramVec
	requests *prometheus.CounterVec
	answered *prometheus.HistogramVec
	shed     prometheus.Counter
	checks   *prometheus.GaugeVec
	clock    prometheus.Gauge
	lanes    laneMetrics
	temporal *temporalMetrics
	pruning  *pruneMetrics
}

// Buckets of the histograms, in seconds: an attempt ends after 30 s unless its
// webhook says otherwise, a request to us in a few milliseconds.
var (
	attemptBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60}
	requestBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
)

// outcomes is the closed set of what an attempt comes to.
var outcomes = []webhook.OutcomeKind{webhook.Delivered, webhook.Retry, webhook.Rejected, webhook.Gone, webhook.Unknown}

// newMetrics makes the registry. What counts events and attempts begins at zero
// for every provider, so that the first one is an increase.
func newMetrics(providers []string, stats func() models.RecorderStats) *metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	measure := promauto.With(registry)
	m := &metrics{
		registry: registry,
		accepted: measure.NewCounterVec(prometheus.CounterOpts{
			Name: "posthaste_events_accepted_total", Help: "Events made durable; duplicates are not counted.",
		}, []string{"provider"}),
		attempts: measure.NewCounterVec(prometheus.CounterOpts{
			Name: "posthaste_attempts_total", Help: "Attempts that ended, by what they came to.",
		}, []string{"provider", "outcome"}),
		took: measure.NewHistogramVec(prometheus.HistogramOpts{
			Name: "posthaste_attempt_duration_seconds", Help: "Time of an attempt, from look-up to last byte.", Buckets: attemptBuckets,
		}, []string{"provider"}),
		requests: measure.NewCounterVec(prometheus.CounterOpts{
			Name: "posthaste_http_requests_total", Help: "Requests answered, by route template and class of status.",
		}, []string{"method", "route", "status"}),
		answered: measure.NewHistogramVec(prometheus.HistogramOpts{
			Name: "posthaste_http_request_duration_seconds", Help: "Time to answer a request.", Buckets: requestBuckets,
		}, []string{"method", "route"}),
		shed: measure.NewCounter(prometheus.CounterOpts{
			Name: "posthaste_http_shed_total", Help: "Requests turned away because too many were under way.",
		}),
	}
	m.checks = measure.NewGaugeVec(prometheus.GaugeOpts{
		Name: "posthaste_check_failing", Help: "1 when the readiness check failed the last time that the process made it, which it does every 5 s.",
	}, []string{"check"})
	m.clock = measure.NewGauge(prometheus.GaugeOpts{
		Name: "posthaste_clock_skew", Help: "Seconds that the process's clock is ahead of PostgreSQL's, as of the last minute; negative when it is behind.",
	})
	for _, provider := range providers {
		m.accepted.WithLabelValues(provider)
		m.took.WithLabelValues(provider)
		for _, outcome := range outcomes {
			m.attempts.WithLabelValues(provider, string(outcome))
		}
	}
	measureBuild(measure)
	m.lanes = newLaneMetrics(measure)
	m.temporal = newTemporalMetrics(registry)
	measureLedger(measure, stats)
	m.pruning = measurePruning(measure)
	return m
}

// measureLedger shows the counts that the ledger's writer keeps itself.
func measureLedger(measure promauto.Factory, stats func() models.RecorderStats) {
	for _, counter := range []struct {
		name, help string
		read       func(models.RecorderStats) uint64
	}{
		{"commits_total", "Transactions that recorded attempts.", func(s models.RecorderStats) uint64 { return s.Commits }},
		{"records_total", "Records in those transactions.", func(s models.RecorderStats) uint64 { return s.Records }},
		{"records_alone_total", "Records that had to leave their group.", func(s models.RecorderStats) uint64 { return s.Alone }},
	} {
		measure.NewCounterFunc(prometheus.CounterOpts{Name: "posthaste_ledger_" + counter.name, Help: counter.help},
			func() float64 { return float64(counter.read(stats())) })
	}
	for _, gauge := range []struct {
		name, help string
		read       func(models.RecorderStats) int
	}{
		{"records_waiting", "Records that no transaction has taken yet.", func(s models.RecorderStats) int { return s.Waiting }},
		{"records_in_flight", "Records in the transaction under way.", func(s models.RecorderStats) int { return s.InFlight }},
	} {
		measure.NewGaugeFunc(prometheus.GaugeOpts{Name: "posthaste_ledger_" + gauge.name, Help: gauge.help},
			func() float64 { return float64(gauge.read(stats())) })
	}
}

// handler answers GET /metrics.
func (m *metrics) handler(logger *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError)})
}

// Accepted counts an event.
func (m *metrics) Accepted(provider string) { m.accepted.WithLabelValues(provider).Inc() }

// Attempted counts an attempt, and its time where a request was sent.
func (m *metrics) Attempted(provider string, outcome webhook.OutcomeKind, took time.Duration) {
	m.attempts.WithLabelValues(provider, string(outcome)).Inc()
	if took > 0 {
		m.took.WithLabelValues(provider).Observe(took.Seconds())
	}
}

// Requested counts a request: status 404 becomes 4xx.
func (m *metrics) Requested(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status/100)+"xx").Inc()
	m.answered.WithLabelValues(method, route).Observe(took.Seconds())
}

// Shed counts a request that was turned away because too many were under way.
func (m *metrics) Shed() { m.shed.Inc() }

// checked shows what a readiness check came to.
func (m *metrics) checked(name string, failure error) {
	value := 0.0
	if failure != nil {
		value = 1
	}
	m.checks.WithLabelValues(name).Set(value)
}
