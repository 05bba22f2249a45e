package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"
)

// ReopenDelivery takes a settled delivery back to pending for another round of
// attempts. Run again after a crash it finds the delivery open and returns it as
// it stands.
func (a *Activities) ReopenDelivery(ctx context.Context, in ReopenInput) (Planned, error) {
	workflowID := activity.GetInfo(ctx).WorkflowExecution.ID
	if in.From != "" {
		delivery, err := a.store.Adopt(ctx, in.Tenant, in.DeliveryID, in.From, workflowID)
		if err != nil {
			return Planned{}, temporalError(fmt.Errorf("take over delivery %s: %w", in.DeliveryID, err))
		}
		return planned(delivery), nil
	}
	delivery, err := a.store.Reopen(ctx, in.Tenant, in.DeliveryID, workflowID)
	if err != nil {
		return Planned{}, temporalError(fmt.Errorf("reopen delivery %s: %w", in.DeliveryID, err))
	}
	return planned(delivery), nil
}

// CancelDeliveries gives up waiting deliveries: those that were reopened are again
// as they were, the others cancelled.
func (a *Activities) CancelDeliveries(ctx context.Context, in CancelInput) error {
	if err := a.store.Cancel(ctx, in.Tenant, in.DeliveryIDs); err != nil {
		return temporalError(fmt.Errorf("cancel %d deliveries: %w", len(in.DeliveryIDs), err))
	}
	return nil
}
