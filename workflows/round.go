package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// round drives a set of deliveries of one tenant until each has settled: first
// together in the fast lane, then each on its own in the durable lane.
type round struct {
	tenant     string
	events     map[string]activities.Event
	deliveries []*delivery // in the ledger's order
	byID       map[string]*delivery
	counts     map[string]int // of settled deliveries, by state
	// turns are the timers that deliveries wait for.
	turns map[turnKey]workflow.Future
	// waiting is how many of the events are not planned yet.
	waiting int
}

// delivery is one delivery as this run knows it.
type delivery struct {
	activities.Planned
	attempts int
	reason   string
	// stopWaiting ends the wait for the delivery's turn, or cancels the activity
	// that waits for the next attempt; nil while nothing waits.
	stopWaiting workflow.CancelFunc
	// now is set by a person's request and taken by the next attempt.
	now bool
	// inLine is set while the delivery's turn has not come.
	inLine bool
	// again is set where the fast lane had no room for it, until it tries again.
	again bool
}

func newRound(tenant string, events []activities.Event) *round {
	r := &round{
		tenant: tenant,
		events: make(map[string]activities.Event, len(events)),
		byID:   map[string]*delivery{},
		counts: map[string]int{},
		turns:  map[turnKey]workflow.Future{},
	}
	for _, event := range events {
		r.events[event.ID] = event
	}
	return r
}

// add takes planned deliveries into the round. What has settled in an earlier
// run of this task is only counted. It returns those that were added.
func (r *round) add(planned []activities.Planned) []*delivery {
	before := len(r.deliveries)
	for _, p := range planned {
		d := &delivery{Planned: p}
		r.deliveries = append(r.deliveries, d)
		r.byID[p.DeliveryID] = d
		if p.State.Settled() {
			r.counts[string(p.State)]++
		}
	}
	return r.deliveries[before:]
}

// settle delivers and reports: all that is left to do once the deliveries are
// known and none is handed on.
func (r *round) settle(ctx workflow.Context) (DeliverEventResult, error) {
	if err := r.deliver(ctx); err != nil {
		return DeliverEventResult{}, err
	}
	return r.report(ctx)
}

// deliver returns when every delivery has settled, or with an error when the
// workflow was cancelled; then the rest is given up.
func (r *round) deliver(ctx workflow.Context) error {
	work := newWork(ctx)
	r.launch(ctx, work, r.deliveries)
	return r.finish(ctx, work)
}

// work is what a round has under way.
type work struct {
	group      workflow.WaitGroup
	deliveries []*delivery
	failures   []error
}

func newWork(ctx workflow.Context) *work { return &work{group: workflow.NewWaitGroup(ctx)} }

func (w *work) begin(ctx workflow.Context, name string, do func(workflow.Context) error) {
	w.group.Add(1)
	workflow.GoNamed(ctx, name, func(ctx workflow.Context) {
		defer w.group.Done()
		if err := do(ctx); err != nil {
			w.failures = append(w.failures, err)
		}
	})
}

// launch sets deliveries of the round going.
func (r *round) launch(ctx workflow.Context, work *work, deliveries []*delivery) {
	work.deliveries = append(work.deliveries, deliveries...)
	wait := func(d *delivery) {
		work.begin(ctx, "durable lane", func(ctx workflow.Context) error { return r.durable(ctx, d) })
	}
	for _, slice := range sliced(deliveries) {
		work.begin(ctx, "fast lane", func(ctx workflow.Context) error {
			r.turnsOf(ctx, slice, wait)
			return nil
		})
	}
	for _, d := range deliveries {
		if !d.State.Settled() && d.Lane == activities.LaneDurable {
			wait(d)
		}
	}
}

// finish waits for all that was launched.
func (r *round) finish(ctx workflow.Context, work *work) error {
	work.group.Wait(ctx)
	if ctx.Err() != nil {
		return r.cancel(ctx, work.deliveries)
	}
	return errors.Join(work.failures...)
}

// note takes over where the deliveries stand after an attempt.
func (r *round) note(result activities.DeliverResult) {
	for _, attempted := range result.Deliveries {
		d := r.byID[attempted.DeliveryID]
		if attempted.StartInSeconds > 0 {
			d.again = true
			d.StartInSeconds = attempted.StartInSeconds
			continue
		}
		if !d.State.Settled() && attempted.State.Settled() {
			r.counts[string(attempted.State)]++
		}
		d.State, d.attempts, d.reason = attempted.State, attempted.Attempts, string(attempted.Reason)
	}
}

// cancel gives up what has not settled, and ends the workflow as cancelled. What
// was reopened is in the ledger again as it was before, the rest is cancelled.
func (r *round) cancel(ctx workflow.Context, deliveries []*delivery) error {
	input := activities.CancelInput{Tenant: r.tenant}
	for _, d := range deliveries {
		if !d.State.Settled() {
			input.DeliveryIDs = append(input.DeliveryIDs, d.DeliveryID)
		}
	}
	detached, _ := workflow.NewDisconnectedContext(ctx)
	if len(input.DeliveryIDs) > 0 {
		step := ledgerStep{"give up what waits", a.CancelDeliveries, input}
		if err := step.run(detached, nil); err != nil {
			return fmt.Errorf("give up %d deliveries: %w", len(input.DeliveryIDs), err)
		}
	}
	return temporal.NewCanceledError()
}

func (d *delivery) ref() activities.DeliveryRef {
	return activities.DeliveryRef{EventID: d.EventID, DeliveryID: d.DeliveryID}
}
