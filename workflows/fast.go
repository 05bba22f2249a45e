package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// sliced groups the deliveries of the fast lane: each alone while they are few,
// then in slices.
func sliced(deliveries []*delivery) [][]*delivery {
	var fast []*delivery
	for _, d := range deliveries {
		if !d.State.Settled() && d.Lane == activities.LaneFast {
			fast = append(fast, d)
		}
	}
	return slices.Collect(slices.Chunk(fast, activities.CallSize(len(fast))))
}

// turnsOf lets a slice have its turn in the fast lane, and those for which there
// was no room another. All that has not settled then, for any other reason, is
// handed over, and so is what a person has asked for: it waits in no line.
func (r *round) turnsOf(ctx workflow.Context, slice []*delivery, handOver func(*delivery)) {
	turns := min(fastTurns, 1+len(slice))
	for turn := 1; len(slice) > 0; turn++ {
		r.awaitTurn(ctx, slice)
		if ctx.Err() == nil {
			r.fast(ctx, slice)
		}
		var again []*delivery
		for _, d := range slice {
			switch {
			case d.State.Settled():
			case d.again && !d.now && turn < turns && ctx.Err() == nil:
				again = append(again, d)
			default:
				if d.again {
					d.again, d.StartInSeconds = false, 0
				}
				handOver(d)
			}
		}
		slice = again
	}
}

// fast makes one attempt of each delivery inside the workflow task. The attempt does
// not stop when the workflow is cancelled: cutting a POST would only leave its
// outcome unknown.
func (r *round) fast(ctx workflow.Context, slice []*delivery) {
	input := activities.DeliverInput{Tenant: r.tenant, Lane: activities.LaneFast, Since: workflow.Now(ctx)}
	sent, attempts := map[string]bool{}, map[*delivery]int{}
	for _, d := range slice {
		d.again, attempts[d] = false, d.attempts
		input.Deliveries = append(input.Deliveries, d.ref())
		if event, ok := r.events[d.EventID]; ok && !sent[d.EventID] {
			sent[d.EventID] = true
			input.Events = append(input.Events, event)
		}
	}
	detached, _ := workflow.NewDisconnectedContext(ctx)
	var result activities.DeliverResult
	if err := workflow.ExecuteLocalActivity(fastLane(detached, slice), a.Deliver, input).Get(detached, &result); err != nil {
		workflow.GetLogger(ctx).Warn("fast lane left to the durable lane", "deliveries", len(slice), "error", err)
		return
	}
	r.note(result)
	for _, d := range slice {
		d.now = d.now && d.attempts == attempts[d] // else whoever asked has been served
	}
}
