package api

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

func TestReplayByForm(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		settleSeeded(t, w)
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]+"/replays"
		b.get(t, path)
		fields := url.Values{"since": {"2020-01-01T00:00"}, "until": {"2036-01-01T00:00"}, "status": {"undelivered"}, "perSecond": {"5"}, "do": {"preview"}}
		got := b.post(t, path, fields)
		require.Equal(t, http.StatusOK, got.status, got.body)
		require.Contains(t, got.body, "<strong>1 delivery</strong> again, in about 1 second.</p>")
		require.Empty(t, w.starter.replays)
		fields.Set("do", "start")
		fields.Set("previewed", previewedOf(t, got))
		got = b.follow(t, b.post(t, path, fields))
		require.Contains(t, got.body, "The replay has begun.")
		require.Contains(t, got.body, "0 of 1 delivery settled")
		require.Len(t, w.starter.replays, 1)
		in := w.starter.replays[0]
		require.Equal(t, []any{models.ReplayUndelivered, 5}, []any{in.Status, in.PerSecond})
		require.Contains(t, b.get(t, path).body, "/replays/"+in.ID)
		require.Contains(t, b.follow(t, b.post(t, "/replays/"+in.ID+"/cancel", nil)).body, "is being cancelled")
		require.Equal(t, []string{"run-" + in.ID}, w.starter.ended)

		fields["perSecond"], fields["since"] = []string{"1000"}, []string{"soon"}
		got = b.post(t, path, fields)
		require.Equal(t, http.StatusUnprocessableEntity, got.status)
		require.Contains(t, got.body, "Must be between 1 and 100.")
		require.Contains(t, got.body, "Must be an RFC 3339 time")
		setSeededStatus(models.StatusPaused, "")(t, w)
		require.Contains(t, b.get(t, path).body, "The webhook is paused, so nothing can be sent to it.")
	})
}

var previewedField = regexp.MustCompile(`name="previewed" value="([^"]+)"`)

func previewedOf(t *testing.T, page answer) string {
	t.Helper()
	found := previewedField.FindStringSubmatch(page.body)
	require.NotNil(t, found, "nothing was previewed")
	return html.UnescapeString(found[1])
}

// TestReplayByFormIsTheOnePreviewed changes each field between the preview and
// the start: what begins is what somebody has seen the size of.
func TestReplayByFormIsTheOnePreviewed(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		settleSeeded(t, w)
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]+"/replays"
		require.NotRegexp(t, previewedField, b.get(t, path).body)
		form := func(do, previewed string, changed ...string) url.Values {
			fields := url.Values{
				"since": {"2020-01-01T00:00"}, "until": {"2036-01-01T00:00"}, "status": {"failed"}, "perSecond": {"5"}, "do": {do}, "previewed": {previewed},
			}
			for i := 0; i < len(changed); i += 2 {
				fields.Set(changed[i], changed[i+1])
			}
			return fields
		}
		seen := previewedOf(t, b.post(t, path, form("preview", "")))
		changes := map[string]string{"since": "2019-01-01T00:00", "until": "2035-01-01T00:00", "status": "all", "perSecond": "6"}
		for name, value := range changes {
			got := b.post(t, path, form("start", seen, name, value))
			require.Equal(t, http.StatusOK, got.status, name)
			require.Contains(t, got.body, "not what was previewed, so nothing has begun", name)
			require.Contains(t, got.body, "This would send", name)
			require.NotEqual(t, seen, previewedOf(t, got), name)
		}
		require.Contains(t, b.post(t, path, form("start", "")).body, "nothing has begun")
		refused := b.post(t, path, form("start", seen, "since", "soon"))
		require.Equal(t, http.StatusUnprocessableEntity, refused.status)
		require.NotContains(t, refused.body, "This would send")
		require.Empty(t, w.starter.replays)

		again := b.post(t, path, form("start", seen, "status", "all"))
		b.follow(t, b.post(t, path, form("start", previewedOf(t, again), "status", "all", "since", "2020-01-01T00:00:00")))
		require.Len(t, w.starter.replays, 1)
		require.Equal(t, models.ReplayAll, w.starter.replays[0].Status)
	})
}

// TestReplayThatFoundMoreThanItCounted has deliveries come between the counting
// and the finding.
func TestReplayThatFoundMoreThanItCounted(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		replay := models.Replay{
			ID: models.NewID(testNow), Tenant: w.tenant, WebhookID: w.ids["webhook"], RunID: "run", Since: testNow.Add(-time.Hour), Until: testNow,
			Status: models.ReplayAll, PerSecond: 7, Count: 1,
		}
		require.NoError(t, w.store.BeginReplay(t.Context(), byTest, replay))
		ids := []string{w.ids["delivery"], w.ids["waiting"]}
		require.NoError(t, w.store.NoteReplay(t.Context(), models.ReplayPage{Tenant: w.tenant, ReplayID: replay.ID, DeliveryIDs: ids, WorkflowID: "replay/1"}))
		b := signedIn(t, w)
		require.Contains(t, b.get(t, "/replays/"+replay.ID).body, "0 of 2 deliveries settled")
		require.Contains(t, b.get(t, "/webhooks/"+w.ids["webhook"]+"/replays").body, `<span class="small-label">of </span>2</td>`)
	})
}

// TestReplayByFormNeedsItsBeginning leaves out where the replay begins.
func TestReplayByFormNeedsItsBeginning(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		settleSeeded(t, w)
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]+"/replays"
		b.get(t, path)
		for _, do := range []string{"preview", "start"} {
			for _, since := range [][]string{nil, {""}, {" "}} {
				got := b.post(t, path, url.Values{"since": since, "status": {"all"}, "perSecond": {"100"}, "do": {do}})
				require.Equal(t, http.StatusUnprocessableEntity, got.status, "%s since %q", do, since)
				require.Regexp(t, `name="since"[^>]* aria-invalid="true"[^>]*>\s*<[^>]* id="since-fault"[^>]*>\s*(<[^>]+>\s*)*Is required\.`, got.body)
				require.NotContains(t, got.body, "This would send")
			}
		}
		require.Empty(t, w.starter.replays)
	})
}

func TestReplaysAreTheTenantsOwn(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		addReplay(models.ReplayStopped)(t, w)
		b := signedIn(t, w)
		require.Contains(t, b.get(t, "/replays/"+w.ids["replay"]).body, "the webhook is paused")
		require.Equal(t, http.StatusNotFound, b.get(t, "/replays/"+w.ids["other.replay"]).status)
		require.Equal(t, http.StatusNotFound, b.post(t, "/replays/"+w.ids["other.replay"]+"/cancel", nil).status)
		require.Contains(t, b.follow(t, b.post(t, "/replays/"+w.ids["replay"]+"/cancel", nil)).body, "The replay has ended: it is stopped.")
	})
}
