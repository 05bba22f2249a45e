package main

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/activities"
	"posthaste/models"
)

func TestLanesAreMeasured(t *testing.T) {
	t.Parallel()
	m := newMetrics([]string{"standard"}, func() models.RecorderStats { return models.RecorderStats{} })
	handler := m.handler(slog.New(slog.DiscardHandler))
	require.Subset(t, scrapeHandler(t, handler), []string{
		`posthaste_lane_attempts_total{lane="durable"} 0`,
		`posthaste_lane_deferred_total{lane="durable",reason="breaker"} 0`,
		`posthaste_breakers_open 0`,
	})
	ended := m.Posting(activities.LaneFast)
	m.Posting(activities.LaneFast)
	ended()
	m.Deferred(activities.LaneDurable, activities.DeferredShare)
	m.WaitedFast(30 * time.Millisecond)
	m.BreakerOpened()
	m.BreakerOpened()
	m.BreakerClosed()
	require.Subset(t, scrapeHandler(t, handler), []string{
		`posthaste_lane_attempts_total{lane="fast"} 2`,
		`posthaste_lane_in_flight{lane="fast"} 1`,
		`posthaste_lane_deferred_total{lane="durable",reason="share"} 1`,
		`posthaste_fast_slot_wait_seconds_bucket{le="0.025"} 0`,
		`posthaste_fast_slot_wait_seconds_bucket{le="0.05"} 1`,
		`posthaste_breakers_open 1`,
	})
}

// TestTemporalLabelsAreBounded: what the SDK adds beside the labels that we keep
// makes no series, and a metric that we do not list makes none either.
func TestTemporalLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := newMetrics(nil, func() models.RecorderStats { return models.RecorderStats{} })
	handler := m.temporal.handler().WithTags(map[string]string{"namespace": "default", "client_name": "temporal_go"})
	for _, queue := range []string{"a", "b:123", "c:456"} {
		tagged := handler.WithTags(map[string]string{"task_queue": queue, "operation": "StartWorkflowExecution", "workflow_type": "DeliverEvent"})
		tagged.Counter("temporal_request").Inc(2)
		tagged.Timer("temporal_request_latency").Record(20 * time.Millisecond)
		tagged.WithTags(map[string]string{"worker_type": "ActivityWorker"}).Gauge("temporal_worker_task_slots_used").Update(7)
		for _, unknown := range []string{"temporal_of_tomorrow", ""} {
			tagged.Counter(unknown).Inc(1)
			tagged.Gauge(unknown).Update(1)
			tagged.Timer(unknown).Record(time.Second)
		}
	}
	series := scrapeHandler(t, m.handler(slog.New(slog.DiscardHandler)))
	require.Subset(t, series, []string{
		`temporal_request_total{operation="StartWorkflowExecution"} 6`,
		`temporal_request_latency_seconds_bucket{operation="StartWorkflowExecution",le="0.025"} 3`,
		`temporal_worker_task_slots_used{worker_type="ActivityWorker"} 7`,
	})
	for _, line := range series {
		require.NotContains(t, line, "task_queue")
		require.NotContains(t, line, "of_tomorrow")
	}
}
