package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// standIn answers as Posthaste does and sends each event to the webhooks of its
// type, until they take it. It shows whether the scenarios are put together
// right; the e2e test runs them against the real one.
type standIn struct {
	t        *testing.T
	mu       sync.Mutex
	made     int
	webhooks map[string]hook
	posting  atomic.Int64
	keys     map[string]int // requests of each Idempotency-Key
	busy     atomic.Int64   // so many requests are turned away first
	broken   atomic.Bool    // events are refused for good
	looks    atomic.Int64   // requests for metrics
}

type hook struct{ kind, url string }

func (a *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch id, isDelete := strings.CutPrefix(r.URL.Path, "/api/webhooks/"); {
	case isDelete:
		a.mu.Lock()
		delete(a.webhooks, id)
		a.mu.Unlock()
	case r.URL.Path == "/api/webhooks":
		var asked struct {
			URL    string
			Events []string
		}
		if json.Unmarshal(body, &asked) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		a.mu.Lock()
		a.made++
		a.webhooks[fmt.Sprint(a.made)] = hook{asked.Events[0], asked.URL}
		fmt.Fprintf(w, `{"data":{"id":"%d"}}`, a.made)
		a.mu.Unlock()
	case r.URL.Path == "/metrics":
		// A third of the looks is right after a collection, when less is in use.
		looks := a.looks.Add(1)
		fmt.Fprintf(w, "process_resident_memory_bytes 1e+06\ngo_goroutines 9\nposthaste_lane_in_flight{} %d\n", a.posting.Load())
		fmt.Fprintf(w, "go_memstats_heap_alloc_bytes %d\ngo_gc_duration_seconds_count %d\n", 5000+looks%3*1000, looks/3)
	case a.broken.Load():
		w.WriteHeader(http.StatusForbidden)
	case a.busy.Add(-1) >= 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	default:
		a.mu.Lock()
		a.keys[r.Header.Get("Idempotency-Key")]++
		a.mu.Unlock()
		a.accept(body)
		w.WriteHeader(http.StatusAccepted)
	}
}

func (a *standIn) accept(body []byte) {
	_, list, isBatch := bytes.Cut(body, []byte(`{"events":[`))
	if !isBatch {
		list = body
	}
	for _, event := range bytes.SplitAfter(list, []byte(`"}}`)) {
		var read struct{ Type string }
		event = bytes.TrimPrefix(event, []byte(","))
		if json.Unmarshal(event, &read) != nil {
			continue // the end of the list
		}
		for id, url := range a.hooksOf(read.Type) {
			go a.deliver(id, url, event)
		}
	}
}

func (a *standIn) hooksOf(kind string) map[string]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	urls := map[string]string{}
	for id, h := range a.webhooks {
		if h.kind == kind {
			urls[id] = h.url
		}
	}
	return urls
}

func (a *standIn) deliver(id, url string, event []byte) {
	a.posting.Add(1)
	defer a.posting.Add(-1)
	for range 3 {
		request, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, url, bytes.NewReader(event))
		if err != nil {
			return
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return // the test is over
		}
		_ = response.Body.Close()
		a.mu.Lock()
		_, there := a.webhooks[id]
		a.mu.Unlock()
		if response.StatusCode/100 == 2 || !there {
			return
		}
	}
}

// stage serves the stand-in as if the bench had started it.
func (a *standIn) stage() Stage {
	server := httptest.NewServer(a)
	a.t.Cleanup(server.Close)
	s := Server{API: server.URL, Token: func(string) (string, error) { return "token", nil }}
	return Stage{Serve: func(ctx context.Context, _ int) (Server, error) { return s, ctx.Err() }, Remote: &s}
}

func newStandIn(t *testing.T) *standIn {
	return &standIn{t: t, webhooks: map[string]hook{}, keys: map[string]int{}}
}

func quick(scenario string) Options {
	return Options{Quick: true, Scenarios: []string{scenario}, Receiver: "127.0.0.1:0", Progress: io.Discard}
}

func TestScenariosMeasureWhatTheySay(t *testing.T) {
	t.Parallel()
	for scenario, figures := range map[string][]string{
		"batch":     {"events, one in a request", "events", "events: p50", "events: CPU of the bench"},
		"coalesced": {"events, each with a key", "events"},
		"fanout":    {"deliveries, 1 event to 100", "deliveries, 1 event to 10: p99"},
		"neighbour": {"quiet tenant alone: p50", "beside one that answers: p50", "beside one that hangs: p99", "goroutines beside one that hangs"},
		"hanging":   {"nine of ten, all answer", "nine of ten, one hangs", "nine of ten, one hangs: p99"},
		"storm":     {"none fails: all delivered after", "each fails twice: all delivered after", "each fails twice: attempts of a delivery"},
		"memory":    {"memory before", "memory from 80 to 100 %", "goroutines from 80 to 100 %", "deliveries that wait", "memory while they wait"},
	} {
		t.Run(scenario, func(t *testing.T) {
			t.Parallel()
			a := newStandIn(t)
			a.busy.Store(3)
			stage := a.stage()
			stage.Remote = nil
			report, err := Run(t.Context(), quick(scenario), stage)
			require.NoError(t, err)
			rows, refused := map[string]*Row{}, int64(0)
			for _, row := range report.Rows {
				require.Len(t, row.Rounds, 1, row.Figure)
				rows[row.Figure], refused = row, refused+row.Refused
			}
			if scenario != "storm" && scenario != "memory" {
				require.Positive(t, refused, "a rate or a latency tells what is not in it")
			}
			for _, figure := range figures {
				require.Contains(t, rows, figure)
				require.Positive(t, rows[figure].Median, figure)
			}
			v := report.Verdicts[scenario]
			require.Positive(t, v.Expected)
			require.Positive(t, v.Refused, "it was busy at first")
			require.Zero(t, v.Lost)
			require.Zero(t, v.Duplicates)
			if scenario == "storm" {
				require.InDelta(t, 3, rows["each fails twice: attempts of a delivery"].Median, 1e-9, "what was refused is no delivery")
			}
			if scenario == "memory" {
				require.InDelta(t, 5000.0/mebibyte, rows["in use before they wait"].Median, 1e-9, "without the garbage")
				require.Zero(t, rows[eachWaits].Median)
			}
			requireKeys(t, a.keys, scenario == "coalesced")
		})
	}
}

// requireKeys holds that only where it is meant to an event has a key, and then
// one of its own.
func requireKeys(t *testing.T, requests map[string]int, meant bool) {
	t.Helper()
	require.Positive(t, requests[""], "events without a key")
	delete(requests, "")
	require.Equal(t, meant, len(requests) > 0)
	for key, times := range requests {
		require.Equal(t, 1, times, key)
	}
}

// A Posthaste that is not ours must not keep webhooks of a bench that failed.
func TestNothingIsLeftAtAPosthasteThatIsNotOurs(t *testing.T) {
	t.Parallel()
	a := newStandIn(t)
	a.broken.Store(true)
	_, err := Run(t.Context(), quick("batch"), a.stage())
	require.ErrorContains(t, err, "403")
	require.Positive(t, a.made)
	require.Empty(t, a.webhooks)

	a.broken.Store(false)
	_, err = Run(t.Context(), quick("batch"), a.stage())
	require.NoError(t, err)
	require.Empty(t, a.webhooks)
}

// What a load measures must not be what the one before it left, nor what has not
// begun yet.
func TestLoadsBeginWhereOthersEnded(t *testing.T) {
	t.Parallel()
	options := quick("hanging")
	stage := newStandIn(t).stage()
	receiver, err := startReceiver(t.Context(), options.Receiver)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, receiver.stop()) })
	b := &bench{Options: options, sizes: options.sizes(), caller: newCaller(), receiver: receiver, server: stage.Remote}
	s, err := b.open(t.Context(), 1, takes, nil)
	require.NoError(t, err)

	w, err := b.opened(t.Context(), "idle", openLoad{flow: s.flow, begin: s.single, perSecond: 50})
	require.NoError(t, err)
	require.GreaterOrEqual(t, s.now()-w.lastArrival(), int64(quickAftermath), "it comes to rest")

	began := s.now()
	w, err = b.besideTenth(t.Context(), s, passes)
	require.NoError(t, err)
	require.GreaterOrEqual(t, w.began-began, int64(b.buildUp), "what hangs would have piled up")
	require.GreaterOrEqual(t, s.now()-w.lastArrival(), int64(quickAftermath))
}
