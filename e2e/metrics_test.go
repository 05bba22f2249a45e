package e2e

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scrape reads a process's metrics as Prometheus does, line by line.
func (sys *system) scrape(base string) []string {
	sys.t.Helper()
	return metricsAt(sys.t, base+"/metrics")
}

// metricsAt reads metrics, whosesoever they are, line by line.
func metricsAt(t *testing.T, url string) []string {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", text)
	require.Contains(t, response.Header.Get("Content-Type"), "text/plain")
	return strings.Split(string(text), "\n")
}

// awaitMeasured waits for lines among the metrics: a delivery can be read the
// moment before its transaction is counted.
func (sys *system) awaitMeasured(base string, want []string) {
	sys.t.Helper()
	for range 100 {
		if got := sys.scrape(base); !slices.ContainsFunc(want, func(line string) bool { return !slices.Contains(got, line) }) {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	require.Subset(sys.t, sys.scrape(base), want)
}

// measuredAtTheDoor and measuredAtWork are what one delivered event leaves in
// the metrics of the process that took it and of the one that sent it.
var (
	measuredAtTheDoor = []string{
		`posthaste_events_accepted_total{provider="standard"} 1`,
		`posthaste_events_accepted_total{provider="aktify"} 0`,
		`posthaste_http_requests_total{method="POST",route="/api/events",status="2xx"} 1`,
		`posthaste_http_requests_total{method="POST",route="/api/webhooks",status="2xx"} 1`,
		`posthaste_http_requests_total{method="",route="",status="4xx"} 1`,
		`posthaste_http_request_duration_seconds_count{method="POST",route="/api/events"} 1`,
	}
	measuredAtWork = []string{
		`posthaste_attempts_total{outcome="delivered",provider="standard"} 1`,
		`posthaste_attempts_total{outcome="retry",provider="standard"} 0`,
		`posthaste_attempt_duration_seconds_count{provider="standard"} 1`,
		`posthaste_ledger_commits_total 1`,
		`posthaste_ledger_records_total 1`,
		`posthaste_ledger_records_waiting 0`,
		`posthaste_ledger_records_in_flight 0`,
		`posthaste_lane_attempts_total{lane="fast"} 1`,
		`posthaste_lane_attempts_total{lane="durable"} 0`,
		`posthaste_lane_in_flight{lane="fast"} 0`,
		`posthaste_lane_deferred_total{lane="fast",reason="fitness"} 0`,
		`posthaste_fast_slot_wait_seconds_count 1`,
		`posthaste_breakers_open 0`,
		`posthaste_check_failing{check="database"} 0`,
		`temporal_workflow_completed_total{workflow_type="DeliverEvent"} 1`,
		`temporal_local_activity_execution_latency_seconds_count{activity_type="Deliver"} 1`,
	}
)

// deliverOne delivers one event and asks for one route that does not exist.
func (sys *system) deliverOne() {
	sys.t.Helper()
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL)
	event := sys.enqueue(paid)
	sys.awaitStates(event.ID, 20*time.Second, "delivered")
	code, _ := sys.call("GET", "/api/no-such-route", "")
	require.Equal(sys.t, http.StatusNotFound, code)
}

func TestMetricsOfOneProcess(t *testing.T) {
	t.Parallel()
	sys := up(t, settings{})
	sys.deliverOne()
	sys.awaitMeasured(sys.api, measuredAtTheDoor)
	sys.awaitMeasured(sys.api, measuredAtWork)
	text := strings.Join(sys.scrape(sys.api), "\n")
	require.Contains(t, text, "\ngo_goroutines ")
	for _, series := range []string{ // the SDK's names as we know them
		`temporal_request_total{operation="StartWorkflowExecution"}`, `temporal_request_latency_seconds_count{operation="RespondWorkflowTaskCompleted"}`,
		`temporal_workflow_endtoend_latency_seconds_count{workflow_type="DeliverEvent"}`, `temporal_workflow_task_execution_latency_seconds_count `,
		`temporal_worker_task_slots_available{worker_type="ActivityWorker"}`, `temporal_worker_task_slots_used{worker_type="WorkflowWorker"}`,
		`temporal_num_pollers{poller_type="activity_task"}`, `temporal_sticky_cache_size `,
	} {
		require.Contains(t, text, "\n"+series)
	}
	require.Contains(t, text, "\nprocess_open_fds ")
	require.NotContains(t, text, sys.tenant, "no label names a tenant")
}

func TestMetricsOfTwoProcesses(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{}).as(t, "acme")
	worker := fmt.Sprintf("127.0.0.1:%d", freePort())
	sys.start("worker", "POSTHASTE_HTTP_ADDR="+worker)
	sys.start("api").awaitReady()
	sys.deliverOne()
	sys.awaitMeasured(sys.api, measuredAtTheDoor)
	sys.awaitMeasured("http://"+worker, measuredAtWork)
	require.Contains(t, sys.scrape(sys.api), `posthaste_attempts_total{outcome="delivered",provider="standard"} 0`)
}

func TestDocumentationIsServed(t *testing.T) {
	t.Parallel()
	sys := up(t, settings{})
	for path, want := range map[string]string{
		"/api/docs": "text/html", "/api/docs/swagger-ui-bundle.js": "text/javascript", "/api/openapi.yaml": "application/yaml",
	} {
		response, err := http.Get(sys.api + path)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode, path)
		require.Contains(t, response.Header.Get("Content-Type"), want)
	}
	head, err := http.Head(sys.api + "/healthz") // as load balancers ask
	require.NoError(t, err)
	require.NoError(t, head.Body.Close())
	require.Equal(t, http.StatusOK, head.StatusCode)
}
