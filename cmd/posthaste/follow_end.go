package main

import (
	"context"
	"encoding/json"
	"errors"
)

// outcome turns the end of watching into what the command says and exits with.
func (f *follower) outcome(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return &failure{sentence: "no longer watching; event " + f.id + " goes on", code: exitInterrupted}
	case err != nil:
		return failed(err, "cannot watch any more, but event %s goes on: %s", f.id, explain(err))
	}
	if n := f.undelivered(); n > 0 {
		return &failure{sentence: undeliveredText(n, len(f.order)), code: exitUndelivered}
	}
	return nil
}

func (f *follower) undelivered() int {
	n := 0
	for _, d := range f.deliveries {
		if d.State != stateDelivered {
			n++
		}
	}
	return n
}

// followedEvent is the answer for a program: each delivery is as the API shows
// it, with its attempts.
type followedEvent struct {
	acceptedEvent
	Outcome    string            `json:"outcome"` // delivered, undelivered, unwanted, unfinished
	Deliveries []json.RawMessage `json:"deliveries"`
}

func (f *follower) report(accepted acceptedEvent, outcome error) followedEvent {
	report := followedEvent{acceptedEvent: accepted, Outcome: stateDelivered, Deliveries: []json.RawMessage{}}
	var known *failure
	switch {
	case errors.As(outcome, &known) && known.code == exitUndelivered:
		report.Outcome = "undelivered"
	case outcome != nil:
		report.Outcome = "unfinished"
	case len(f.order) == 0:
		report.Outcome = "unwanted"
	}
	for _, d := range f.list() {
		raw := d.raw
		if raw == nil { // nothing has happened to it yet
			raw, _ = json.Marshal(map[string]any{"id": d.ID, "webhookId": d.WebhookID, "state": d.State, "attempts": []any{}}) // texts always encode
		}
		report.Deliveries = append(report.Deliveries, raw)
	}
	return report
}
