package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

// What the way of an event asks of the database, so that it cannot creep up. A
// batch costs what one event costs, but for SQLite, which takes values in parts.
// Beginning and end of a transaction count.
func TestTrafficOfAnEvent(t *testing.T) {
	t.Parallel()
	succeeded := false
	recorded := func(w world, n int) func() {
		var records []models.Record
		for _, d := range w.pending("acme", n) {
			records = append(records, models.Record{
				Delivery: d, Step: models.StepDeliver, Attempt: attempt(200), WebhookFailed: &succeeded,
			})
		}
		return func() { require.NoError(w.t, w.store.CommitTogether(records)) }
	}
	read := func(w world, n int) func() {
		ids := w.pendingIDs("acme", n)
		return func() {
			due, err := w.store.DueDeliveries(w.t.Context(), "acme", ids)
			require.NoError(w.t, err)
			require.Len(w.t, due, n)
		}
	}
	for name, c := range map[string]struct {
		sqlite, postgres int // statements; a round trip each
		prepare          func(w world) (run func())
	}{
		"plan an event": {5, 1, func(w world) func() {
			events := w.events("acme", 1)
			return func() { w.resolve(events...) }
		}},
		"plan a batch": {12, 1, func(w world) func() {
			events := w.events("acme", 64)
			return func() { w.resolve(events...) }
		}},
		"plan an event with a key": {5, 1, func(w world) func() {
			e := w.event("acme", func(e *models.Event) { e.ID = keyedID() })
			return func() { w.resolve(e) }
		}},
		"plan an event after a webhook has changed": {6, 7, func(w world) func() {
			w.pause(w.webhook("acme", func(h *models.Webhook) { h.Events = []string{"none"} }))
			e := w.event("acme")
			return func() { w.resolve(e) }
		}},
		"read what an attempt in the durable lane needs": {1, 1, func(w world) func() {
			d := w.pending("acme", 1)[0]
			return func() { require.NoError(w.t, second(w.store.DueDelivery(w.t.Context(), d.Tenant, d.ID))) }
		}},
		"read what an attempt in the fast lane needs": {1, 1, func(w world) func() { return read(w, 1) }},
		"read what a slice of 25 needs":               {1, 1, func(w world) func() { return read(w, 25) }},
		"record an attempt":                           {6, 6, func(w world) func() { return recorded(w, 1) }},
		"record 64 attempts":                          {14, 6, func(w world) func() { return recorded(w, 64) }},
		"take it in hand": {3, 3, func(w world) func() {
			d := w.pending("acme", 1)[0]
			return func() { require.NoError(w.t, second(w.store.Hold(w.t.Context(), d, 0, false))) }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range modelstest.Kinds() {
				w, traffic := counted(t, kind)
				w.webhook("acme")
				w.resolve(w.event("acme")) // from now on the process knows the webhooks
				want, trips := c.sqlite, 0
				if kind == modelstest.Postgres {
					want, trips = c.postgres, c.postgres
				}
				for range 3 {
					c.prepare(w)() // the connection prepares the statements
				}
				for range 5 {
					run := c.prepare(w)
					asked, waited := traffic.Statements.Load(), traffic.Trips.Load()
					run()
					require.EqualValues(t, want, traffic.Statements.Load()-asked, kind)
					require.EqualValues(t, trips, traffic.Trips.Load()-waited, kind)
				}
			}
		})
	}
}
