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
	stats := models.Stats{}
	m := newMetrics([]string{"standard", "akol"}, func() models.Stats { return stats })
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
	stats = models.Stats{Commits: 2, Records: 7, Alone: 1, Waiting: 4, InFlight: 3}
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
	m := newMetrics([]string{"standard"}, func() models.Stats { return models.Stats{} })
	m.Requested("", "", http.StatusOK, 0)
	families, err := m.registry.Gather()
	require.NoError(t, err)
	exported := map[string]bool{}
	for _, family := range families {
		if strings.HasPrefix(family.GetName(), "posthaste_") {
			exported[family.GetName()] = true
		}
	}
	text, err := os.ReadFile("../../docs/architecture.md")
	require.NoError(t, err)
	documented := map[string]bool{}
	for _, match := range regexp.MustCompile("`(posthaste_[a-z_]+)`").FindAllStringSubmatch(string(text), -1) {
		documented[match[1]] = true
	}
	require.Equal(t, exported, documented)
}
