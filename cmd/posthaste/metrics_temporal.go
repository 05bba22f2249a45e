package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.temporal.io/sdk/client"
)

// Labels that the Temporal SDK gives its metrics and that are kept. Their values
// are names of our workflows and activities, of the SDK's own kinds, and of the
// calls of Temporal's API; what else it gives (namespace, task queue, client) is
// the same for all or unbounded, and dropped.
const (
	labelOperation = "operation"
	labelWorkflow  = "workflow_type"
	labelActivity  = "activity_type"
	labelWorker    = "worker_type"
	labelPoller    = "poller_type"
	labelCode      = "status_code"
	labelReason    = "failure_reason"
	labelCause     = "cause"
)

// sdkMetric is one metric of the SDK as it is exported: counters with the suffix
// _total, timers as histograms with _seconds.
type sdkMetric struct {
	name   string // of the SDK, without temporal_
	help   string
	labels []string
}

// The metrics of the SDK that are exported: those that an alert, the dashboard
// or a search for a cause has a use for. Others are dropped.
var (
	sdkCounters = []sdkMetric{
		{"request", "Calls of Temporal.", []string{labelOperation}},
		{"request_failure", "Calls of Temporal that failed.", []string{labelOperation, labelCode}},
		{"request_resource_exhausted", "Calls that Temporal refused because a limit was reached.", []string{labelOperation, labelCause}},
		{"long_request_failure", "Long polls of Temporal that failed.", []string{labelOperation, labelCode}},
		{"workflow_completed", "Workflows that ended.", []string{labelWorkflow}},
		{"workflow_failed", "Workflows that failed.", []string{labelWorkflow}},
		{"workflow_canceled", "Workflows that were cancelled.", []string{labelWorkflow}},
		{"workflow_task_execution_failed", "Workflow tasks that failed and run again.", []string{labelWorkflow, labelReason}},
		{"activity_execution_failed", "Runs of activities that failed, but for outcomes of receivers.", []string{labelActivity}},
		{"local_activity_execution_failed", "Runs of local activities that failed.", []string{labelActivity}},
		{"sticky_cache_hit", "Workflow tasks whose workflow was in memory.", nil},
		{"sticky_cache_miss", "Workflow tasks whose workflow had to be replayed.", nil},
		{"sticky_cache_total_forced_eviction", "Workflows that had to leave memory for others.", nil},
	}
	sdkGauges = []sdkMetric{
		{"worker_task_slots_available", "Free slots of the worker.", []string{labelWorker}},
		{"worker_task_slots_used", "Slots of the worker in use.", []string{labelWorker}},
		{"num_pollers", "Long polls that are open.", []string{labelPoller}},
		{"sticky_cache_size", "Workflows in memory.", nil},
	}
	sdkTimers = []sdkMetric{
		{"request_latency", "Time of calls of Temporal.", []string{labelOperation}},
		{"workflow_endtoend_latency", "Time of workflows, from start to end.", []string{labelWorkflow}},
		{"workflow_task_schedule_to_start_latency", "How long workflow tasks waited for a worker.", nil},
		{"workflow_task_execution_latency", "Time of workflow tasks.", nil},
		{"activity_schedule_to_start_latency", "How long activities waited for a worker.", nil},
		{"activity_execution_latency", "Time of activities.", []string{labelActivity}},
		{"local_activity_execution_latency", "Time of local activities.", []string{labelActivity}},
	}
	// A workflow lives from milliseconds to days; everything else is over soon.
	sdkBuckets      = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	workflowBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 5, 30, 60, 300, 1800, 3600, 21600, 86400, 259200}
)

// temporalMetrics exports what the Temporal SDK measures.
type temporalMetrics struct {
	counters map[string]sdkVector[*prometheus.CounterVec]
	gauges   map[string]sdkVector[*prometheus.GaugeVec]
	timers   map[string]sdkVector[*prometheus.HistogramVec]
}

// sdkVector is a metric with the labels that it takes, in their order.
type sdkVector[V any] struct {
	vector V
	labels []string
}

func newTemporalMetrics(registry *prometheus.Registry) *temporalMetrics {
	measure := promauto.With(registry)
	m := &temporalMetrics{
		counters: map[string]sdkVector[*prometheus.CounterVec]{},
		gauges:   map[string]sdkVector[*prometheus.GaugeVec]{},
		timers:   map[string]sdkVector[*prometheus.HistogramVec]{},
	}
	for _, c := range sdkCounters {
		m.counters["temporal_"+c.name] = sdkVector[*prometheus.CounterVec]{measure.NewCounterVec(
			prometheus.CounterOpts{Name: "temporal_" + c.name + "_total", Help: c.help}, c.labels), c.labels}
	}
	for _, g := range sdkGauges {
		m.gauges["temporal_"+g.name] = sdkVector[*prometheus.GaugeVec]{measure.NewGaugeVec(
			prometheus.GaugeOpts{Name: "temporal_" + g.name, Help: g.help}, g.labels), g.labels}
	}
	for _, t := range sdkTimers {
		buckets := sdkBuckets
		if t.name == "workflow_endtoend_latency" {
			buckets = workflowBuckets
		}
		m.timers["temporal_"+t.name] = sdkVector[*prometheus.HistogramVec]{measure.NewHistogramVec(
			prometheus.HistogramOpts{Name: "temporal_" + t.name + "_seconds", Help: t.help, Buckets: buckets}, t.labels), t.labels}
	}
	return m
}

// sdkHandler is the metrics under the tags that the SDK has set so far.
type sdkHandler struct {
	*temporalMetrics
	tags map[string]string
}

// handler is what the Temporal client is given.
func (m *temporalMetrics) handler() client.MetricsHandler { return sdkHandler{temporalMetrics: m} }

// WithTags returns a handler with more tags. The SDK does so for every call, so
// only those that become labels are kept.
func (h sdkHandler) WithTags(more map[string]string) client.MetricsHandler {
	tags := make(map[string]string, len(h.tags)+len(more))
	for name, value := range h.tags {
		tags[name] = value
	}
	for name, value := range more {
		switch name {
		case labelOperation, labelWorkflow, labelActivity, labelWorker, labelPoller, labelCode, labelReason, labelCause:
			tags[name] = value
		}
	}
	return sdkHandler{h.temporalMetrics, tags}
}

// values are the tags in the order of the labels; one that is not set is empty.
func (h sdkHandler) values(labels []string) []string {
	values := make([]string, len(labels))
	for i, label := range labels {
		values[i] = h.tags[label]
	}
	return values
}

// Counter returns the counter of that name.
func (h sdkHandler) Counter(name string) client.MetricsCounter {
	known, ok := h.counters[name]
	if !ok {
		return client.MetricsNopHandler.Counter(name)
	}
	return sdkCounter{known.vector.WithLabelValues(h.values(known.labels)...)}
}

// Gauge returns the gauge of that name.
func (h sdkHandler) Gauge(name string) client.MetricsGauge {
	known, ok := h.gauges[name]
	if !ok {
		return client.MetricsNopHandler.Gauge(name)
	}
	return sdkGauge{known.vector.WithLabelValues(h.values(known.labels)...)}
}

// Timer returns the timer of that name.
func (h sdkHandler) Timer(name string) client.MetricsTimer {
	known, ok := h.timers[name]
	if !ok {
		return client.MetricsNopHandler.Timer(name)
	}
	return sdkTimer{known.vector.WithLabelValues(h.values(known.labels)...)}
}

type (
	sdkCounter struct{ prometheus.Counter }
	sdkGauge   struct{ prometheus.Gauge }
	sdkTimer   struct{ prometheus.Observer }
)

// Inc adds to the counter.
func (c sdkCounter) Inc(n int64) { c.Add(float64(n)) }

// Update sets the gauge.
func (g sdkGauge) Update(value float64) { g.Set(value) }

// Record notes a time.
func (t sdkTimer) Record(took time.Duration) { t.Observe(took.Seconds()) }
