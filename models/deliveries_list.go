package models

import (
	"context"

	"gorm.io/gorm"
)

// Bounds of what is read of a webhook's deliveries. No index holds a delivery's
// state, because every attempt changes it: the newest are walked, and those in
// other states passed over.
const (
	// MaxDeliveryCount is up to where a webhook's deliveries are counted.
	MaxDeliveryCount = 10_000
	// countScan is how many deliveries the count of a replay looks at, for some
	// 100 ms, and pageScan that of a page, which takes its part of 100 ms.
	countScan = 100_000
	pageScan  = 50_000
	// listScan is how many deliveries one page of a list with a filter looks at.
	listScan = 20_000
)

// DeliveryFilter narrows the deliveries of a webhook. Tenant and WebhookID are
// required; no states let all through.
type DeliveryFilter struct {
	Tenant    string
	WebhookID string
	States    []State
	Limit     int
	Cursor    string
}

// WaitingStates are those in which a delivery is under way: it waits for its
// first or its next attempt, or is being sent.
func WaitingStates() []State {
	var waiting []State
	for _, state := range States() {
		if !state.Settled() {
			waiting = append(waiting, state)
		}
	}
	return waiting
}

// afterAll sorts after every id that we make.
const afterAll = "ffffffff-ffff-ffff-ffff-ffffffffffff"

// WebhookDeliveries lists the deliveries of a webhook, the one of the newest
// event first, whether anything was sent or not. With states, one page looks at
// 20,000 deliveries at most: it may hold fewer than the limit, or none, and still
// not be the last. NotFound when the tenant has no such webhook.
func (s *Store) WebhookDeliveries(ctx context.Context, f DeliveryFilter) (Page[Delivery], error) {
	after, err := decodeCursor(listOfWebhook, f.Cursor)
	if err != nil {
		return Page[Delivery]{}, err
	}
	before := afterAll
	if after != nil {
		before = after.id
	}
	limit := pageLimit(f.Limit)
	var list []Delivery
	var edge string
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		err := s.mustHave(tx, "webhooks", f.Tenant, f.WebhookID, noWebhook())
		if err == nil {
			edge, err = deliveriesEdge(tx, f, before)
		}
		if err == nil {
			list, err = s.deliveriesBetween(tx, f, before, edge, limit+1)
		}
		return err
	})
	if err != nil {
		return Page[Delivery]{}, err
	}
	page := pageOf(listOfWebhook, list, limit, func(d Delivery) position { return position{id: d.ID} })
	if edge != "" && page.NextCursor == "" { // this stretch had no more
		page.NextCursor = encodeCursor(listOfWebhook, position{id: edge})
	}
	return page, nil
}

// deliveriesEdge returns the last delivery that a page looks at; "" when it
// passes over none, or when all that are left are within its reach.
func deliveriesEdge(tx *gorm.DB, f DeliveryFilter, before string) (string, error) {
	if len(f.States) == 0 {
		return "", nil
	}
	var ids []string
	err := query(tx, &ids, "SELECT id FROM deliveries WHERE webhook_id = ? AND tenant = ? AND id < ? ORDER BY id DESC LIMIT 2 OFFSET ?",
		f.WebhookID, f.Tenant, before, listScan-1)
	if err != nil || len(ids) < 2 {
		return "", err
	}
	return ids[0], nil
}

// deliveriesBetween reads the newest deliveries before one and from another on,
// which is "" for all the rest.
func (s *Store) deliveriesBetween(tx *gorm.DB, f DeliveryFilter, before, from string, rows int) ([]Delivery, error) {
	where, args := "WHERE d.webhook_id = ? AND d.tenant = ? AND d.id < ? AND d.id >= ?", []any{f.WebhookID, f.Tenant, before, from}
	if len(f.States) > 0 {
		condition, arg := s.db.dialect.in("d.state", wordsOf(f.States))
		where, args = where+" AND "+condition, append(args, arg)
	}
	return s.deliveries(tx, where+" ORDER BY d.id DESC LIMIT ?", append(args, rows)...)
}

// CountDeliveries counts a webhook's deliveries in the states, up to
// MaxDeliveryCount, among its newest 50,000. More says that there may be others.
func (s *Store) CountDeliveries(ctx context.Context, f DeliveryFilter) (count int, more bool, err error) {
	if len(f.States) == 0 {
		f.States = States()
	}
	return s.countAlong(ctx, f, pageScan, "SELECT state FROM deliveries WHERE webhook_id = ? AND tenant = ? ORDER BY id DESC LIMIT ?",
		f.WebhookID, f.Tenant, pageScan)
}

// countAlong counts the deliveries in the filter's states along a walk of so many
// of the webhook's, which gives the state of each.
func (s *Store) countAlong(ctx context.Context, f DeliveryFilter, scan int, walk string, args ...any) (count int, more bool, err error) {
	var rows []struct{ Walked, Matched int }
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		if err := s.mustHave(tx, "webhooks", f.Tenant, f.WebhookID, noWebhook()); err != nil {
			return err
		}
		condition, arg := s.db.dialect.in("state", wordsOf(f.States))
		return query(tx, &rows, "SELECT COUNT(*) AS walked, COUNT(*) FILTER (WHERE "+condition+") AS matched FROM ("+walk+") AS w",
			append([]any{arg}, args...)...)
	})
	if err != nil {
		return 0, false, err
	}
	return min(rows[0].Matched, MaxDeliveryCount), rows[0].Matched > MaxDeliveryCount || rows[0].Walked == scan, nil
}

func wordsOf(states []State) []string {
	words := make([]string, len(states))
	for i, state := range states {
		words[i] = string(state)
	}
	return words
}
