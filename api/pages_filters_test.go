package api

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestUnknownFiltersAreRefused asks each list for something that it cannot be
// narrowed to: it says so, and does not show all there is instead.
func TestUnknownFiltersAreRefused(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b, hook := signedIn(t, w), "/webhooks/"+w.ids["webhook"]
		for _, test := range []struct {
			path, name, allowed string
			good                []string
		}{
			{"/events", "within", "must be one of hour, day, week", []string{"", "hour", "day", "week"}},
			{hook + "/attempts", "within", "must be one of hour, day, week", []string{"", "hour", "day", "week"}},
			{hook + "/attempts", "result", "must be one of delivered, failed", []string{"", "delivered", "failed"}},
			{hook + "/deliveries", "state", "must be one of all, pending, sending, retrying, delivered", []string{"", "all", "pending", "unknown"}},
			{"/webhooks", "status", "must be one of active, paused, broken, gone", []string{"", "active", "paused", "broken", "gone"}},
			{"/", "span", "must be one of day, week, month", []string{"", "day", "week", "month"}},
			{hook + "/charts", "span", "must be one of day, week, month", []string{"", "day", "week", "month"}},
		} {
			for _, junk := range []string{"junk", "Day", "<b>", " "} {
				got := b.get(t, test.path+"?"+url.Values{test.name: {junk}}.Encode())
				require.Equal(t, http.StatusBadRequest, got.status, "%s?%s=%s", test.path, test.name, junk)
				require.Contains(t, got.body, "<code>"+test.name+"</code> "+test.allowed)
				require.NotContains(t, got.body, "<b>")
			}
			for _, good := range test.good {
				require.Equal(t, http.StatusOK, b.get(t, test.path+"?"+test.name+"="+good).status, "%s?%s=%s", test.path, test.name, good)
			}
		}
		for _, name := range []string{"since", "until"} {
			for _, never := range []string{"0000-01-01T00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"} {
				got := b.get(t, hook+"/attempts?"+url.Values{name: {never}}.Encode())
				require.Equal(t, http.StatusBadRequest, got.status, "%s=%s", name, never)
				require.Contains(t, got.body, "<code>"+name+"</code> must be a time")
			}
		}
		require.Len(t, rowsOf(b.get(t, hook+"/attempts?since=1960-05-30T10:00&until=9999-12-31T23:59")), 2)
		// One answer names all that is wrong.
		got := b.get(t, hook+"/attempts?within=junk&since=yesterday&result=junk")
		for _, name := range []string{"within", "since", "result"} {
			require.Contains(t, got.body, "<code>"+name+"</code> must be")
		}
	})
}
