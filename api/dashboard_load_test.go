package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"posthaste/models"
	"posthaste/models/modelstest"

	"github.com/stretchr/testify/require"
)

const (
	// dashboardBound is what a page of the dashboard may take.
	dashboardBound = 100 * time.Millisecond
	// hooksBeside are the webhooks that fill the list, beside the one with the
	// long history.
	hooksBeside = 24
	pageCalls   = 40
)

// TestDashboardOfLongHistory asks for each page of the dashboard over a ledger
// with a long history, and tells how long each took.
func TestDashboardOfLongHistory(t *testing.T) {
	t.Parallel()
	if *loadDatabase == "" {
		t.Skip("give -load-database to measure")
	}
	store := modelstest.OpenWith(t, models.Options{URL: *loadDatabase, Now: time.Now})
	w := &world{store: store, tenant: *loadTenant, deps: validDeps(t)}
	w.deps.Store, w.deps.Now = store, time.Now
	w.build(t)
	b := newBrowser(w)
	token, err := MintToken(TokenRules{Secret: testSecret}, Grant{Tenant: w.tenant, TTL: time.Hour}, time.Now())
	require.NoError(t, err)
	b.signIn(t, token, http.StatusSeeOther)
	for _, page := range longPages(t, store, longWebhook(t, store)) {
		var took []time.Duration
		size := 0
		for range pageCalls {
			start := time.Now()
			got := b.get(t, page.path)
			took = append(took, time.Since(start))
			require.Equal(t, http.StatusOK, got.status, page.path)
			size = len(got.body)
		}
		t.Logf("| %s | %s | %s | %s | %s | %d |", page.name, millis(took[0]), millis(median(took)), millis(quantile(took, 0.95)), millis(slices.Max(took)), size>>10)
		if median(took) > dashboardBound {
			t.Errorf("%s takes %s, more than %s", page.name, median(took), dashboardBound)
		}
	}
}

// longWebhook returns the webhook with the history, which is the first that the
// tenant made, and fills the list with others.
func longWebhook(t *testing.T, store *models.Store) models.Webhook {
	t.Helper()
	list := func() []models.Webhook {
		found, err := store.Webhooks(t.Context(), models.WebhookFilter{Tenant: *loadTenant, Limit: models.MaxPage})
		require.NoError(t, err)
		require.NotEmpty(t, found.Items)
		return found.Items
	}
	for i := len(list()); i <= hooksBeside; i++ {
		require.NoError(t, store.CreateWebhook(t.Context(), byTest, &models.Webhook{
			Tenant: *loadTenant, Provider: "standard", Name: fmt.Sprintf("Beside %d", i), URL: fmt.Sprintf("https://beside.example/%d", i), Events: []string{"no.such"},
		}))
	}
	all := list()
	return all[len(all)-1]
}

// longPage is a page to measure.
type longPage struct{ name, path string }

// longPages lists the pages, with places that are deep in the history.
func longPages(t *testing.T, store *models.Store, hook models.Webhook) []longPage {
	t.Helper()
	own := "/webhooks/" + hook.ID
	log := func(query string) string { return own + "/attempts?" + query }
	middle := time.Now().AddDate(0, 0, -15).UTC().Format("2006-01-02T15:04")
	pages := []longPage{
		{"overview", "/"}, {"overview, 30 days", "/?span=month"}, {"webhooks, 25 of them", "/webhooks"},
		{"webhook", own}, {"charts, 24 hours", own + "/charts"}, {"charts, 7 days", own + "/charts?span=week"}, {"charts, 30 days", own + "/charts?span=month"},
		{"log, first page", log("")}, {"log, failed", log("result=failed")}, {"log, delivered", log("result=delivered")},
		{"log, the most frequent event", log("event=order.paid")}, {"log, one event of a thousand", log("event=account.closed")},
		{"log, both filters", log("event=account.closed&result=failed")}, {"log, an event that never was", log("event=no.such")},
		{"log, last hour", log("within=hour")}, {"log, until the middle", log("until=" + middle)}, {"log, failed until the middle", log("result=failed&until=" + middle)},
		{"events, first page", "/events"}, {"events, the most frequent type", "/events?type=order.paid"}, {"events, one type of a thousand", "/events?type=account.closed"},
		{"events, a type that never was", "/events?type=no.such"}, {"events, a provider that has none", "/events?provider=akol"}, {"events, until the middle", "/events?until=" + middle},
		{"waiting", own + "/deliveries"}, {"deliveries in a state that none is in", own + "/deliveries?state=suppressed"},
		{"replays", own + "/replays"}, {"audit log", own + "/audit"}, {"edit", own + "/edit"}, {"send an event", "/events/new"}, {"catalogue", "/catalogue"},
	}
	attempts, events := "", ""
	for depth := range longDepth {
		history, err := store.History(t.Context(), models.HistoryFilter{Tenant: hook.Tenant, WebhookID: hook.ID, Limit: models.MaxPage, Cursor: attempts})
		require.NoError(t, err)
		accepted, err := store.Events(t.Context(), models.EventFilter{Tenant: hook.Tenant, Limit: models.MaxPage, Cursor: events})
		require.NoError(t, err)
		require.NotEmpty(t, history.NextCursor, "load a million attempts")
		require.NotEmpty(t, accepted.NextCursor)
		attempts, events = history.NextCursor, accepted.NextCursor
		if depth == 0 || depth == longDepth-1 {
			at := map[bool]string{true: "new", false: "old"}[depth == 0]
			one := history.Items[0]
			pages = append(pages, longPage{"attempt, " + at, "/deliveries/" + one.DeliveryID + "?attempt=1"}, longPage{"event, " + at, "/events/" + one.EventID})
		}
	}
	return append(pages,
		longPage{"log, deep", log(url.Values{"cursor": {attempts}}.Encode())},
		longPage{"events, deep", "/events?" + url.Values{"cursor": {events}}.Encode()})
}

// longDepth is how many pages of a hundred are passed over to be deep.
const longDepth = 5000
