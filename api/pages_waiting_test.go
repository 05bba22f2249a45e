package api

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

var deliveryRow = regexp.MustCompile(`(?s)<tr id="delivery-([^"]+)".*?</tr>`)

// deliveriesOn returns the rows of a page of deliveries, by their ids, and those
// in order.
func deliveriesOn(page answer) (ids []string, rows map[string]string) {
	rows = map[string]string{}
	for _, found := range deliveryRow.FindAllStringSubmatch(page.body, -1) {
		ids, rows[found[1]] = append(ids, found[1]), found[0]
	}
	return ids, rows
}

// What no attempt was made of stands in no log: this page has it.
func TestPageOfWhatWaits(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		addUnsent(t, w)
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]+"/deliveries"
		first := b.get(t, path)
		require.Contains(t, first.body, ">2 waiting<")
		ids, rows := deliveriesOn(first)
		require.Equal(t, []string{w.ids["unsent"], w.ids["waiting"]}, ids)
		waiting, unsent := rows[w.ids["waiting"]], rows[w.ids["unsent"]]
		for _, part := range []string{`badge warn">retrying<`, `href="/deliveries/` + w.ids["waiting"], ">order.paid<", "2026-05-30 11:00:00 UTC", "Server error", "</span>1</td>", "Retry now"} {
			require.Contains(t, waiting, part)
		}
		for _, part := range []string{">pending<", "As soon as possible", "</span>0</td>", "Retry now"} {
			require.Contains(t, unsent, part)
		}
		require.NotContains(t, b.get(t, "/webhooks/"+w.ids["webhook"]+"/attempts").body, w.ids["unsent"])

		for state, want := range map[string][]string{
			"": {"unsent", "waiting"}, "all": {"unsent", "skipped", "waiting", "delivery"}, "pending": {"unsent"}, "skipped": {"skipped"}, "delivered": {"delivery"}, "failed": nil,
		} {
			page := b.get(t, path+"?state="+state)
			ids, rows := deliveriesOn(page)
			require.Len(t, ids, len(want), state)
			for i, name := range want {
				require.Equal(t, w.ids[name], ids[i], state)
			}
			require.Contains(t, page.body, ">2 waiting<", "whatever the list is narrowed to")
			require.Contains(t, page.body, `<option value="`+state+`" selected`)
			require.Equal(t, state == "failed", strings.Contains(page.body, "No delivery matches"))
			if state == "skipped" {
				require.Contains(t, rows[w.ids["skipped"]], "Paused")
				require.Contains(t, rows[w.ids["skipped"]], "Send again")
			}
		}
		require.Contains(t, b.follow(t, b.post(t, "/deliveries/"+w.ids["unsent"]+"/retry", nil)).body, "It is being sent.")

		setSeededStatus(models.StatusPaused, "by ann")(t, w)
		paused := b.get(t, path).body
		require.NotContains(t, paused, "Retry now", "nothing is sent to it")
		require.Contains(t, paused, ">2 waiting<")
	})
}

func TestPageOfWhatWaitsWhenNothingDoes(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		settleSeeded(t, w)
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]+"/deliveries"
		require.Contains(t, b.get(t, path).body, "<h2>Nothing waits.</h2>")
		require.NotContains(t, b.get(t, path).body, "<table")
		failed := b.get(t, path+"?state=failed").body
		require.Contains(t, failed, w.ids["waiting"])
		require.Contains(t, failed, ">Nothing waits.<", "beside what failed")
		require.Equal(t, http.StatusNotFound, b.get(t, "/webhooks/"+w.ids["other.webhook"]+"/deliveries").status)
	})
}

func TestPageOfWhatWaitsPageByPage(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		for i := range 60 {
			w.addEvent(t, w.tenant, i+10)
		}
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]+"/deliveries"
		first := b.get(t, path)
		second := b.get(t, nextOf(t, first))
		require.Contains(t, second.body, ">First page<")
		ids, _ := deliveriesOn(first)
		more, _ := deliveriesOn(second)
		require.Len(t, ids, 50)
		require.Len(t, append(ids, more...), 61)
		require.IsDecreasing(t, append(ids, more...))
		require.Contains(t, second.body, ">61 waiting<")
		ids, _ = deliveriesOn(b.get(t, nextOf(t, b.get(t, path+"?state=pending"))))
		require.Len(t, ids, 10, "the filter goes along")
	})
}
