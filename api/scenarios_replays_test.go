package api

import (
	"net/http"
	"testing"
	"time"

	"posthaste/errs"
	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// addReplay puts {replay} of {webhook} on record, and {other.replay} of the
// neighbour.
func addReplay(state string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		for _, who := range []string{"", "other."} {
			tenant := w.tenant
			if who != "" {
				tenant += "-neighbour"
			}
			r := models.Replay{
				ID: models.NewID(testNow), Tenant: tenant, WebhookID: w.ids[who+"webhook"], RunID: "run-of-" + who + "replay",
				Since: testNow.Add(-time.Hour), Until: testNow, Status: models.ReplaySkipped, PerSecond: 7, Count: 12, More: true,
			}
			require.NoError(t, w.store.BeginReplay(t.Context(), byTest, r))
			if state != models.ReplayRunning {
				require.NoError(t, w.store.EndReplay(t.Context(), tenant, r.ID, state, "the webhook is paused"))
			}
			w.ids[who+"replay"] = r.ID
		}
	}
}

// settleSeeded ends {waiting} as failed.
func settleSeeded(t *testing.T, w *world) {
	t.Helper()
	d, _, err := w.store.Delivery(t.Context(), w.tenant, w.ids["waiting"])
	require.NoError(t, err)
	require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: d, Step: models.StepFailFinal, Attempt: &models.Attempt{
		ID: models.NewID(testNow), StartedAt: testNow, Reason: "timeout",
	}}))
	w.ids["fingerprint"] = w.fingerprint(t)
}

func replayScenarios() []scenario {
	replay, one := "/api/webhooks/{webhook}/replay", "/api/replays/{replay}"
	const span = `"since":"2026-01-01T00:00:00Z","until":"2036-01-01T00:00:00+02:00"`
	running, keyed := addReplay(models.ReplayRunning), map[string]string{"Idempotency-Key": "replay-1"}
	list := []scenario{
		{
			name: "replay what failed", method: "POST", url: replay, body: `{` + span + `}`, status: 202, arrange: settleSeeded,
			want: []string{
				`"webhookId":"{webhook}","since":"2026-01-01T00:00:00.000Z","until":"2035-12-31T22:00:00.000Z","status":"failed","perSecond":10,` +
					`"count":1,"more":false,"state":"running","reason":null,"progress":{"found":0,"reopened":0,"delivered":0,"failed":0,"skipped":0,"cancelled":0}`,
				`"endedAt":null`,
			},
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				require.Len(t, w.starter.replays, 1)
				in := w.starter.replays[0]
				require.Equal(t, []any{w.tenant, w.ids["webhook"], "token", "ann@" + w.tenant}, []any{in.Tenant, in.WebhookID, in.By.Kind, in.By.Name})
				require.Equal(t, "/api/replays/"+in.ID, got.header.Get("Location"))
				seen := w.send(t, http.MethodGet, got.header.Get("Location"), "", nil)
				require.Equal(t, got.data(t), seen.data(t), "it can be read at once")
				log := w.send(t, http.MethodGet, w.fill("/api/webhooks/{webhook}/audit"), "", nil)
				require.Contains(t, log.body, `"action":"replayed"`)
				require.Contains(t, log.body, in.ID)
				again := w.send(t, http.MethodPost, w.fill(replay), `{`+span+`}`, nil)
				require.Equal(t, 409, again.status)
				require.Contains(t, again.body, "is running")
			},
		},
		{
			name: "what a replay would take", method: "POST", url: replay, body: `{` + span + `,"status":"all","dryRun":true}`, status: 200, arrange: settleSeeded,
			want:  []string{`"data":{"dryRun":true,"count":2,"more":false}`},
			after: func(t *testing.T, w *world, _ answer) { t.Helper(); require.Empty(t, w.starter.accepted()) },
		},
		{
			name: "what a replay of a paused webhook would take", method: "POST", url: replay, body: `{` + span + `,"status":"all","dryRun":true}`, status: 200,
			arrange: setSeededStatus(models.StatusPaused, ""), want: []string{`"count":1`},
		},
		{
			name: "a replay of what is under way", method: "POST", url: replay, body: `{"since":"2026-01-01T00:00:00Z","status":null,"perSecond":null,"dryRun":true}`,
			status: 200, want: []string{`"count":0`},
		},
		{
			name: "a replay with a key", method: "POST", url: replay, headers: keyed, body: `{` + span + `,"status":"undelivered","perSecond":100}`, status: 202,
			want: []string{`"status":"undelivered","perSecond":100`},
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				again := w.send(t, http.MethodPost, w.fill(replay), `{`+span+`,"status":"undelivered","perSecond":100}`, keyed)
				require.Equal(t, 200, again.status, again.body)
				require.Equal(t, got.data(t), again.data(t))
				reused := w.send(t, http.MethodPost, w.fill(replay), `{`+span+`,"perSecond":99}`, keyed)
				require.Equal(t, 409, reused.status, reused.body)
				require.Len(t, w.starter.replays, 1)
			},
		},
		{
			name: "a replay while Temporal is away", method: "POST", url: replay, body: `{` + span + `}`, status: 503,
			arrange: func(_ *testing.T, w *world) {
				w.starter.refuse = &errs.Error{Code: errs.Unavailable, Message: "away", RetryAfter: time.Second}
			},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Contains(t, w.send(t, http.MethodGet, w.fill(replay)+"s", "", nil).body, `"data":[]`)
			},
		},
		{
			name: "a replay of a paused webhook", method: "POST", url: replay, body: `{` + span + `}`, status: 409,
			arrange: setSeededStatus(models.StatusPaused, ""), want: []string{"The webhook is paused, so nothing is sent to it"},
		},
		{name: "a replay of another tenant's webhook", method: "POST", url: "/api/webhooks/{other.webhook}/replay", body: `{` + span + `}`, status: 404},
		{name: "a preview of another tenant's webhook", method: "POST", url: "/api/webhooks/{other.webhook}/replay", body: `{` + span + `,"dryRun":true}`, status: 404},

		{name: "a replay that runs", url: one, status: 200, arrange: running, want: []string{`"id":"{replay}"`, `"status":"skipped","perSecond":7,"count":12,"more":true,"state":"running"`}},
		{name: "a replay that stopped", url: one, status: 200, arrange: addReplay(models.ReplayStopped), want: []string{`"state":"stopped","reason":"the webhook is paused"`}},
		{name: "another tenant's replay", url: "/api/replays/{other.replay}", status: 404, arrange: running},
		{name: "no replay", url: "/api/replays/{missing}", status: 404},
		{name: "replays of a webhook", url: replay + "s", status: 200, arrange: running, want: []string{`"id":"{replay}"`, `"pagination":{"limit":20,"nextCursor":null}`}, mustNot: []string{"{other.replay}"}},
		{name: "replays in pages", url: replay + "s?limit=1", status: 200, arrange: func(t *testing.T, w *world) {
			t.Helper()
			running(t, w)
			running(t, w)
		}, after: followPages(replay+"s?limit=1", 2)},
		{name: "replays of another tenant's webhook", url: "/api/webhooks/{other.webhook}/replays", status: 404},
		{name: "replays with a bad cursor", url: replay + "s?cursor=x", status: 400, want: []string{`"errors":{"cursor":`}},
		{name: "replays with a bad limit", url: replay + "s?limit=101", status: 400, want: []string{`"errors":{"limit":`}},

		{
			name: "cancel a replay", method: "DELETE", url: one, status: 202, arrange: running, want: []string{`"state":"running"`},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Equal(t, []string{"run-of-replay"}, w.starter.ended)
			},
		},
		{
			name: "cancel a replay whose workflow is gone", method: "DELETE", url: one, status: 202, want: []string{`"state":"cancelled"`},
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				running(t, w)
				w.starter.refuse = errs.New(errs.NotFound, "The replay has ended")
			},
		},
		{name: "cancel a replay that has ended", method: "DELETE", url: one, status: 409, arrange: addReplay(models.ReplayCompleted), want: []string{"it is completed"}},
		{name: "cancel another tenant's replay", method: "DELETE", url: "/api/replays/{other.replay}", status: 404, arrange: running},
	}
	for body, field := range map[string]string{
		`{}`:                                `"since":"is required"`,
		`{"since":null}`:                    `"since":"is required"`,
		`{"since":"","perSecond":100}`:      `"since":"is required"`,
		`{"since":"","dryRun":true}`:        `"since":"is required"`,
		`{"since":1}`:                       `"since":"must be a string"`,
		`{"since":" "}`:                     `"since":"must be an RFC 3339 time`,
		`{"since":"yesterday"}`:             `"since":"must be an RFC 3339 time`,
		`{"since":"2036-01-01T00:00:00Z"}`:  `"until":"must be after since"`,
		`{` + span + `,"until":1}`:          `"until"`,
		`{` + span + `,"status":"pending"}`: `"status":"must be one of failed, skipped, unknown, cancelled, undelivered, all"`,
		`{` + span + `,"perSecond":0}`:      `"perSecond":"must be between 1 and 100"`,
		`{` + span + `,"perSecond":101}`:    `"perSecond"`,
		`{` + span + `,"dryRun":"yes"}`:     `"dryRun"`,
		`{` + span + `,"extra":1}`:          `"extra"`,
	} {
		list = append(list, scenario{name: "a replay of " + body, method: "POST", url: replay, body: body, status: 400, want: []string{field}})
	}
	return list
}
