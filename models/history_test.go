package models_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// past makes deliveries with one attempt each, a minute apart, the last one at
// the given time; every third failed.
func (w world) past(hook models.Webhook, n int, until time.Time) []models.Attempt {
	w.t.Helper()
	var made []models.Attempt
	var records []models.Record
	for i := range n {
		at := until.Add(-time.Duration(n-1-i) * time.Minute)
		status, step := 200, models.StepDeliver
		if i%3 == 0 {
			status, step = 500, models.StepFailFinal
		}
		a := attempt(status)
		a.ID, a.StartedAt = models.NewID(at), at
		d := w.deliveryTo(hook, func(e *models.Event) { e.Type = fmt.Sprintf("type.%d", i%2) })
		records = append(records, models.Record{Delivery: d, Step: step, Attempt: a})
		made = append([]models.Attempt{*a}, made...)
	}
	for _, err := range w.recordAll(records) {
		require.NoError(w.t, err)
	}
	return made
}

// walk reads a whole history page by page.
func (w world) walk(filter models.HistoryFilter, between func()) []models.Attempt {
	w.t.Helper()
	var seen []models.Attempt
	for {
		page, err := w.store.History(w.t.Context(), filter)
		require.NoError(w.t, err)
		seen = append(seen, page.Items...)
		if filter.Cursor = page.NextCursor; filter.Cursor == "" {
			return seen
		}
		require.Len(w.t, page.Items, filter.Limit)
		between()
	}
}

func idsOf(list []models.Attempt) []string {
	ids := []string{}
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	return ids
}

func TestHistoryPages(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, other := w.webhook("acme"), w.webhook("acme")
		made := w.past(hook, 25, now())
		w.past(other, 3, now())
		seen := w.walk(models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID, Limit: 4}, func() {
			w.record(w.deliveryTo(hook), models.StepDeliver) // others go on writing meanwhile
		})
		require.Equal(t, idsOf(made), idsOf(seen), "newest first, each one once, none of those that came later")

		a := seen[1]
		require.Equal(t, []any{"acme", hook.ID, 1, 200, true, "type.1", []byte("ok")},
			[]any{a.Tenant, a.WebhookID, a.Number, *a.StatusCode, a.Success, a.EventType, a.ResponseBody})
		require.NotEmpty(t, a.DeliveryID)
		require.Nil(t, a.RequestBody, "a list does not carry what was sent")
		require.Nil(t, a.RequestHeaders)
	})
}

func TestHistoryFilters(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		end := now()
		made := w.past(hook, 130, end) // over two hours, more than the slack of ids
		yes, no := true, false
		since, until := end.Add(-100*time.Minute), end.Add(-90*time.Minute)
		for name, test := range map[string]struct {
			give models.HistoryFilter
			want func(a models.Attempt, i int) bool
		}{
			"all":     {models.HistoryFilter{}, func(models.Attempt, int) bool { return true }},
			"success": {models.HistoryFilter{Success: &yes}, func(a models.Attempt, _ int) bool { return a.Success }},
			"failure": {models.HistoryFilter{Success: &no}, func(a models.Attempt, _ int) bool { return !a.Success }},
			"type":    {models.HistoryFilter{EventType: "type.1"}, func(_ models.Attempt, i int) bool { return i%2 == 0 }},
			"since, inclusive": {models.HistoryFilter{Since: &since}, func(a models.Attempt, _ int) bool {
				return !a.StartedAt.Before(since)
			}},
			"until, exclusive": {models.HistoryFilter{Until: &until}, func(a models.Attempt, _ int) bool {
				return a.StartedAt.Before(until)
			}},
			"together": {models.HistoryFilter{Since: &since, Until: &until, Success: &no, EventType: "type.0"},
				func(a models.Attempt, i int) bool {
					return !a.StartedAt.Before(since) && a.StartedAt.Before(until) && !a.Success && i%2 == 1
				}},
			"other type": {models.HistoryFilter{EventType: "type.2"}, func(models.Attempt, int) bool { return false }},
		} {
			want := []string{}
			for i, a := range made {
				if test.want(a, i) {
					want = append(want, a.ID)
				}
			}
			test.give.Tenant, test.give.WebhookID, test.give.Limit = "acme", hook.ID, 7
			require.Equal(t, want, idsOf(w.walk(test.give, nothing)), name)
		}
	})
}

// TestHistoryOfSpansPastTheIDs has spans begin and end where no id has its time.
func TestHistoryOfSpansPastTheIDs(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		made := idsOf(w.past(hook, 3, now()))
		yes := true
		at := func(text string) *time.Time {
			when, err := time.Parse(time.RFC3339, text)
			require.NoError(t, err)
			return &when
		}
		longAgo := []*time.Time{{}, at("1960-05-30T10:00:00Z"), at("1969-12-31T23:59:59.999Z"), at("1970-01-01T00:00:00Z"), at("1970-01-01T00:00:00.999Z")}
		farOff := []*time.Time{at("9998-01-01T00:00:00Z"), at("9999-12-31T23:59:59Z")}
		history := func(since, until *time.Time) []string {
			whole := models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID, Since: since, Until: until, Limit: 2}
			seen := idsOf(w.walk(whole, nothing))
			whole.EventType, whole.Success = "type.1", &yes
			require.Len(t, w.walk(whole, nothing), len(seen)/3, "along another index")
			return seen
		}
		for _, since := range longAgo {
			require.Equal(t, made, history(since, nil), since)
			for _, until := range farOff {
				require.Equal(t, made, history(since, until), "%s to %s", since, until)
			}
		}
		for _, until := range longAgo {
			require.Empty(t, history(nil, until), until)
			require.Empty(t, history(longAgo[0], until), until)
		}
		for _, at := range farOff {
			require.Equal(t, made, history(nil, at), at)
			require.Empty(t, history(at, nil), at)
		}
	})
}

func TestEventPages(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		start := now().Add(-time.Hour)
		var made []models.Event
		for i := range 25 {
			e := w.event("acme", func(e *models.Event) {
				e.AcceptedAt = start.Add(time.Duration(i/3) * time.Second) // several at the same time
				e.Type = fmt.Sprintf("type.%d", i%2)
				if i%5 == 0 {
					e.Provider = "akol"
				}
				e.CustomData = []byte(`{"c":1}`)
				e.Attributes = []byte(`{"bulk":true}`)
			})
			made = append(made, e)
		}
		w.resolve(made...)
		w.resolve(w.event("zeta"))

		walk := func(f models.EventFilter) []models.Event {
			var seen []models.Event
			for {
				page, err := w.store.Events(t.Context(), f)
				require.NoError(t, err)
				seen = append(seen, page.Items...)
				if f.Cursor = page.NextCursor; f.Cursor == "" {
					return seen
				}
				require.Len(t, page.Items, f.Limit)
				w.resolve(w.event("acme")) // others go on writing meanwhile
			}
		}
		seen := walk(models.EventFilter{Tenant: "acme", Limit: 4})
		require.Len(t, seen, len(made))
		for i := 1; i < len(seen); i++ {
			before, after := seen[i-1], seen[i]
			require.True(t, before.AcceptedAt.After(after.AcceptedAt) ||
				before.AcceptedAt.Equal(after.AcceptedAt) && before.ID > after.ID, "newest first")
		}
		for _, e := range made {
			e.Data, e.CustomData = nil, nil
			require.Contains(t, seen, e, "all but the bodies")
		}
		since, until := start.Add(2*time.Second), start.Add(4*time.Second)
		require.Len(t, walk(models.EventFilter{Tenant: "acme", Limit: 4, Provider: "akol"}), 5)
		require.Len(t, walk(models.EventFilter{Tenant: "acme", Limit: 4, Type: "type.1"}), 12)
		require.Len(t, walk(models.EventFilter{Tenant: "acme", Limit: 4, Since: &since, Until: &until}), 6)
		require.Empty(t, walk(models.EventFilter{Tenant: "acme", Limit: 4, Type: "type.1\x01"}))
	})
}

// A page ends before it gets too long, whatever the bodies are made of, and the
// pages together hold every attempt once.
func TestHistoryPagesOfLongAnswers(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		const longest = 64 << 10
		var made []string
		var records []models.Record
		for i, body := range []string{
			strings.Repeat("x", longest), strings.Repeat("\x01", longest), "ok", strings.Repeat(`"`, longest), "",
		} {
			for j := range 40 {
				at := now().Add(-time.Duration(i*40+j) * time.Hour) // over days, which are read one after the other
				a := attempt(200)
				a.ID, a.StartedAt, a.ResponseBody = models.NewID(at), at, []byte(body)
				made = append(made, a.ID)
				records = append(records, models.Record{Delivery: w.deliveryTo(hook), Step: models.StepDeliver, Attempt: a})
			}
		}
		for _, err := range w.recordAll(records) {
			require.NoError(t, err)
		}
		filter := models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID, Limit: models.MaxPage}
		var seen []string
		var lengths []int
		for {
			page, err := w.store.History(t.Context(), filter)
			require.NoError(t, err)
			seen, lengths = append(seen, idsOf(page.Items)...), append(lengths, len(page.Items))
			if filter.Cursor = page.NextCursor; filter.Cursor == "" {
				break
			}
		}
		require.Equal(t, made, seen)
		require.Equal(t, []int{16, 16, 9, 2}, lengths[:4], "16 pages' worth of text, then those that JSON escapes")
		require.Less(t, lengths[len(lengths)-1], models.MaxPage)

		filter = models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID, Limit: 1}
		page, err := w.store.History(t.Context(), filter)
		require.NoError(t, err)
		require.Len(t, page.Items, 1)
		require.NotEmpty(t, page.NextCursor)
	})
}
