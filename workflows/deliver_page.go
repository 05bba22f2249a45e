package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// DeliverPage delivers one page of an event that more webhooks want than one
// run should handle. It is a child of DeliverEvent.
func DeliverPage(ctx workflow.Context, in activities.PageInput) (DeliverEventResult, error) {
	run := &deliverEvent{round: newRound(in.Tenant, nil)}
	run.listen(ctx)
	var result activities.PageResult
	step := ledgerStep{"read the page", a.ReadPage, in}
	detached, _ := workflow.NewDisconnectedContext(ctx) // cancelled or not, its deliveries have to settle
	if err := step.run(detached, &result); err != nil {
		return DeliverEventResult{}, fmt.Errorf("read the deliveries of event %s after %q: %w", in.EventID, in.After, err)
	}
	run.add(result.Deliveries)
	if in.GivenUp {
		return DeliverEventResult{}, run.cancel(ctx, run.deliveries)
	}
	return run.settle(ctx)
}
