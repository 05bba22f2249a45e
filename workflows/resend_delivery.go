package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// ResendDelivery sends a settled delivery again, under the webhook's full
// policy, because a person asked for it.
func ResendDelivery(ctx workflow.Context, in activities.ReopenInput) (DeliverEventResult, error) {
	run := &deliverEvent{round: newRound(in.Tenant, nil)}
	run.listen(ctx)
	var planned activities.Planned
	step := ledgerStep{"reopen the delivery", a.ReopenDelivery, in}
	detached, _ := workflow.NewDisconnectedContext(ctx) // what a try has reopened must settle, also when cancelled
	if err := step.run(detached, &planned); err != nil {
		return DeliverEventResult{}, fmt.Errorf("reopen delivery %s: %w", in.DeliveryID, err)
	}
	run.add([]activities.Planned{planned})
	return run.settle(ctx)
}
