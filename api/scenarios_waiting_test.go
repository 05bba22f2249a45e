package api

import (
	"testing"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// addUnsent gives {webhook} a delivery of which nothing was sent yet, {unsent},
// and one that was passed over, {skipped}: neither has an attempt.
func addUnsent(t *testing.T, w *world) {
	t.Helper()
	w.ids["unsent"] = w.addEvent(t, w.tenant, 4).ID
	skipped := w.addEvent(t, w.tenant, 3)
	require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: skipped, Step: models.StepSkip, Reason: "paused"}))
	w.ids["skipped"] = skipped.ID
	w.ids["fingerprint"] = w.fingerprint(t)
}

// waitingScenarios ask for a webhook's deliveries, sent or not.
func waitingScenarios() []scenario {
	deliveries := "/api/webhooks/{webhook}/deliveries"
	only := func(names ...string) func(*testing.T, *world, answer) {
		return func(t *testing.T, w *world, got answer) {
			t.Helper()
			items, next := got.list(t)
			require.Empty(t, next)
			seen, want := []string{}, []string{}
			for _, item := range items {
				id, _ := item["id"].(string)
				seen = append(seen, id)
			}
			for _, name := range names {
				want = append(want, w.ids[name])
			}
			require.Equal(t, want, seen)
		}
	}
	return []scenario{
		{
			name: "what waits", url: deliveries + "?state=pending,sending,retrying", status: 200, arrange: addUnsent, after: only("unsent", "waiting"),
			want: []string{
				`"webhookId":"{webhook}","webhookName":"CRM","host":"hooks.acme.dev","state":"pending","attemptCount":0,"nextAttemptAt":null,"statusCode":null,"reason":null,"test":false`,
				`"state":"retrying","attemptCount":1,"nextAttemptAt":"2026-05-30T11:00:00.000Z","statusCode":503,"reason":"server_error"`,
				`"pagination":{"limit":20,"nextCursor":null}`,
			},
			mustNot: []string{seededSecret, seededCredential},
		},
		{name: "deliveries of a webhook", url: deliveries, status: 200, arrange: addUnsent, after: only("unsent", "skipped", "waiting", "delivery")},
		{
			name: "what was skipped, and never sent", url: deliveries + "?state=skipped", status: 200, arrange: addUnsent, after: only("skipped"),
			want: []string{`"state":"skipped","attemptCount":0`, `"reason":"paused"`},
		},
		{name: "a state that is named twice", url: deliveries + "?state=delivered,delivered", status: 200, after: only("delivery")},
		{name: "what waits, when nothing does", url: deliveries + "?state=sending", status: 200, want: []string{`"data":[]`}},
		{name: "deliveries of no state, as forms send it", url: deliveries + "?state=", status: 200, after: only("waiting", "delivery")},
		{name: "deliveries by pages", url: deliveries + "?limit=1", status: 200, arrange: addUnsent, after: followPages(deliveries+"?limit=1", 4)},
		{name: "what waits by pages", url: deliveries + "?state=retrying,pending&limit=1", status: 200, arrange: addUnsent, after: followPages(deliveries+"?state=retrying,pending&limit=1", 2)},
		{name: "deliveries in no such state", url: deliveries + "?state=pending,lost", status: 400, want: []string{`"errors":{"state":"must be one or more of pending, sending, retrying, delivered`}},
		{name: "deliveries in a state and in none", url: deliveries + "?state=pending,", status: 400, want: []string{`"errors":{"state":`}},
		{name: "states one by one", url: deliveries + "?state=pending&state=retrying", status: 400, want: []string{`"errors":{"state":"is given more than once"`}},
		{name: "deliveries from a bad cursor", url: deliveries + "?cursor=eyJ", status: 400, want: []string{`"errors":{"cursor":`}},
		{name: "too many deliveries at once", url: deliveries + "?limit=101", status: 400, want: []string{`"errors":{"limit":`}},
		{name: "deliveries of nobody's webhook", url: "/api/webhooks/{missing}/deliveries", status: 404},
	}
}
