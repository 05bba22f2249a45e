package models

import (
	"context"
	"errors"
	"slices"
	"strings"

	"gorm.io/gorm"

	"posthaste/errs"
)

// Match is what an event means for one webhook: a delivery in its first state.
type Match struct {
	WebhookID string
	State     State  // StatePending, StateSkipped or StateSuppressed
	Reason    string // why it is skipped or suppressed
	// Lane and TimeoutSeconds are the caller's own plan for the delivery; they
	// are kept with it and given back.
	Lane           string
	TimeoutSeconds int
}

// ResolveInput is a set of events to plan.
type ResolveInput struct {
	Events []Event
	// Match picks the webhooks an event is for. It gets the webhooks of the
	// event's tenant and provider, or only the event's own WebhookID where that
	// is set; without secrets and headers, which matching does not need. Of their
	// health they say whether FailedInARow is zero, no more. It must be a pure
	// function: a transaction that is repeated calls it again, and the webhooks are
	// those that the next event will be offered.
	Match func(Event, []Webhook) []Match
}

// ResolvedEvent is the plan of one event.
type ResolvedEvent struct {
	EventID string
	// Duplicate says that another workflow run owns the event; there is nothing
	// to deliver.
	Duplicate bool
	// Reused says that of a Duplicate, and that it holds something else: its caller
	// used a key twice, and could not be told.
	Reused bool
	Total  int
	// Deliveries are in the order of their ids. Those of an event that was
	// planned before are as they are now, some perhaps settled.
	Deliveries []Delivery
}

// eventKey is what makes an event one.
type eventKey struct{ tenant, id string }

// Resolve writes the events and one delivery per webhook that wants them, all
// in one transaction, and returns one plan per event in the order given. It may
// be run again with the same events and run: it then reads back what is there.
// An event that belongs to another run is a Duplicate and left alone.
func (s *Store) Resolve(ctx context.Context, in ResolveInput) ([]ResolvedEvent, error) {
	var plans map[eventKey]*ResolvedEvent
	plan := func(tx *gorm.DB) error {
		var err error
		plans, err = s.resolve(tx, in)
		return err
	}
	if done, err := s.resolveAtOnce(ctx, in); done != nil || err != nil {
		return done, err
	}
	err := s.writeAll(ctx, plan)
	for try := 1; (isOrphan(err) || errors.Is(err, errVanished)) && try < maxTries; try++ {
		err = s.writeAll(ctx, plan) // a webhook was deleted after it was matched, or an event forgotten
	}
	if err != nil {
		return nil, err
	}
	return inOrder(in.Events, plans), nil
}

// inOrder lists the plans in the order of the events.
func inOrder(events []Event, plans map[eventKey]*ResolvedEvent) []ResolvedEvent {
	list := make([]ResolvedEvent, len(events))
	for i, e := range events {
		list[i] = *plans[eventKey{e.Tenant, e.ID}]
	}
	return list
}

func (s *Store) resolve(tx *gorm.DB, in ResolveInput) (map[eventKey]*ResolvedEvent, error) {
	events, plans := unplanned(in.Events)
	keys := sortedKeys(events)
	fresh, err := s.insertEvents(tx, events, keys)
	if err != nil {
		return nil, err
	}
	known := slices.DeleteFunc(slices.Clone(keys), func(k eventKey) bool { return fresh[k] })
	keys = slices.DeleteFunc(keys, func(k eventKey) bool { return !fresh[k] })
	if err := s.readBack(tx, events, known, plans); err != nil {
		return nil, err
	}
	planned, err := s.match(tx, events, keys, in.Match)
	if err != nil {
		return nil, err
	}
	if err := s.insertDeliveries(tx, planned); err != nil {
		return nil, err
	}
	fill(plans, planned)
	return plans, nil
}

// unplanned returns the events by what makes them one, with empty plans.
func unplanned(list []Event) (map[eventKey]Event, map[eventKey]*ResolvedEvent) {
	events := make(map[eventKey]Event, len(list))
	plans := make(map[eventKey]*ResolvedEvent, len(list))
	for _, e := range list {
		events[eventKey{e.Tenant, e.ID}] = e
		plans[eventKey{e.Tenant, e.ID}] = &ResolvedEvent{EventID: e.ID}
	}
	return events, plans
}

// fill adds new deliveries to their plans.
func fill(plans map[eventKey]*ResolvedEvent, planned []Delivery) {
	for _, d := range planned {
		p := plans[eventKey{d.Tenant, d.EventID}]
		p.Deliveries = append(p.Deliveries, d)
	}
	for _, p := range plans {
		p.Total = len(p.Deliveries)
	}
}

// sortedKeys puts the events in one order for all processes, so that two
// transactions which insert the same events wait for, not against, each other.
func sortedKeys(events map[eventKey]Event) []eventKey {
	keys := make([]eventKey, 0, len(events))
	for k := range events {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b eventKey) int {
		if c := strings.Compare(a.tenant, b.tenant); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	return keys
}

var eventBatch = []column{
	{"tenant", textCol}, {"id", textCol}, {"provider", textCol}, {"type", textCol}, {"source", textCol},
	{"data", textCol}, {"custom_data", textCol}, {"attributes", textCol}, {"occurred_at", timeCol}, {"accepted_at", timeCol},
	{"body_hash", textCol}, {"workflow_id", textCol}, {"run_id", textCol}, {"webhook_id", textCol}, {"test", boolCol},
}

func eventRows(events map[eventKey]Event, keys []eventKey) *batch {
	b := &batch{columns: eventBatch}
	for _, k := range keys {
		e := events[k]
		b.add(e.Tenant, e.ID, e.Provider, e.Type, e.Source,
			string(e.Data), string(e.CustomData), string(e.Attributes), moment(e.OccurredAt), moment(e.AcceptedAt),
			e.BodyHash, e.WorkflowID, e.RunID, e.WebhookID, e.Test)
	}
	return b
}

// insertEvents inserts the events that are not there yet and says which.
func (s *Store) insertEvents(tx *gorm.DB, events map[eventKey]Event, keys []eventKey) (map[eventKey]bool, error) {
	held, err := s.takeKeys(tx, events, keys)
	if err != nil {
		return nil, err
	}
	b := eventRows(events, slices.DeleteFunc(slices.Clone(keys), func(k eventKey) bool { return held[k] }))
	fresh := make(map[eventKey]bool, len(keys))
	return fresh, s.db.dialect.inParts(b, func(source string, args []any) error {
		var rows []eventRow
		err := query(tx, &rows, "INSERT INTO events ("+b.names()+") SELECT * FROM ("+source+") AS v WHERE true"+
			" ON CONFLICT "+s.db.dialect.onlyOne()+" DO NOTHING RETURNING tenant, id", args...)
		for _, row := range rows {
			fresh[eventKey{row.Tenant, row.ID}] = true
		}
		return err
	})
}

// readBack fills the plans of events that were there before: with their
// deliveries when they belong to the same run, as duplicates otherwise.
func (s *Store) readBack(tx *gorm.DB, events map[eventKey]Event, known []eventKey, plans map[eventKey]*ResolvedEvent) error {
	for tenant, ids := range idsByTenant(known) {
		condition, arg := s.db.dialect.in("id", ids)
		var rows []eventRow
		err := query(tx, &rows, "SELECT id, run_id, body_hash FROM events WHERE tenant = ? AND "+condition+s.db.dialect.byKey(), tenant, arg)
		if err != nil {
			return err
		}
		if len(rows) < len(ids) {
			return errVanished
		}
		var ours []string
		for _, row := range rows {
			k := eventKey{tenant, row.ID}
			if row.RunID == events[k].RunID {
				ours = append(ours, row.ID)
				continue
			}
			plans[k].Duplicate, plans[k].Reused = true, row.BodyHash != events[k].BodyHash
		}
		if len(ours) == 0 {
			continue
		}
		condition, arg = s.db.dialect.in("d.event_id", ours)
		deliveries, err := s.deliveries(tx, "WHERE d.tenant = ? AND "+condition+" ORDER BY d.id", tenant, arg)
		if err != nil {
			return err
		}
		for _, d := range deliveries {
			p := plans[eventKey{tenant, d.EventID}]
			p.Deliveries = append(p.Deliveries, d)
		}
	}
	return nil
}

func idsByTenant(keys []eventKey) map[string][]string {
	ids := map[string][]string{}
	for _, k := range keys {
		ids[k.tenant] = append(ids[k.tenant], k.id)
	}
	return ids
}

var deliveryBatch = []column{
	{"id", textCol}, {"tenant", textCol}, {"event_id", textCol}, {"webhook_id", textCol}, {"event_type", textCol},
	{"workflow_id", textCol}, {"lane", textCol}, {"timeout_seconds", numberCol},
	{"state", textCol}, {"attempts", numberCol}, {"round_start", numberCol}, {"reason", textCol}, {"test", boolCol},
	{"created_at", timeCol}, {"updated_at", timeCol}, {"settled_at", timeCol},
}

func deliveryRows(planned []Delivery) *batch {
	b := &batch{columns: deliveryBatch}
	for _, d := range planned {
		b.add(d.ID, d.Tenant, d.EventID, d.WebhookID, d.EventType, d.WorkflowID, d.Lane, d.TimeoutSeconds,
			string(d.State), d.Attempts, d.RoundStart, d.Reason, d.Test,
			moment(d.CreatedAt), moment(d.UpdatedAt), momentPtr(d.SettledAt))
	}
	return b
}

func (s *Store) insertDeliveries(tx *gorm.DB, planned []Delivery) error {
	b := deliveryRows(planned)
	return s.db.dialect.inParts(b, func(source string, args []any) error {
		return tx.Exec("INSERT INTO deliveries ("+b.names()+") "+source, args...).Error
	})
}

// firstSteps are the steps by which a delivery comes to be, by the state that
// Match asks for.
var firstSteps = map[State]Step{
	StatePending:    StepResolvePending,
	StateSkipped:    StepResolveSkipped,
	StateSuppressed: StepResolveSuppressed,
}

// plan makes the delivery that a match asks for.
func (s *Store) plan(e Event, w *Webhook, m Match) (Delivery, error) {
	state, err := Advance("", firstSteps[m.State])
	if err != nil {
		return Delivery{}, errs.Wrap(err, errs.Internal, "A delivery cannot begin as %s", m.State)
	}
	now := s.now()
	d := Delivery{
		ID: DeliveryID(e.AcceptedAt, e.ID, w.ID), Tenant: e.Tenant, EventID: e.ID, WebhookID: w.ID, EventType: e.Type,
		WorkflowID: e.WorkflowID, Lane: m.Lane, TimeoutSeconds: m.TimeoutSeconds,
		State: state, Reason: m.Reason, WebhookName: w.Name, Host: hostOf(w.URL), Test: e.Test,
		CreatedAt: now, UpdatedAt: now,
	}
	if state.Settled() {
		d.SettledAt = &now
	}
	return d, nil
}
