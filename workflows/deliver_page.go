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
	if err := step.run(ctx, &result); err != nil {
		return DeliverEventResult{}, fmt.Errorf("read the deliveries of event %s after %q: %w", in.EventID, in.After, err)
	}
	run.add(result.Deliveries)
	return run.settle(ctx)
}
