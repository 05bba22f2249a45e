package api

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"posthaste/models"
	"posthaste/models/modelstest"

	"github.com/stretchr/testify/require"
)

// What docs/benchmarks.md measures: a ledger that models/modelstest/load filled.
var (
	loadDatabase = flag.String("load-database", "", "measure the history of a webhook in this ledger")
	loadTenant   = flag.String("load-tenant", "load", "the webhook's tenant")
)

// pageBound is what a page may take, at any depth.
const pageBound = 20 * time.Millisecond

// TestLongHistory walks through the whole history of a webhook, page by page,
// with each filter, and tells how long pages took: by the API's handler, and by
// the store alone for one page in ten.
func TestLongHistory(t *testing.T) {
	t.Parallel()
	if *loadDatabase == "" {
		t.Skip("give -load-database to measure")
	}
	store := modelstest.OpenWith(t, models.Options{URL: *loadDatabase})
	w := &world{store: store, tenant: *loadTenant, ids: map[string]string{}}
	deps := validDeps(t)
	deps.Store = store
	handler, err := New(deps)
	require.NoError(t, err)
	w.handler = handler
	hooks, err := store.Webhooks(t.Context(), models.WebhookFilter{Tenant: w.tenant, Limit: models.MaxPage})
	require.NoError(t, err)
	require.NotEmpty(t, hooks.Items)
	id := hooks.Items[len(hooks.Items)-1].ID // the one that was loaded; TestDashboardOfLongHistory puts others beside it
	token := w.token(t, w.tenant)

	get := func(url string) (time.Duration, []byte) {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		request.Header.Set("Authorization", "Bearer "+token)
		recorder := httptest.NewRecorder()
		start := time.Now()
		handler.ServeHTTP(recorder, request)
		took := time.Since(start)
		require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
		return took, recorder.Body.Bytes()
	}
	var fresh []time.Duration
	for range 20 {
		fresh = append(fresh, freshPage(t, w.tenant, id))
	}
	tell(t, "first page of a connection", fresh, nil)
	yes, no := true, false
	for _, q := range []struct {
		query string
		store models.HistoryFilter
	}{
		{"", models.HistoryFilter{}},
		{"&success=true", models.HistoryFilter{Success: &yes}},
		{"&success=false", models.HistoryFilter{Success: &no}},
		{"&event=order.paid", models.HistoryFilter{EventType: "order.paid"}},
		{"&event=account.closed", models.HistoryFilter{EventType: "account.closed"}},
		{"&event=order.paid&success=false", models.HistoryFilter{EventType: "order.paid", Success: &no}},
		{"&event=account.closed&success=false", models.HistoryFilter{EventType: "account.closed", Success: &no}},
	} {
		var pages, alone []time.Duration
		cursor := ""
		for {
			took, body := get("/api/webhooks/" + id + "/history?limit=100" + q.query + "&cursor=" + cursor)
			pages = append(pages, took)
			if len(pages)%10 == 1 {
				q.store.Tenant, q.store.WebhookID, q.store.Limit, q.store.Cursor = w.tenant, id, 100, cursor
				start := time.Now()
				_, err := store.History(t.Context(), q.store)
				alone = append(alone, time.Since(start))
				require.NoError(t, err)
			}
			var page struct{ Pagination struct{ NextCursor string } }
			require.NoError(t, json.Unmarshal(body, &page))
			if cursor = page.Pagination.NextCursor; cursor == "" {
				break
			}
		}
		tell(t, "history "+q.query, pages, alone)
	}
	for _, url := range []string{
		"/api/webhooks/" + id + "/stats", "/api/webhooks/" + id + "/stats?step=day",
		"/api/webhooks/" + id + "/stats?since=" + time.Now().Add(-models.LongestHourly+time.Hour).UTC().Format(time.RFC3339),
		"/api/stats?since=" + time.Now().Add(-models.LongestHourly+time.Hour).UTC().Format(time.RFC3339),
		"/api/webhooks/" + id + "/stats?step=day&since=" + time.Now().Add(-models.LongestDaily+time.Hour).UTC().Format(time.RFC3339),
	} {
		var calls []time.Duration
		for range 50 {
			took, _ := get(url)
			calls = append(calls, took)
		}
		tell(t, url, calls, nil)
	}
}

// freshPage times the store's first page on a connection that has seen nothing.
func freshPage(t *testing.T, tenant, id string) time.Duration {
	t.Helper()
	store, err := models.Open(t.Context(), models.Options{URL: *loadDatabase, Sealer: modelstest.Sealer(), Now: time.Now})
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	start := time.Now()
	_, err = store.History(t.Context(), models.HistoryFilter{Tenant: tenant, WebhookID: id, Limit: 100})
	took := time.Since(start)
	require.NoError(t, err)
	return took
}

// tell prints a row of the table: the median around each depth, and the whole.
func tell(t *testing.T, name string, pages, alone []time.Duration) {
	t.Helper()
	at := func(share float64) time.Duration {
		middle := int(share * float64(len(pages)))
		return median(pages[max(0, middle-10):min(len(pages), middle+10)])
	}
	row := fmt.Sprintf("| %s | %d", name, len(pages))
	worst := time.Duration(0) // the slowest depth: one page alone tells more of the machine than of the depth
	for window := range slices.Chunk(pages, 20) {
		worst = max(worst, median(window))
	}
	for _, took := range []time.Duration{pages[0], at(0.1), at(0.5), at(0.99), worst, quantile(pages, 0.99), slices.Max(pages)} {
		row += " | " + millis(took)
	}
	if len(alone) > 0 {
		row += " | " + millis(median(alone)) + " | " + millis(quantile(alone, 0.99))
	}
	t.Log(row + " |")
	if worst > pageBound {
		t.Errorf("%s: somewhere pages take %s, more than %s", name, worst, pageBound)
	}
}

func millis(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond)) }

func median(list []time.Duration) time.Duration { return quantile(list, 0.5) }

func quantile(list []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
