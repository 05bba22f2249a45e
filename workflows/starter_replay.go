package workflows

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"posthaste/activities"
	"posthaste/errs"
)

// replayCloses bounds the time between a replay's end in the ledger, which
// readers see, and the end of its workflow, which frees the id for the next one.
const replayCloses = 2 * time.Second

// Replay starts a replay and returns the id of its run. It returns errs.Conflict
// when one of the webhook is running, a moment after it was asked: one that has
// ended on record may still be closing. With errs.Unavailable nothing was
// started, or what was started is this replay.
func (s *Starter) Replay(ctx context.Context, in activities.ReplayInput) (runID string, err error) {
	options := startOptions(in.Tenant, ReplayWorkflowID(in.Tenant, in.WebhookID), "replay · tenant "+in.Tenant)
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE // one after the other is fine
	options.Priority.PriorityKey = replayPriority
	options.TypedSearchAttributes = temporal.NewSearchAttributes(AttributeTenant.ValueSet(in.Tenant))
	runID, err = s.execute(ctx, options, ReplayDeliveries, in)
	var taken *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &taken) && s.closes(ctx, options.ID, taken.RunId) {
		runID, err = s.execute(ctx, options, ReplayDeliveries, in)
	}
	if isAlreadyStarted(err) {
		return "", errs.Wrap(err, errs.Conflict, "A replay of this webhook is running; wait for its end, or cancel it")
	}
	return runID, s.unavailable(err, "The replay could not be started")
}

// closes reports whether a run ends within the time that a replay takes to
// close, and returns when it does. How it ends is of no matter.
func (s *Starter) closes(ctx context.Context, workflowID, runID string) bool {
	waiting, stop := context.WithTimeout(ctx, replayCloses)
	defer stop()
	err := s.client.GetWorkflow(waiting, workflowID, runID).Get(waiting, nil)
	var ended *temporal.WorkflowExecutionError
	return err == nil || errors.As(err, &ended)
}

// CancelReplay asks the run of a replay to end. It returns errs.NotFound when it
// has ended.
func (s *Starter) CancelReplay(ctx context.Context, tenant, webhookID, runID string) error {
	err := s.outage.call(ctx, func(ctx context.Context) error {
		return s.client.CancelWorkflow(ctx, ReplayWorkflowID(tenant, webhookID), runID)
	})
	var gone *serviceerror.NotFound
	if errors.As(err, &gone) {
		return errs.Wrap(err, errs.NotFound, "The replay has ended")
	}
	return s.unavailable(err, "The replay could not be cancelled")
}
