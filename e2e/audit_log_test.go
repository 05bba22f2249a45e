package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// auditEntry is one line of the audit log, as the API answers it.
type auditEntry struct {
	ID    string    `json:"id"`
	At    time.Time `json:"at"`
	Actor struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	} `json:"actor"`
	Action  string `json:"action"`
	Changes map[string]struct {
		From any `json:"from"`
		To   any `json:"to"`
	} `json:"changes"`
	RequestID string `json:"requestId"`
}

// told is who did what.
func (e auditEntry) told() string {
	return strings.TrimSpace(e.Action + " by " + e.Actor.Kind + " " + e.Actor.Name)
}

// auditLog reads a webhook's audit log page by page, oldest first, and what it
// said in full.
func (sys *system) auditLog(id string) (entries []auditEntry, raw string) {
	sys.t.Helper()
	for path := "/api/webhooks/" + id + "/audit?limit=3"; ; {
		code, a := sys.call("GET", path, "")
		require.Equal(sys.t, http.StatusOK, code, a.raw)
		entries, raw = append(entries, into[[]auditEntry](sys.t, a)...), raw+a.raw
		if a.Pagination.NextCursor == nil {
			slices.Reverse(entries)
			return entries, raw
		}
		path = "/api/webhooks/" + id + "/audit?limit=3&cursor=" + *a.Pagination.NextCursor
	}
}

func tellings(entries []auditEntry) []string {
	var list []string
	for _, e := range entries {
		list = append(list, e.told())
	}
	return list
}

// TestAuditLogTellsEverything changes webhooks in every way, by people and by
// what receivers answer, and reads who did what and when.
func TestAuditLogTellsEverything(t *testing.T) {
	t.Parallel()
	sys := up(t, settings{postgres: true, env: []string{"POSTHASTE_BROKEN_AFTER=2s"}})
	sys.token = strings.TrimSpace(run(t, sys.env, "token", "--tenant", sys.tenant, "--subject", "ann@acme.example"))
	code, a := sys.call("POST", "/api/api-keys", `{"name":"shop"}`)
	require.Equal(t, http.StatusCreated, code, a.raw)
	key := into[struct{ ID, Key string }](t, a)
	rec := newReceiver(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		codes := map[string]int{"/gone": http.StatusGone, "/down": http.StatusServiceUnavailable}
		w.WriteHeader(max(codes[r.URL.Path], http.StatusOK))
	})
	sys.patchedByPeople(rec.URL, key.ID, key.Key)
	sys.goneByItsReceiver(rec.URL)
	sys.brokenByItsReceiver(rec.URL)
}

// patchedByPeople: create, patch, rotate, pause, resume and delete, by a token
// with a subject and by an API key.
func (sys *system) patchedByPeople(url, keyID, key string) {
	t := sys.t
	t.Helper()
	began := time.Now().Add(-time.Second)
	w := sys.createWebhook(url+"/well", `"headers":{"X-Team":"the-blue-team","X-Api-Key":"key-canary-of-a-header"}`)
	path := "/api/webhooks/" + w.ID
	secrets := []string{"the-blue-team", "the-green-team", "key-canary-of-a-header", key, w.Secret, strings.TrimPrefix(w.Secret, "whsec_")}
	for _, step := range []struct{ method, path, body string }{
		{"PATCH", path, `{"name":"ERP","maxPerSecond":50,"headers":{"X-Team":"the-green-team"}}`},
		{"PATCH", path, `{"name":"ERP"}`}, // changes nothing
		{"POST", path + "/rotate-secret", `{"overlapSeconds":60}`},
		{"PATCH", path, `{"isActive":false}`},
	} {
		code, a := sys.call(step.method, step.path, step.body, "X-Request-Id", "audited-request")
		require.Equal(t, http.StatusOK, code, a.raw)
		if rotated := into[hook](t, a).Secret; rotated != "" {
			secrets = append(secrets, rotated, strings.TrimPrefix(rotated, "whsec_"))
		}
	}
	code, a := sys.call("POST", path+"/rotate-secret", `{"overlapSeconds":60}`) // leaves no entry
	require.Equal(t, http.StatusConflict, code, a.raw)
	code, a = sys.callAs("", "PATCH", path, `{"isActive":true}`, "X-API-Key", key)
	require.Equal(t, http.StatusOK, code, a.raw)
	code, a = sys.callAs("", "DELETE", path, "", "X-API-Key", key)
	require.Equal(t, http.StatusOK, code, a.raw)

	entries, raw := sys.auditLog(w.ID)
	ann, shop := "token ann@acme.example", "api-key "+keyID
	require.Equal(t, []string{
		"created by " + ann, "updated by " + ann, "secret-rotated by " + ann, "paused by " + ann, "resumed by " + shop, "deleted by " + shop,
	}, tellings(entries))
	require.Equal(t, "ERP", entries[1].Changes["name"].To)
	require.InEpsilon(t, 50, entries[1].Changes["maxPerSecond"].To, 0.001)
	require.Equal(t, []any{"X-Team"}, entries[1].Changes["headers"].To)
	require.Equal(t, "audited-request", entries[1].RequestID)
	for i, e := range entries {
		require.WithinRange(t, e.At, began, time.Now().Add(time.Second))
		require.False(t, i > 0 && e.At.Before(entries[i-1].At))
	}
	for _, secret := range secrets {
		require.NotContains(t, raw, secret)
	}
	stranger := sys.tokenFor("stranger")
	code, a = sys.callAs(stranger, "GET", path+"/audit", "")
	require.Equal(t, http.StatusNotFound, code, a.raw)
	require.NotContains(t, a.raw, "ERP")
}

// goneByItsReceiver: 410 switches a webhook off, and the system says why.
func (sys *system) goneByItsReceiver(url string) {
	t := sys.t
	t.Helper()
	w := sys.createWebhook(url+"/gone", `"events":["order.refunded"]`)
	sys.awaitStates(sys.emit("order.refunded", `{"n":1}`).ID, 20*time.Second, "failed")
	gone := sys.webhook(w.ID)
	require.Equal(t, "gone", gone.Status)
	entries, _ := sys.auditLog(w.ID)
	require.Equal(t, []string{"created by token ann@acme.example", "gone by system"}, tellings(entries))
	require.Equal(t, gone.StatusReason, entries[1].Changes["statusReason"].To)
	require.Empty(t, entries[1].RequestID)
}

// brokenByItsReceiver: two seconds of nothing but failures switch a webhook off;
// test sends do not count, and resuming forgives.
func (sys *system) brokenByItsReceiver(url string) {
	t := sys.t
	t.Helper()
	w := sys.createWebhook(url+"/down", `"events":["order.paid"]`, `"retry":{"mode":"schedule","delaysSeconds":[1,1,1,1]}`)
	code, a := sys.call("POST", "/api/webhooks/"+w.ID+"/test", "")
	require.Equal(t, http.StatusAccepted, code, a.raw)
	sys.await("the test send", 20*time.Second, func() bool { return len(sys.history(w.ID)) > 0 })
	began := time.Now().Truncate(time.Second)
	sys.emit("order.paid", `{"n":1}`)
	sys.await("the webhook broken", 30*time.Second, func() bool { return sys.webhook(w.ID).Status == "broken" })
	broken := sys.webhook(w.ID)
	require.Regexp(t, `^nothing but failures for \d+s: [2-5] attempts since 20`, broken.StatusReason)
	require.False(t, failingSince(t, broken.StatusReason).Before(began), "the test send does not count")
	require.False(t, broken.IsActive)

	code, a = sys.call("PATCH", "/api/webhooks/"+w.ID, `{"name":"still down"}`)
	require.Equal(t, http.StatusOK, code, a.raw)
	require.Equal(t, "broken", sys.webhook(w.ID).Status, "standard is healed by resuming alone")
	code, a = sys.call("PATCH", "/api/webhooks/"+w.ID, `{"isActive":true}`)
	require.Equal(t, http.StatusOK, code, a.raw)
	require.Equal(t, "active", sys.webhook(w.ID).Status)
	sys.emit("order.paid", `{"n":2}`)
	sys.await("broken again", 30*time.Second, func() bool { return sys.webhook(w.ID).Status == "broken" })

	entries, _ := sys.auditLog(w.ID)
	ann := " by token ann@acme.example"
	require.Equal(t, []string{"created" + ann, "broken by system", "updated" + ann, "resumed" + ann, "broken by system"}, tellings(entries))
	require.Equal(t, broken.StatusReason, entries[1].Changes["statusReason"].To)
	again, isText := entries[4].Changes["statusReason"].To.(string)
	require.True(t, isText)
	require.False(t, failingSince(t, again).Before(entries[3].At.Truncate(time.Second)), "counted anew since it was resumed")
}

// failingSince is the time at the end of such a reason.
func failingSince(t *testing.T, reason string) time.Time {
	t.Helper()
	_, text, found := strings.Cut(reason, " since ")
	require.True(t, found, reason)
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at
}
