package models_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

func TestResolveTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		first, second := w.webhook("acme"), w.webhook("acme")
		w.webhook("acme", func(h *models.Webhook) { h.Provider = "akol" })
		e := w.event("acme")

		plan := w.resolve(e)[0]
		require.Equal(t, e.ID, plan.EventID)
		require.False(t, plan.Duplicate)
		require.Equal(t, 2, plan.Total)
		var hooks []string
		for _, d := range plan.Deliveries {
			hooks = append(hooks, d.WebhookID)
			require.Equal(t, models.DeliveryID(e.AcceptedAt, e.ID, d.WebhookID), d.ID)
			require.Equal(t, "Orders", d.WebhookName)
			require.True(t, strings.HasSuffix(d.Host, ".example:8443"), d.Host)
			require.Equal(t, e.WorkflowID, d.WorkflowID)
			again, _ := w.reload(d)
			require.Equal(t, again, d, "what Resolve returns is what the ledger holds")
		}
		require.ElementsMatch(t, []string{first.ID, second.ID}, hooks)

		require.Equal(t, plan, w.resolve(e)[0], "the same run reads the plan back")
		w.record(plan.Deliveries[0], models.StepDeliver)
		w.webhook("acme") // too late for this event
		readBack := w.resolve(e)[0]
		require.Equal(t, 2, readBack.Total)
		require.Equal(t, models.StateDelivered, readBack.Deliveries[0].State)
		require.Equal(t, models.StatePending, readBack.Deliveries[1].State)

		e.RunID = "run-2"
		duplicate := w.resolve(e)[0]
		require.Equal(t, models.ResolvedEvent{EventID: e.ID, Duplicate: true}, duplicate)
		e.BodyHash = "another"
		require.Equal(t, models.ResolvedEvent{EventID: e.ID, Duplicate: true, Reused: true}, w.resolve(e)[0])
		stored, err := w.store.Event(t.Context(), "acme", e.ID)
		require.NoError(t, err)
		require.Equal(t, "run-1", stored.RunID)
		require.Equal(t, 2, w.count("SELECT COUNT(*) FROM deliveries"))
	})
}

func TestResolveStates(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		var hooks []models.Webhook
		for range 4 {
			hooks = append(hooks, w.webhook("acme"))
		}
		e := w.event("acme", func(e *models.Event) { e.Test = true })
		plans, err := w.store.Resolve(t.Context(), models.ResolveInput{
			Events: []models.Event{e},
			Match: func(got models.Event, offered []models.Webhook) []models.Match {
				require.Equal(t, e, got)
				require.Len(t, offered, 4)
				for _, hook := range offered {
					require.Empty(t, hook.Secret.Reveal(), "matching needs no secret")
					require.Nil(t, hook.Headers)
					require.NotEmpty(t, hook.Events)
				}
				return []models.Match{
					{WebhookID: hooks[0].ID, State: models.StatePending, Lane: "fast", TimeoutSeconds: 30},
					{WebhookID: hooks[1].ID, State: models.StateSkipped, Reason: "webhook is paused"},
					{WebhookID: hooks[2].ID, State: models.StateSuppressed, Reason: "bulk"},
				}
			},
		})
		require.NoError(t, err)
		require.Equal(t, 3, plans[0].Total)
		for _, d := range plans[0].Deliveries {
			require.Equal(t, d.State.Settled(), d.SettledAt != nil)
			require.True(t, d.Test)
			switch d.WebhookID {
			case hooks[0].ID:
				require.Equal(t, []any{models.StatePending, "", "fast", 30}, []any{d.State, d.Reason, d.Lane, d.TimeoutSeconds})
			case hooks[1].ID:
				require.Equal(t, []any{models.StateSkipped, "webhook is paused"}, []any{d.State, d.Reason})
			case hooks[2].ID:
				require.Equal(t, []any{models.StateSuppressed, "bulk"}, []any{d.State, d.Reason})
			}
		}
		require.Equal(t, plans[0], w.resolve(e)[0])
	})
}

func TestResolveOneWebhookOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		w.webhook("acme")
		hook := w.webhook("acme")
		foreign := w.webhook("zeta")
		to := func(id string) models.Event {
			return w.event("acme", func(e *models.Event) { e.WebhookID = id })
		}
		plans := w.resolve(to(hook.ID), to(foreign.ID), to(models.NewID(now())), w.event("acme"))
		require.Equal(t, []int{1, 0, 0, 2}, []int{plans[0].Total, plans[1].Total, plans[2].Total, plans[3].Total})
		require.Equal(t, hook.ID, plans[0].Deliveries[0].WebhookID)
	})
}

// A batch may hold new events, events of before, of another run, of several
// tenants, and the same one twice; each gets its own answer, in its place.
func TestResolveBatch(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		w.webhook("acme")
		w.webhook("zeta")
		known, taken, fresh, theirs := w.event("acme"), w.event("acme"), w.event("acme"), w.event("zeta")
		before := w.resolve(known, taken)
		taken.RunID = "run-2"

		plans := w.resolve(theirs, taken, fresh, known, fresh)
		require.Equal(t, []string{theirs.ID, taken.ID, fresh.ID, known.ID, fresh.ID}, []string{
			plans[0].EventID, plans[1].EventID, plans[2].EventID, plans[3].EventID, plans[4].EventID,
		})
		require.True(t, plans[1].Duplicate)
		require.Equal(t, before[0], plans[3])
		require.Equal(t, plans[2], plans[4])
		require.Equal(t, "zeta", plans[0].Deliveries[0].Tenant)
		require.Equal(t, 4, w.count("SELECT COUNT(*) FROM deliveries"))

		none, err := w.store.Resolve(t.Context(), models.ResolveInput{Match: everyone})
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestResolveThousandWebhooks(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		const many = 1000
		for range many {
			w.webhook("acme")
		}
		e := w.event("acme")
		events := []models.Event{e, w.event("acme")}
		plans := w.resolve(events...)
		require.Equal(t, many, plans[0].Total)
		require.Equal(t, many, plans[1].Total)
		require.Equal(t, plans, w.resolve(events...))

		var walked []models.Delivery
		for after := ""; ; after = walked[len(walked)-1].ID {
			page, err := w.store.EventDeliveries(t.Context(), "acme", e.ID, after, 100)
			require.NoError(t, err)
			if len(page) == 0 {
				break
			}
			require.LessOrEqual(t, len(page), 100)
			walked = append(walked, page...)
		}
		require.Equal(t, plans[0].Deliveries, walked)
	})
}

// The body of an event is signed and sent: not a byte of it may change.
func TestResolveKeepsEveryByte(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		bodies := []string{
			`{"a":"<b>&amp;</b>","u":"` + "\u2028\u2029" + `","e":"🧾👩‍👩‍👧","n":1e21,"z":"\u0000","q":"?","at":"@name"}`,
			`{"b":1,"a":2,  "spaced" : [ ] }`,
			`[]`, `null`, `"` + strings.Repeat("ü", 100_000) + `"`,
		}
		for _, body := range bodies {
			e := w.event("acme", func(e *models.Event) {
				e.Data, e.CustomData, e.Attributes = []byte(body), []byte(body), []byte(body)
				e.WebhookID = hook.ID
			})
			d := w.resolve(e)[0].Deliveries[0]
			due, err := w.store.DueDelivery(t.Context(), "acme", d.ID)
			require.NoError(t, err)
			require.Equal(t, e, due.Event)
			stored, err := w.store.Event(t.Context(), "acme", e.ID)
			require.NoError(t, err)
			require.Equal(t, e, stored)
		}
	})
}

func TestResolveRefusesABadMatch(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		for name, matches := range map[string][]models.Match{
			"not offered": {{WebhookID: "other", State: models.StatePending}},
			"twice":       {{WebhookID: hook.ID, State: models.StatePending}, {WebhookID: hook.ID, State: models.StatePending}},
			"no state":    {{WebhookID: hook.ID}},
			"wrong state": {{WebhookID: hook.ID, State: models.StateDelivered}},
		} {
			_, err := w.store.Resolve(t.Context(), models.ResolveInput{
				Events: []models.Event{w.event("acme")},
				Match:  func(models.Event, []models.Webhook) []models.Match { return matches },
			})
			require.Error(t, err, name)
			require.Equal(t, errs.Internal, errs.CodeOf(err), name)
		}
		require.Zero(t, w.count("SELECT COUNT(*) FROM events"), "nothing half-done")
	})
}

// Many processes may plan the same events at once, each with a run of its own:
// exactly one of them owns each event.
func TestResolveRace(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		w.webhook("acme")
		var events []models.Event
		for range 5 {
			events = append(events, w.event("acme"))
		}
		const racers = 8
		results := make([][]models.ResolvedEvent, racers)
		failures := make([]error, racers)
		var all sync.WaitGroup
		for i := range racers {
			all.Go(func() {
				mine := slices.Clone(events)
				for j := range mine {
					mine[j].RunID = fmt.Sprintf("run-%d", i)
				}
				if i%2 == 1 {
					slices.Reverse(mine)
				}
				results[i], failures[i] = w.store.Resolve(t.Context(), models.ResolveInput{Events: mine, Match: everyone})
			})
		}
		all.Wait()
		owners := map[string]int{}
		for i := range racers {
			require.NoError(t, failures[i])
			for _, plan := range results[i] {
				if !plan.Duplicate {
					owners[plan.EventID]++
					require.Equal(t, 1, plan.Total)
				}
			}
		}
		require.Len(t, owners, len(events))
		for id, n := range owners {
			require.Equal(t, 1, n, id)
		}
		require.Equal(t, len(events), w.count("SELECT COUNT(*) FROM deliveries"))
	})
}

// A webhook that is deleted between being matched and being written to is left
// out; the others get their deliveries.
func TestResolveSurvivesADelete(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		if !w.store.OnPostgres() {
			return // SQLite's one writer cannot delete in between
		}
		kept, doomed := w.webhook("acme"), w.webhook("acme")
		asked := 0
		plans, err := w.store.Resolve(t.Context(), models.ResolveInput{
			Events: []models.Event{w.event("acme")},
			Match: func(e models.Event, offered []models.Webhook) []models.Match {
				if asked++; asked == 1 {
					require.Len(t, offered, 2)
					require.NoError(t, w.store.DeleteWebhook(context.WithoutCancel(t.Context()), byTest, "acme", doomed.ID))
				}
				return everyone(e, offered)
			},
		})
		require.NoError(t, err)
		require.Equal(t, 2, asked)
		require.Equal(t, 1, plans[0].Total)
		require.Equal(t, kept.ID, plans[0].Deliveries[0].WebhookID)
	})
}

func TestDeliveryID(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 30, 10, 0, 0, 123_456_789, time.FixedZone("", 3600))
	id := models.DeliveryID(at, "event", "webhook")
	require.Equal(t, id, models.DeliveryID(at.UTC().Truncate(time.Millisecond), "event", "webhook"))
	parsed, err := uuid.Parse(id)
	require.NoError(t, err)
	require.Equal(t, uuid.Version(7), parsed.Version())
	require.Equal(t, uuid.RFC4122, parsed.Variant())
	seconds, nanos := parsed.Time().UnixTime()
	require.Equal(t, at.UnixMilli(), time.Unix(seconds, nanos).UnixMilli())
	require.Equal(t, "019e781c-96fb-7709-a01a-c7d0d4b96955", id, "a change here plans every waiting event a second time")
	for _, other := range []string{
		models.DeliveryID(at, "event", "webhook2"), models.DeliveryID(at, "event2", "webhook"),
		models.DeliveryID(at, "eventweb", "hook"), models.DeliveryID(at.Add(time.Millisecond), "event", "webhook"),
	} {
		require.NotEqual(t, id, other)
	}
	require.Less(t, models.NewID(at), models.NewID(at.Add(time.Millisecond)))
	require.NotEqual(t, models.NewID(at), models.NewID(at))
}
