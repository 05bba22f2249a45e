package bench

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// temporalMetrics is what a Temporal server shows, shortened.
const temporalMetrics = `# TYPE persistence_requests counter
persistence_requests{namespace="all",operation="CreateWorkflowExecution",service_name="history"} 10
persistence_requests{operation="CreateWorkflowExecution",service_name="frontend"} 2
persistence_requests{operation="UpdateWorkflowExecution",service_name="history"} 12
persistence_requests{operation="RangeCompleteTimerTasks",service_name="history"} 3
persistence_requests{operation="GetWorkflowExecution",service_name="history"} 400
persistence_requests{operation="ReadHistoryBranch",service_name="history"} 400
persistence_requests{operation="ListClusterMetadata",service_name="history"} 400
persistence_requests{operation="AssertShardOwnership",service_name="history"} 400
visibility_persistence_requests{operation="RecordWorkflowExecutionStarted"} 12
visibility_persistence_requests{operation="ListWorkflowExecutions"} 400
persistence_latency_sum{operation="UpdateWorkflowExecution"} 4e+06
`

func serves(t *testing.T, status int, text string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestWritesAreWhatIsNotARead(t *testing.T) {
	t.Parallel()
	c := newCaller()
	w, err := c.readWrites(t.Context(), serves(t, http.StatusOK, temporalMetrics))
	require.NoError(t, err)
	require.Equal(t, writes{visibility: 12, byOperation: map[string]float64{
		"CreateWorkflowExecution": 12, "UpdateWorkflowExecution": 12, "RangeCompleteTimerTasks": 3,
	}}, w)

	w, err = c.readWrites(t.Context(), serves(t, http.StatusOK, "go_goroutines 3\npersistence_requests_total{operation=\"CreateTasks\"} 3\n"))
	require.NoError(t, err)
	require.Equal(t, writes{byOperation: map[string]float64{"CreateTasks": 3}}, w)
	w, err = c.readWrites(t.Context(), serves(t, http.StatusOK, "go_goroutines 3\n"))
	require.NoError(t, err)
	require.Nil(t, w.byOperation, "unknown is not 0")
	_, err = c.readWrites(t.Context(), serves(t, http.StatusNotFound, temporalMetrics))
	require.ErrorContains(t, err, "404")
}

func TestGaugesAreAddedUp(t *testing.T) {
	t.Parallel()
	g, err := newCaller().readGauges(t.Context(), serves(t, http.StatusOK, `process_resident_memory_bytes 1.5e+07
go_goroutines 42
go_memstats_heap_alloc_bytes 8e+06
go_memstats_stack_inuse_bytes 1e+06
go_gc_duration_seconds{quantile="0"} 5e-05
go_gc_duration_seconds_count 12
process_cpu_seconds_total 1.25
posthaste_lane_in_flight{lane="fast"} 3
posthaste_lane_in_flight{lane="durable"} 4
`))
	require.NoError(t, err)
	require.Equal(t, gauges{RSS: 15e6, InUse: 9e6, Collected: 12, Goroutines: 42, CPU: 1.25, Posting: 7}, g)
}

// A process that used nothing has a figure too: without it, its rounds would not
// be those of what it is compared with.
func TestCostsAreOfWhatCouldBeLookedAt(t *testing.T) {
	t.Parallel()
	before := usage{cpu: map[string]float64{posthaste: 1, itself: 2}, writes: writes{visibility: 10, byOperation: map[string]float64{"Update": 5}}}
	after := usage{cpu: map[string]float64{posthaste: 1, itself: 4}, writes: writes{visibility: 30, byOperation: map[string]float64{"Update": 15, "Create": 10}}}
	require.Equal(t, []cost{
		{what: "CPU of Posthaste", unit: "ms/event"},
		{what: "CPU of the bench", unit: "ms/event", each: 200},
		{what: "writes of Temporal", unit: "/event", each: 2},
		{what: "writes of Temporal to visibility", unit: "/event", each: 2, detail: true},
		{what: "writes of Temporal by Create", unit: "/event", each: 1, detail: true},
		{what: "writes of Temporal by Update", unit: "/event", each: 1, detail: true},
	}, after.since(before, 10))
	require.Equal(t, []cost{{what: "CPU of Temporal", unit: "ms/event", each: 100}, {what: "CPU of PostgreSQL", unit: "ms/event", each: 300}},
		usage{cpu: map[string]float64{postgres: 5, temporal: 1}}.since(usage{cpu: map[string]float64{postgres: 2}}, 10))
	require.Len(t, usage{cpu: after.cpu}.since(before, 10), 2, "nobody said what was written")
	require.Len(t, after.since(usage{cpu: before.cpu}, 10), 2, "nobody had said before")
}

func TestHighestLooksWhereTheEventsWere(t *testing.T) {
	t.Parallel()
	samples := []sample{
		{events: 0, gauges: gauges{RSS: 90, Goroutines: 9}},
		{events: 10, gauges: gauges{RSS: 5, Goroutines: 7}},
		{events: 30, gauges: gauges{RSS: 6, Goroutines: 4}},
		{events: 100, gauges: gauges{RSS: 8, Goroutines: 1}},
	}
	most, looked := highest(samples, 10, 30)
	require.True(t, looked)
	require.Equal(t, gauges{RSS: 6, Goroutines: 7}, most)
	most, looked = highest(samples, 40, 60)
	require.False(t, looked, "what was seen before or after says nothing of it")
	require.Zero(t, most)
}

// post sends one POST to the receiver and returns the status; 0 when it fails.
func post(t *testing.T, url, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestReceiverDoesAsTheURLSays(t *testing.T) {
	t.Parallel()
	r, err := startReceiver(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.stop()) })
	f := newFlow(1)
	url := r.add(f)
	f.begin(3, f.now(), nil)
	event := func(n int) string { return fmt.Sprintf(`{"data":{"n":%d}}`, n) }

	require.Equal(t, http.StatusNoContent, post(t, url(0, takes), event(0)))
	for _, want := range []int{http.StatusInternalServerError, http.StatusInternalServerError, http.StatusNoContent} {
		require.Equal(t, want, post(t, url(0, failsTwice), event(1)))
	}
	require.Equal(t, http.StatusInternalServerError, post(t, url(0, fails), event(2)))
	require.EqualValues(t, 5, f.posts.Load())
	require.Equal(t, http.StatusNoContent, post(t, url(1, passes), event(0)), "one past those that count")
	require.Equal(t, http.StatusBadRequest, post(t, url(1, takes), event(0)))
	require.Equal(t, http.StatusBadRequest, post(t, url(0, takes), event(3)), "nobody sent it")
	require.Equal(t, http.StatusNotFound, post(t, r.base+"/7/0/takes", event(0)))
	require.EqualValues(t, 5, f.posts.Load())
	require.Equal(t, Verdict{Refused: 3}, f.verdict())

	released := make(chan int)
	go func() { released <- post(t, url(0, hangs), event(0)) }()
	select {
	case <-released:
		require.Fail(t, "it did not hang")
	case <-time.After(100 * time.Millisecond):
	}
	r.cut(f)
	require.Equal(t, http.StatusInternalServerError, <-released)
	require.Equal(t, http.StatusInternalServerError, post(t, url(0, hangs), event(0)), "nothing hangs until it may again")
}
