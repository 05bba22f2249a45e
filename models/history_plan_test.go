package models_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// crowd fills a webhook with attempts, past the store: every nth succeeds, or
// with a negative n every nth fails; every seventh is of another type.
func (w world) crowd(hook models.Webhook, attempts, n int, until time.Time) {
	w.t.Helper()
	success := "i % " + strconv.Itoa(max(n, -n)) + " = 0"
	if n < 0 {
		success = "NOT (" + success + ")"
	}
	d := w.deliveryTo(hook)
	series := "generate_series(1, CAST(? AS integer)) AS s (i)"
	at, id := "CAST(? AS timestamptz) - i * interval '1 second'", "(lpad(to_hex(CAST(? AS bigint) - i * 1000), 12, '0') || ?)"
	if !w.store.OnPostgres() {
		series = "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n) AS s"
		at, id = "strftime('%Y-%m-%dT%H:%M:%S.000000Z', ?, '-' || i || ' seconds')", "(printf('%012x', ? - i * 1000) || ?)"
	}
	dashed := "substr(" + id + ", 1, 8) || '-' || substr(" + id + ", 9)"
	rest := "-7000-8000-" + hook.ID[24:]
	stamp := until.UTC().Format("2006-01-02 15:04:05+00")
	if !w.store.OnPostgres() {
		stamp = until.UTC().Format("2006-01-02 15:04:05")
	}
	require.NoError(w.t, w.store.Exec(`INSERT INTO attempts (id, tenant, webhook_id, delivery_id, event_id, event_type, number, status_code, success,
		reason, detail, started_at, duration_ms, request_url, response_body, response_truncated, test)
		SELECT `+dashed+`, 'acme', ?, ?, ?, CASE WHEN i % 7 = 0 THEN 'rare' ELSE 'usual' END, i, 200, `+success+`,
		'', '', `+at+`, 12, 'https://a.example', ?, false, false FROM `+series,
		until.UnixMilli(), rest, until.UnixMilli(), rest, hook.ID, d.ID, d.EventID, stamp, []byte("an answer of some length, as they are"), attempts))
}

var removed = regexp.MustCompile(`Rows Removed by Filter: (\d+)`)

// A page of a history is read along an index, whatever the filter lets through:
// also where nearly all that the database holds is otherwise than in this
// webhook, which is what a planner goes by.
func TestHistoryIsReadAlongIndexes(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		failing, well := w.webhook("acme"), w.webhook("acme")
		const rows = 20_000
		// All are of today, which has its partition whatever the hour; those of the
		// day before would be read from the default one.
		until := now().Truncate(24 * time.Hour).Add(12 * time.Hour)
		w.crowd(failing, rows, 1000, until)
		w.crowd(well, rows, -1000, until)
		for range 3 {
			w.crowd(w.webhook("acme"), rows, -1000, until)
		}
		if w.store.OnPostgres() {
			require.NoError(t, w.store.Exec("ANALYZE attempts"))
		}
		yes, no := true, false
		middle := until.Add(-rows / 2 * time.Second)
		end := middle.Add(time.Hour)
		for name, f := range map[string]models.HistoryFilter{
			"all":               {},
			"success":           {Success: &yes},
			"failure":           {Success: &no},
			"type":              {EventType: "rare"},
			"another type":      {EventType: "usual"},
			"no such type":      {EventType: "none"},
			"type, success":     {EventType: "rare", Success: &yes},
			"type, failure":     {EventType: "rare", Success: &no},
			"since":             {Since: &middle},
			"until":             {Until: &middle},
			"span":              {Since: &middle, Until: &end},
			"span of a type":    {Since: &middle, Until: &end, EventType: "usual"},
			"span of successes": {Since: &middle, Until: &end, Success: &yes},
		} {
			for _, hook := range []models.Webhook{failing, well} {
				f.Tenant, f.WebhookID = "acme", hook.ID
				plan, err := w.store.HistoryPlan(t.Context(), f, models.NewID(until.Add(-rows/4*time.Second)))
				require.NoError(t, err, name)
				requireIndexed(t, plan, name)
			}
		}
	})
}

// requireIndexed reads a plan: of the table only stretches of indexes are read,
// and hardly a row in vain.
func requireIndexed(t *testing.T, plan, name string) {
	t.Helper()
	require.Contains(t, plan, "attempts", name)
	// The default partition is empty: the planner may well read nothing in a row.
	plan = strings.ReplaceAll(plan, "Seq Scan on attempts_default", "")
	for _, bad := range []string{"Seq Scan", "Bitmap", "SCAN attempts", "sqlite_autoindex_attempts_1 (webhook_id=?)"} {
		require.NotContains(t, plan, bad, "%s:\n%s", name, plan)
	}
	for _, found := range removed.FindAllStringSubmatch(plan, -1) {
		n, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		require.Less(t, n, 200, "%s:\n%s", name, plan)
	}
	for line := range strings.Lines(plan) {
		if strings.Contains(line, "SEARCH attempts") {
			require.Contains(t, line, "id<?", "%s:\n%s", name, plan)
		}
	}
	if strings.Contains(name, "success") || strings.Contains(name, "failure") {
		require.Regexp(t, `attempts_(of_(result|type)|\d{8}_webhook_id_(event_type_)?success_id_idx)`, plan, "%s:\n%s", name, plan)
	}
}
