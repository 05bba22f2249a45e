package e2e

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// traceCollector takes spans as OTLP over HTTP.
type traceCollector struct {
	*httptest.Server
	t        *testing.T
	mu       sync.Mutex
	spans    []*tracepb.Span
	services []string
	raw      strings.Builder
}

func newTraceCollector(t *testing.T) *traceCollector {
	t.Helper()
	c := &traceCollector{t: t}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *traceCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, resource := range request.GetResourceSpans() {
		for _, attribute := range resource.GetResource().GetAttributes() {
			if attribute.GetKey() == "service.name" {
				c.services = append(c.services, attribute.GetValue().GetStringValue())
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// of returns the spans of a trace by name, and fails when two have one name.
func (c *traceCollector) of(trace string) map[string]*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]*tracepb.Span{}
	for _, span := range c.spans {
		if hex.EncodeToString(span.GetTraceId()) == trace {
			found[span.GetName()] = span
		}
	}
	return found
}

// attributes are a span's, as text or number.
func attributes(span *tracepb.Span) map[string]any {
	found := map[string]any{}
	for _, attribute := range span.GetAttributes() {
		switch value := attribute.GetValue(); {
		case value.GetStringValue() != "":
			found[attribute.GetKey()] = value.GetStringValue()
		default:
			found[attribute.GetKey()] = value.GetIntValue()
		}
	}
	return found
}

const (
	callersTrace = "4bf92f3577b34da6a3ce929d0e0e4736"
	callersSpan  = "00f067aa0ba902b7"
)

func TestOneEventIsOneTrace(t *testing.T) {
	t.Parallel()
	spans, rec := newTraceCollector(t), newReceiver(t, statuses(204))
	sys := install(t, settings{env: []string{
		"POSTHASTE_OTLP_ENDPOINT=" + spans.URL, "POSTHASTE_TRACE_RECEIVERS=true", "OTEL_BSP_SCHEDULE_DELAY=100",
	}})
	process := sys.start("all").awaitReady()
	w := sys.createWebhook(rec.URL + "/hooks/path-of-its-own?token=query-of-its-own")
	event := sys.enqueue(paid, "traceparent", "00-"+callersTrace+"-"+callersSpan+"-01", "tracestate", "vendor=callers-own-words")
	sys.awaitStates(event.ID, 20*time.Second, "delivered")

	// What begets what, from the caller's own span to the POST.
	chain := []string{"POST /api/events", "StartWorkflow:DeliverEvent", "RunWorkflow:DeliverEvent", "StartActivity:Deliver", "RunActivity:Deliver", "POST"}
	sys.await("the spans", 20*time.Second, func() bool {
		found := spans.of(callersTrace)
		for _, name := range chain {
			if found[name] == nil {
				return false
			}
		}
		return true
	})
	found, parent := spans.of(callersTrace), callersSpan
	for _, name := range chain {
		require.Equal(t, parent, hex.EncodeToString(found[name].GetParentSpanId()), "the parent of %s", name)
		parent = hex.EncodeToString(found[name].GetSpanId())
	}
	require.Contains(t, found, "RunActivity:ResolveSubscriptions")

	post := attributes(found["POST"])
	require.Equal(t, map[string]any{
		"http.request.method": "POST", "server.address": rec.Listener.Addr().String(), "http.response.status_code": int64(204),
		"posthaste.tenant": "acme", "posthaste.provider": "standard", "posthaste.event": event.ID, "posthaste.webhook": w.ID,
		"posthaste.delivery": post["posthaste.delivery"], "posthaste.attempt": int64(1), "posthaste.lane": "fast", "posthaste.outcome": "delivered",
	}, post)
	require.Equal(t, "00-"+callersTrace+"-"+parent+"-01", rec.all()[0].header.Get("traceparent"))
	require.Empty(t, rec.all()[0].header.Get("tracestate"))
	spans.mu.Lock()
	require.Contains(t, spans.services, "posthaste")
	for _, secret := range []string{"path-of-its-own", "query-of-its-own", "ord_1", w.Secret, sys.token, "callers-own-words"} {
		require.NotContains(t, spans.raw.String(), secret)
	}
	spans.mu.Unlock()

	// The start is as eager as without.
	history := events(t, sys.temporalClient(), "event/acme/"+event.ID)
	require.True(t, history[0].GetWorkflowExecutionStartedEventAttributes().GetEagerExecutionAccepted())
	header := history[0].GetWorkflowExecutionStartedEventAttributes().GetHeader().GetFields()
	require.Len(t, header, 1)
	require.Regexp(t, `^\{"traceparent":"00-`+callersTrace+`-[0-9a-f]{16}-01"\}$`, string(header["_tracer-data"].GetData()))

	for _, line := range process.lines("attempt", "request") {
		if line["event"] == event.ID || line["path"] == "/api/events" {
			require.Equal(t, callersTrace, line["traceId"], "%v", line)
		}
	}
}

func TestFailedPostIsAFailedSpan(t *testing.T) {
	t.Parallel()
	spans, rec := newTraceCollector(t), newReceiver(t, status(503))
	sys := up(t, settings{env: []string{"POSTHASTE_OTLP_ENDPOINT=" + spans.URL + "/", "OTEL_BSP_SCHEDULE_DELAY=100"}})
	sys.createWebhook(rec.URL, `"retry":{"mode":"never"}`)
	event := sys.enqueue(paid, "traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
	sys.awaitStates(event.ID, 20*time.Second, "failed")
	sys.await("the span", 20*time.Second, func() bool { return spans.of(callersTrace)["POST"] != nil })
	post := spans.of(callersTrace)["POST"]
	require.Equal(t, tracepb.Status_STATUS_CODE_ERROR, post.GetStatus().GetCode())
	require.Equal(t, "server_error", attributes(post)["error.type"])
	require.Equal(t, int64(503), attributes(post)["http.response.status_code"])
	require.Empty(t, rec.all()[0].header.Get("traceparent"), "receivers are not told unless it is asked for")
}

func TestWithoutACollectorNothingIsTraced(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{}), newReceiver(t, nil)
	process := sys.start("all").awaitReady()
	sys.createWebhook(rec.URL)
	event := sys.enqueue(paid, "traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
	sys.awaitStates(event.ID, 20*time.Second, "delivered")
	require.Empty(t, rec.all()[0].header.Get("traceparent"))
	history := events(t, sys.temporalClient(), "event/acme/"+event.ID)
	require.Empty(t, history[0].GetWorkflowExecutionStartedEventAttributes().GetHeader().GetFields())
	lines := process.lines("attempt")
	require.Len(t, lines, 1)
	require.NotContains(t, lines[0], "traceId")
}

// lines returns the lines of a process's log with one of these messages.
func (p *process) lines(messages ...string) []map[string]any {
	p.sys.t.Helper()
	file, err := os.Open(p.log)
	require.NoError(p.sys.t, err)
	defer func() { _ = file.Close() }()
	var found []map[string]any
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		var line map[string]any
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			continue
		}
		for _, message := range messages {
			if line["msg"] == message {
				found = append(found, line)
			}
		}
	}
	return found
}

func TestACollectorThatIsAwayHarmsNothing(t *testing.T) {
	t.Parallel()
	rec := newReceiver(t, nil)
	gone := newTraceCollector(t)
	gone.Close()
	sys := install(t, settings{env: []string{"POSTHASTE_OTLP_ENDPOINT=" + gone.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}})
	process := sys.start("all").awaitReady()
	sys.createWebhook(rec.URL)
	sys.awaitStates(sys.enqueue(paid).ID, 20*time.Second, "delivered")
	process.stop() // with exit code 0
	require.NotEmpty(t, process.lines("spans are lost"))
}
