package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// crowdEvents fills a tenant with events, one a second backwards from a moment,
// past the store. Of 1000, one is of the type "rare"; the oldest alone is of the
// type "first" and of another provider.
func (w world) crowdEvents(tenant string, events int, until time.Time) {
	w.t.Helper()
	series := "generate_series(1, CAST(? AS integer)) AS s (i)"
	at, id := "CAST(? AS timestamptz) - i * interval '1 second'", "lpad(to_hex(i), 8, '0') || '-0000-7000-8000-000000000000'"
	if !w.store.OnPostgres() {
		series = "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n) AS s"
		at, id = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', ?, '-' || i || ' seconds')", "printf('%08x', i) || '-0000-7000-8000-000000000000'"
	}
	stamp := until.UTC().Format("2006-01-02 15:04:05")
	if w.store.OnPostgres() {
		stamp += "+00"
	}
	require.NoError(w.t, w.store.Exec(`INSERT INTO events (tenant, id, provider, type, source, data, custom_data, attributes, occurred_at, accepted_at,
		body_hash, workflow_id, run_id, webhook_id, test)
		SELECT ?, `+id+`, CASE WHEN i = ? THEN 'other' ELSE 'standard' END, CASE WHEN i = ? THEN 'first' WHEN i % 1000 = 0 THEN 'rare' ELSE 'usual' END,
		'system', '{}', '', '', `+at+`, `+at+`, '', 'w', 'r', '', false FROM `+series, tenant, events, events, stamp, stamp, events))
}

// A page with a filter looks at so many events, and the next one goes on from
// there: nothing is left out, and nothing comes twice.
func TestFilteredEventsAreWalkedInStretches(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		until := now().Truncate(time.Second)
		w.crowdEvents("acme", 45_001, until)
		w.crowdEvents("rival", 10, until)
		walk := func(f models.EventFilter) (pages []int, ids map[string]bool) {
			f.Tenant, ids = "acme", map[string]bool{}
			for {
				page, err := w.store.Events(t.Context(), f)
				require.NoError(t, err)
				for _, e := range page.Items {
					require.False(t, ids[e.ID], "twice")
					require.Equal(t, "acme", e.Tenant)
					ids[e.ID] = true
				}
				pages = append(pages, len(page.Items))
				if f.Cursor = page.NextCursor; f.Cursor == "" {
					return pages, ids
				}
			}
		}
		pages, ids := walk(models.EventFilter{Type: "rare", Limit: 100})
		require.Equal(t, []int{20, 20, 5}, pages)
		require.Len(t, ids, 45)
		pages, ids = walk(models.EventFilter{Type: "rare", Limit: 15})
		require.Equal(t, []int{15, 15, 15}, pages, "a full page goes on after its last event")
		require.Len(t, ids, 45)
		for name, f := range map[string]models.EventFilter{"type": {Type: "first"}, "provider": {Provider: "other"}} {
			pages, _ = walk(f)
			require.Equal(t, []int{0, 0, 1}, pages, name)
		}
		pages, _ = walk(models.EventFilter{Type: "none"})
		require.Equal(t, []int{0, 0, 0}, pages)
		since := until.Add(-20_000 * time.Second)
		pages, _ = walk(models.EventFilter{Type: "none", Since: &since})
		require.Equal(t, []int{0}, pages, "the span holds as many as one page looks at")
	})
}
