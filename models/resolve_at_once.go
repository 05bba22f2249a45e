package models

import (
	"context"
	"slices"
	"strings"
)

// Nearly all events are new, and come while the webhooks are as they were when
// this process read them last. On PostgreSQL they are planned in memory and then
// stored by one statement: a transaction and a round trip where the long way
// takes five.

// resolveAtOnce plans events of one provider of one tenant. Nil means that they
// must go the long way: they are too many for one statement, the webhooks have
// changed and nothing is stored, or some events were there before. The long way
// reads back the others as events of this run.
func (s *Store) resolveAtOnce(ctx context.Context, in ResolveInput) ([]ResolvedEvent, error) {
	kept := s.keptFor(in.Events)
	if kept == nil {
		return nil, nil
	}
	events, plans := unplanned(in.Events)
	keys := sortedKeys(events)
	var planned []Delivery
	for _, k := range keys {
		deliveries, err := s.matchOne(events[k], kept.webhooks, in.Match)
		if err != nil {
			return nil, err
		}
		planned = append(planned, deliveries...)
	}
	if len(keys) > maxBatch || len(planned) > maxBatch {
		return nil, nil
	}
	slices.SortFunc(planned, func(a, b Delivery) int { return strings.Compare(a.ID, b.ID) })
	stored, err := s.insertAtOnce(ctx, kept, keyedRows(events, keys), deliveryRows(planned))
	switch {
	case isOrphan(err) || worthRepeating(err):
		return nil, nil
	case err != nil:
		return nil, s.translate(err)
	case stored < len(keys):
		return nil, nil
	}
	fill(plans, planned)
	return inOrder(in.Events, plans), nil
}

// keptFor returns what this process keeps of the subscribers of the events; nil
// when that is nothing, or when they are not all for the same.
func (s *Store) keptFor(events []Event) *subscription {
	if s.db.dialect == sqliteDialect || len(events) == 0 {
		return nil
	}
	who := subscribersOf(events[0])
	for _, e := range events[1:] {
		if subscribersOf(e) != who {
			return nil
		}
	}
	return s.subscriptions.of(who)
}

// keyedBatch says also which events need a row in event_keys.
var keyedBatch = append(slices.Clone(eventBatch), column{"keyed", boolCol})

func keyedRows(events map[eventKey]Event, keys []eventKey) *batch {
	b := eventRows(events, keys)
	b.columns = keyedBatch
	for i, k := range keys {
		b.rows[i] = append(b.rows[i], !eventIDTells(k.id, events[k].AcceptedAt))
	}
	return b
}

// insertAtOnce inserts the events that are not there yet, with their deliveries,
// if the subscription still stands, and says how many events those were.
func (s *Store) insertAtOnce(ctx context.Context, kept *subscription, events, deliveries *batch) (int, error) {
	eventSource, args, err := s.db.dialect.selectFrom(events)
	if err != nil {
		return 0, err
	}
	deliverySource, deliveryArgs, err := s.db.dialect.selectFrom(deliveries)
	if err != nil {
		return 0, err
	}
	args = slices.Concat(args, kept.who.standingArgs(), []any{kept.standing}, deliveryArgs)
	columns := (&batch{columns: eventBatch}).names()
	var stored []int
	err = query(s.db.writer.WithContext(ctx), &stored, "WITH e AS (SELECT * FROM ("+eventSource+") AS v WHERE "+standing+` = ?),
		noted AS (INSERT INTO event_keys (tenant, id, accepted_at) SELECT tenant, id, accepted_at FROM e WHERE keyed
			ON CONFLICT (tenant, id) DO NOTHING RETURNING tenant, id),
		fresh AS (INSERT INTO events (`+columns+") SELECT "+columns+` FROM e WHERE NOT keyed OR (tenant, id) IN (SELECT tenant, id FROM noted)
			ON CONFLICT `+s.db.dialect.onlyOne()+` DO NOTHING RETURNING tenant, id),
		made AS (INSERT INTO deliveries (`+deliveries.names()+") SELECT d.* FROM ("+deliverySource+`) AS d
			JOIN fresh ON fresh.tenant = d.tenant AND fresh.id = d.event_id)
		SELECT COUNT(*) FROM fresh`, args...)
	if err != nil {
		return 0, err
	}
	return stored[0], nil
}
