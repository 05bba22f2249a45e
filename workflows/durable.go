package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// durable waits for one delivery to settle. The activity retries by itself, on
// the delivery's own schedule; it ends early only when a person asks for the
// next attempt now, or when the workflow is cancelled.
func (r *round) durable(ctx workflow.Context, d *delivery) error {
	r.awaitTurn(ctx, []*delivery{d})
	now := d.now
	d.now = false
	for !d.State.Settled() && ctx.Err() == nil {
		waiting, stop := workflow.WithCancel(ctx)
		d.stopWaiting = stop
		r.show(ctx)
		input := activities.DeliverInput{
			Tenant: r.tenant, Lane: activities.LaneDurable, Now: now,
			Deliveries: []activities.DeliveryRef{d.ref()},
		}
		var result activities.DeliverResult
		err := workflow.ExecuteActivity(durableLane(waiting, r.tenant, d), a.Deliver, input).Get(ctx, &result)
		d.stopWaiting = nil
		if err != nil && !d.now && ctx.Err() == nil {
			return fmt.Errorf("delivery %s: %w", d.DeliveryID, err)
		}
		r.note(result) // says nothing when a request or a cancellation ended the wait
		r.show(ctx)
		now, d.now = d.now, false
	}
	return nil
}

// turnKey names a timer that deliveries share: by the seconds that were planned, or
// where they wait for another turn by the second in which it ends.
type turnKey struct {
	planned int
	end     int64
}

// awaitTurn waits until the turn of these deliveries has come, a person asks for
// one of them, or the workflow is cancelled. The first one's turn is that of all;
// those whose turn comes at the same time share a timer.
func (r *round) awaitTurn(ctx workflow.Context, deliveries []*delivery) {
	seconds := deliveries[0].StartInSeconds
	if seconds == 0 {
		return
	}
	key, wait := turnKey{planned: seconds}, time.Duration(seconds)*time.Second
	if deliveries[0].again {
		end := workflow.Now(ctx).Add(wait).Truncate(time.Second).Add(time.Second)
		key, wait = turnKey{end: end.Unix()}, end.Sub(workflow.Now(ctx))
	}
	turn, known := r.turns[key]
	if !known {
		turn = workflow.NewTimer(ctx, wait)
		r.turns[key] = turn
	}
	asked := false
	for _, d := range deliveries {
		d.stopWaiting, d.inLine = func() { asked = true }, true
	}
	r.show(ctx)
	_ = workflow.Await(ctx, func() bool { return turn.IsReady() || asked }) // a cancellation is seen by who calls
	for _, d := range deliveries {
		d.stopWaiting, d.inLine, d.StartInSeconds = nil, false, 0
	}
}

// retryNow makes a waiting delivery of this round be tried at once, and reports
// whether the delivery is of this round at all. One that is not waiting is
// being tried already.
func (r *round) retryNow(deliveryID string) bool {
	d, ok := r.byID[deliveryID]
	if ok && d.stopWaiting != nil {
		d.now = true
		d.stopWaiting()
	}
	return ok
}
