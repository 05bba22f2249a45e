package api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// statsScenarios ask for sums. Each tenant is seeded with one attempt that
// succeeded and one that failed, at the time of the tests' clock, and so is its
// neighbour. What settled did so at the store's real time.
func statsScenarios() []scenario {
	ofWebhook, ofTenant := "/api/webhooks/{webhook}/stats", "/api/stats"
	day := "?since=2026-05-30T08:30:00Z&until=2026-05-30T10:30:00Z"
	want := `{"success":true,"data":[` +
		`{"at":"2026-05-30T08:00:00.000Z","deliveries":0,"deliveriesFailed":0,"attempts":0,"delivered":0,"failed":0,"p50Ms":null,"p95Ms":null,"p99Ms":null},` +
		`{"at":"2026-05-30T09:00:00.000Z","deliveries":0,"deliveriesFailed":0,"attempts":0,"delivered":0,"failed":0,"p50Ms":null,"p95Ms":null,"p99Ms":null},` +
		`{"at":"2026-05-30T10:00:00.000Z","deliveries":0,"deliveriesFailed":0,"attempts":2,"delivered":1,"failed":1,"p50Ms":15,"p95Ms":20,"p99Ms":20}]}`
	return []scenario{
		{name: "stats of a webhook", url: ofWebhook + day, status: 200, want: []string{want}},
		{name: "stats of a tenant", url: ofTenant + day, status: 200, want: []string{want}},
		{
			name: "stats by day", url: ofWebhook + "?step=day&since=2026-05-29T00:00:00%2B02:00&until=2026-05-31T00:00:00Z", status: 200,
			want: []string{`[{"at":"2026-05-28T00:00:00.000Z",`, `{"at":"2026-05-30T00:00:00.000Z","deliveries":0,"deliveriesFailed":0,"attempts":2,`},
		},
		{
			name: "stats of a tenant by day, of the last days", url: ofTenant + "?step=day", status: 200, arrange: settleSeeded,
			after: func(t *testing.T, _ *world, got answer) {
				t.Helper()
				list, _ := got.list(t)
				require.Len(t, list, 31)
				sum := map[string]float64{}
				for _, day := range list {
					for _, name := range []string{"deliveries", "deliveriesFailed"} {
						n, ok := day[name].(float64)
						require.True(t, ok, name)
						sum[name] += n
					}
				}
				require.Equal(t, map[string]float64{"deliveries": 2, "deliveriesFailed": 1}, sum)
			},
		},
		{
			name: "stats of a webhook that is deleted", url: ofTenant + day, status: 200, mustNot: []string{`"attempts":2`},
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				require.NoError(t, w.store.DeleteWebhook(t.Context(), byTest, w.tenant, w.ids["webhook"]))
			},
		},
		{name: "stats of too many hours", url: ofTenant + "?since=2026-01-01T00:00:00Z&until=2026-05-30T00:00:00Z", status: 400, want: []string{`"errors":{"since":"must be at most 31 days by hour before until"}`}},
		{name: "stats of too many days", url: ofWebhook + "?step=day&since=2020-01-01T00:00:00Z&until=2026-05-30T00:00:00Z", status: 400, want: []string{`"errors":{"since":"must be at most 400 days`}},
		{name: "stats until before since", url: ofWebhook + "?since=2026-05-30T00:00:00Z&until=2026-05-29T00:00:00Z", status: 400, want: []string{`"errors":{"until":"must not be before since"}`}},
		{name: "stats since no time", url: ofWebhook + "?since=yesterday", status: 400, want: []string{`"errors":{"since":`}},
		{name: "stats of the year 0", url: ofTenant + "?until=0000-01-01T00:00:00Z", status: 400, want: []string{`"errors":{"until":`}},
		{name: "stats by week", url: ofWebhook + "?step=week", status: 400, want: []string{`"errors":{"step":"must be one of hour, day"}`}},
		{name: "stats of nobody's", url: "/api/webhooks/{missing}/stats", status: 404, want: []string{`"code":"NOT_FOUND"`}},
		{name: "stats of what is no id", url: "/api/webhooks/1/stats", status: 404},
		{name: "stats for nobody", url: ofTenant, status: 401, headers: map[string]string{"Authorization": "-"}},
	}
}
