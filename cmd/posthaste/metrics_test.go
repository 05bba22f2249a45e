package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"posthaste/api"
	"posthaste/models"
	"posthaste/webhook"
)

func scrapeHandler(t *testing.T, handler http.Handler) []string {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	require.Contains(t, recorder.Header().Get("Content-Type"), "text/plain")
	return strings.Split(recorder.Body.String(), "\n")
}

func TestMetricsBeginAtZeroAndCount(t *testing.T) {
	t.Parallel()
	stats := models.RecorderStats{}
	m := newMetrics([]string{"standard", "akol"}, func() models.RecorderStats { return stats })
	handler := probes([]api.Check{}, m.handler(slog.New(slog.DiscardHandler)), slog.New(slog.DiscardHandler))

	require.Subset(t, scrapeHandler(t, handler), []string{
		`posthaste_events_accepted_total{provider="akol"} 0`,
		`posthaste_attempts_total{outcome="delivered",provider="akol"} 0`,
		`posthaste_attempts_total{outcome="retry",provider="standard"} 0`,
		`posthaste_attempts_total{outcome="rejected",provider="standard"} 0`,
		`posthaste_attempts_total{outcome="gone",provider="standard"} 0`,
		`posthaste_attempts_total{outcome="unknown",provider="standard"} 0`,
		`posthaste_attempt_duration_seconds_count{provider="standard"} 0`,
		`posthaste_ledger_commits_total 0`,
		`posthaste_http_shed_total 0`,
	})

	m.Accepted("akol")
	m.Attempted("akol", webhook.Delivered, 30*time.Millisecond)
	m.Attempted("akol", webhook.Unknown, 0)
	m.Requested(http.MethodGet, "/api/events/:id", 404, 3*time.Millisecond)
	m.Requested("", "", 404, time.Millisecond)
	m.Shed()
	stats = models.RecorderStats{Commits: 2, Records: 7, Alone: 1, Waiting: 4, InFlight: 3}
	require.Subset(t, scrapeHandler(t, handler), []string{
		`posthaste_events_accepted_total{provider="akol"} 1`,
		`posthaste_attempts_total{outcome="delivered",provider="akol"} 1`,
		`posthaste_attempts_total{outcome="unknown",provider="akol"} 1`,
		`posthaste_attempt_duration_seconds_bucket{provider="akol",le="0.025"} 0`,
		`posthaste_attempt_duration_seconds_bucket{provider="akol",le="0.05"} 1`,
		`posthaste_attempt_duration_seconds_count{provider="akol"} 1`,
		`posthaste_http_requests_total{method="GET",route="/api/events/:id",status="4xx"} 1`,
		`posthaste_http_requests_total{method="",route="",status="4xx"} 1`,
		`posthaste_http_request_duration_seconds_count{method="GET",route="/api/events/:id"} 1`,
		`posthaste_http_shed_total 1`,
		`posthaste_ledger_commits_total 2`,
		`posthaste_ledger_records_total 7`,
		`posthaste_ledger_records_alone_total 1`,
		`posthaste_ledger_records_waiting 4`,
		`posthaste_ledger_records_in_flight 3`,
	})
}

// TestEveryMetricIsDocumented holds the table of docs/architecture.md to what is
// exported, both ways.
func TestEveryMetricIsDocumented(t *testing.T) {
	t.Parallel()
	m := newMetrics([]string{"standard"}, func() models.RecorderStats { return models.RecorderStats{} })
	descriptions := make(chan *prometheus.Desc, 1000)
	m.registry.Describe(descriptions)
	close(descriptions)
	described := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	exported := map[string]string{}
	for description := range descriptions {
		found := described.FindStringSubmatch(description.String())
		require.NotNil(t, found, description)
		if name := found[1]; strings.HasPrefix(name, "posthaste_") || strings.HasPrefix(name, "temporal_") {
			exported[name] = strings.ReplaceAll(found[2], ",", ", ")
		}
	}
	require.Greater(t, len(exported), 30)
	text, err := os.ReadFile("../../docs/architecture.md")
	require.NoError(t, err)
	documented := map[string]string{}
	row := regexp.MustCompile("(?m)^\\| `((?:posthaste|temporal)_[a-z_]+)` \\| (counter|gauge|histogram) \\| ([a-z_, ]*?) ?\\|")
	for _, match := range row.FindAllStringSubmatch(string(text), -1) {
		documented[match[1]] = match[3]
		require.Equal(t, match[2] == "counter", strings.HasSuffix(match[1], "_total"), match[1])
		require.Equal(t, match[2] == "histogram", strings.HasSuffix(match[1], "_seconds"), match[1])
	}
	require.Equal(t, exported, documented)
}
