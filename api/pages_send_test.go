package api

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"testing"
	"time"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

func TestSendEventByForm(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		shown := b.get(t, "/events/new?type=order.paid")
		require.Contains(t, html.UnescapeString(shown.body), `"orderId": "ord_2718"`)
		fields := url.Values{
			"provider": {"standard"}, "type": {"order.paid"}, "source": {"api"}, "data": {`{"n":1.00,"html":"<b>","big":1234567890123}`},
			"attributes": {`{"listIds":["7"]}`}, "customData": {""}, "occurredAt": {"2026-05-30T10:00:00Z"},
		}
		sent := b.post(t, "/events", fields)
		require.Equal(t, http.StatusSeeOther, sent.status, sent.body)
		require.Contains(t, b.follow(t, sent).body, "On its way", "the workflow has not written it down yet")
		require.Contains(t, shown.body, "Happened at (UTC)")
		require.Len(t, w.starter.events, 1)
		event := w.starter.events[0]
		require.JSONEq(t, `{"n":1.00,"html":"<b>","big":1234567890123}`, string(event.Data))
		require.Contains(t, string(event.Data), "1234567890123")
		require.Equal(t, []string{"7"}, event.Attributes.ListIDs)
		require.Equal(t, w.tenant, event.Tenant)

		for text, want := range map[string]time.Time{
			"2026-05-30T10:00": time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC), "2026-05-30T10:00:07": time.Date(2026, 5, 30, 10, 0, 7, 0, time.UTC),
			"2026-05-30T10:00:07.125+05:30": time.Date(2026, 5, 30, 4, 30, 7, 125e6, time.UTC),
		} {
			w.starter.events = nil
			fields.Set("occurredAt", text)
			sent := b.post(t, "/events", fields)
			require.Equal(t, http.StatusSeeOther, sent.status, sent.body)
			require.Equal(t, want, w.starter.events[0].OccurredAt, text)
		}
		fields.Set("occurredAt", "soon")
		untimely := b.post(t, "/events", fields)
		require.Equal(t, http.StatusUnprocessableEntity, untimely.status)
		require.Contains(t, untimely.body, "Must be an RFC 3339 time")
		require.Contains(t, untimely.body, `value="soon"`)
		fields.Set("occurredAt", "2026-05-30T10:00:00Z")

		fields.Set("data", "{\n\"n\": }")
		refused := b.post(t, "/events", fields)
		require.Equal(t, http.StatusUnprocessableEntity, refused.status)
		require.Contains(t, refused.body, "in line 2")
		fields["data"], fields["type"], fields["attributes"] = []string{`{"a":1,"a":2}`}, []string{"no good"}, []string{`{"what":1}`}
		refused = b.post(t, "/events", fields)
		require.Equal(t, http.StatusUnprocessableEntity, refused.status)
		told := w.send(t, "POST", "/api/events", `{"provider":"standard","type":"no good","source":"api","data":{"a":1,"a":2},"attributes":{"what":1},"occurredAt":"2026-05-30T10:00:00Z"}`, nil)
		var envelope struct{ Errors map[string]string }
		require.NoError(t, json.Unmarshal([]byte(told.body), &envelope))
		require.NotEmpty(t, envelope.Errors)
		for field, fault := range envelope.Errors {
			require.Contains(t, html.UnescapeString(refused.body), fault[1:], field)
		}
		require.Len(t, w.starter.events, 1)

		like := b.get(t, "/events/new?like="+w.ids["event"])
		require.Contains(t, html.UnescapeString(like.body), `"html": "<b>&</b>"`)
		require.Equal(t, http.StatusNotFound, b.get(t, "/events/new?like="+w.ids["other.event"]).status)
		unknown := b.get(t, "/events/new?provider=nobody")
		require.Equal(t, http.StatusBadRequest, unknown.status)
		require.Contains(t, unknown.body, "<code>provider</code> must be one of standard, ")
	})
}

// addUnwanted writes down an event that no webhook wants.
func (w *world) addUnwanted(t *testing.T, event models.Event) {
	t.Helper()
	_, err := w.store.Resolve(t.Context(), models.ResolveInput{
		Events: []models.Event{event}, Match: func(models.Event, []models.Webhook) []models.Match { return nil },
	})
	require.NoError(t, err)
}

// TestNobodySendsEventsOfOurOwn asks in every way for a form with which nobody
// can send anything.
func TestNobodySendsEventsOfOurOwn(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		const own = "operations"
		profile, err := w.deps.Providers.Profile(own)
		require.NoError(t, err)
		ours := models.Event{
			ID: models.NewID(testNow), Tenant: w.tenant, Provider: own, Type: profile.EventNames()[0], Source: "system", Data: []byte("{}"),
			OccurredAt: testNow, AcceptedAt: testNow,
		}
		w.addUnwanted(t, ours)
		b := signedIn(t, w)
		require.Contains(t, b.get(t, "/events/"+w.ids["event"]).body, "Send one like it")
		shown := b.get(t, "/events/"+ours.ID)
		require.Equal(t, http.StatusOK, shown.status)
		require.NotContains(t, shown.body, "Send one like it")
		for _, query := range []string{"provider=" + own, "like=" + ours.ID} {
			got := b.get(t, "/events/new?"+query)
			require.Equal(t, http.StatusBadRequest, got.status, query)
			require.Contains(t, got.body, "made by Posthaste alone")
		}
		b.get(t, "/events/new")
		got := b.post(t, "/events", url.Values{"provider": {own}, "type": {ours.Type}, "data": {"{}"}})
		require.Equal(t, http.StatusBadRequest, got.status)
		require.Empty(t, w.starter.accepted())
	})
}

// TestEventOnItsWayDoesNotStaySo looks at an event that never comes: the page
// asks again for a while, and then says that there is none.
func TestEventOnItsWayDoesNotStaySo(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		now := testNow
		w.deps.Now = func() time.Time { return now }
		w.build(t)
		b := signedIn(t, w)
		b.get(t, "/events/new")
		sent := b.post(t, "/events", url.Values{"type": {"order.paid"}, "data": {"{}"}})
		path := sent.header.Get("Location")
		now = now.Add(59 * time.Second)
		waiting := b.follow(t, sent)
		require.Equal(t, http.StatusOK, waiting.status)
		require.Contains(t, waiting.body, `hx-get="`+html.EscapeString(path)+`" hx-trigger="every 1s"`)

		now = now.Add(2 * time.Second)
		b.headers["HX-Request"] = "true"
		part := b.get(t, path)
		require.Equal(t, http.StatusNotFound, part.status)
		require.Equal(t, "true", part.header.Get("HX-Refresh"), "the whole page, which asks no more")
		delete(b.headers, "HX-Request")
		whole := b.get(t, path)
		require.Equal(t, http.StatusNotFound, whole.status)
		require.Empty(t, whole.header.Get("HX-Refresh"))
		require.Contains(t, whole.body, "<h1>Not found</h1>")
		require.NotContains(t, whole.body, "hx-trigger")
		for _, sent := range []string{"1", "", "x", "-1", "99999999999", "9223372036854775807"} {
			require.Equal(t, http.StatusNotFound, b.get(t, "/events/"+w.ids["missing"]+"?sent="+sent).status, sent)
		}

		// One that nobody wanted is asked for again as long, and no longer.
		lonely := models.Event{ID: models.NewID(now), Tenant: w.tenant, Provider: "standard", Type: "order.paid", Source: "api", Data: []byte("{}"), OccurredAt: now, AcceptedAt: now}
		w.addUnwanted(t, lonely)
		path = fmt.Sprintf("/events/%s?sent=%d", lonely.ID, now.Unix())
		require.Contains(t, b.get(t, path).body, "hx-trigger")
		now = now.Add(61 * time.Second)
		shown := b.get(t, path)
		require.Equal(t, http.StatusOK, shown.status)
		require.NotContains(t, shown.body, "hx-trigger")
	})
}
