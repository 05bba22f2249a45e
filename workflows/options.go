package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// Every number of the data path that Temporal enforces, with its reason.
const (
	// resolveTimeout bounds one ledger transaction: ten times what a loaded
	// database needs for 1,000 webhooks.
	resolveTimeout = 10 * time.Second
	// resolveTriesInTask is how often the ledger is tried inside the workflow
	// task before the wait becomes durable: a database that fails over within a
	// second or two costs nothing in Temporal.
	resolveTriesInTask = 3
	// attemptSlack is added to a webhook's own timeout: reading the ledger,
	// waiting for a slot in the fast lane, recording the outcome.
	attemptSlack = 15 * time.Second
	// durableSlack is the same in the durable lane, and long: it ends nothing but
	// an attempt whose outcome waits for a database that is away. That a worker
	// has died is told by its heartbeat.
	durableSlack = 10 * time.Minute
	// lostWorkerRetry is how soon a delivery is taken over whose worker has died.
	lostWorkerRetry = time.Second
	// defaultTimeout stands in when a planned delivery names no timeout.
	defaultTimeout = 30 * time.Second
	// infraRetryMax is the longest wait between tries after a fault of ours
	// (database or worker down). It bounds how late deliveries resume after an
	// outage.
	infraRetryMax = 15 * time.Second
	// fastTurns is how often a call of several deliveries asks for room in the fast
	// lane, and one of a delivery alone twice: a turn costs the server three writes,
	// and the durable lane as many for each delivery of the call.
	fastTurns = 5
	// pagesAtOnce is how many pages of a fan-out begin together, and pagePause how
	// long the next ones wait for them at most. Five pages of a hundred deliveries
	// are what a tenant's share of the fast lane takes in a second from receivers
	// that answer within half of one. Ten thousand at once went the durable lane
	// instead, at three writes each, and everybody on the same Temporal waited.
	pagesAtOnce = 5
	pagePause   = time.Second
	// replayChunk is how many deliveries of a replay begin at once at most:
	// receivers that were down are not to be met by a page at a time.
	replayChunk = 50
	// replayMaxPages keeps the history of a replay, some twelve events a page, far
	// from Temporal's limit of 51,200.
	replayMaxPages = 500
	// replayPriority lets everything else pass: 1 is the highest of Temporal's
	// five, 3 the default.
	replayPriority = 5
)

// infraRetry is the policy for faults of ours. A receiver's fault never comes
// this way: its wait is the delivery's own policy, carried by NextRetryDelay.
func infraRetry() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:    time.Second,
		BackoffCoefficient: 2,
		MaximumInterval:    infraRetryMax,
	}
}

// ledgerStep is one call of the ledger: what it is for, the activity, its input.
type ledgerStep struct {
	summary  string
	activity any
	input    any
}

// run tries the step inside the workflow task first, and then durably.
func (step ledgerStep) run(ctx workflow.Context, result any) error {
	again, err := step.inTask(ctx, result)
	if again {
		return step.durably(ctx, "", result)
	}
	return err
}

// inTask tries the step inside the workflow task, and says whether to try again
// where it fails.
func (step ledgerStep) inTask(ctx workflow.Context, result any) (again bool, err error) {
	inTask := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: resolveTimeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    100 * time.Millisecond,
			BackoffCoefficient: 4,
			MaximumAttempts:    resolveTriesInTask,
		},
		Summary: step.summary,
	})
	err = workflow.ExecuteLocalActivity(inTask, step.activity, step.input).Get(ctx, result)
	return err != nil && ctx.Err() == nil && !isFinal(err), err
}

// durably runs the step as a regular activity, which may wait for the database as
// long as it takes without adding to the history. Without an id, the SDK counts.
func (step ledgerStep) durably(ctx workflow.Context, id string, result any) error {
	durably := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          id,
		StartToCloseTimeout: resolveTimeout,
		RetryPolicy:         infraRetry(),
		Summary:             step.summary,
	})
	return workflow.ExecuteActivity(durably, step.activity, step.input).Get(ctx, result)
}

// isFinal reports that trying again cannot help.
func isFinal(err error) bool {
	var application *temporal.ApplicationError
	return errors.As(err, &application) && application.NonRetryable()
}

// fastLane runs attempts inside the workflow task, once: a failure goes to the
// durable lane.
func fastLane(ctx workflow.Context, slice []*delivery) workflow.Context {
	timeout := time.Duration(0)
	for _, d := range slice {
		timeout = max(timeout, d.timeout())
	}
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: timeout + attemptSlack,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
		Summary:             sliceSummary(slice),
	})
}

// durableLane runs the attempts of one delivery as an activity that retries on
// its own schedule. WaitForCancellation: a retry asked for by a person must not
// start while a POST of the same delivery is still under way.
func durableLane(ctx workflow.Context, tenant string, d *delivery) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: d.timeout() + durableSlack,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy: &temporal.RetryPolicy{ // all other waits come with the activity's errors
			InitialInterval: lostWorkerRetry, BackoffCoefficient: 1, MaximumInterval: lostWorkerRetry,
		},
		WaitForCancellation: true,
		Priority:            temporal.Priority{FairnessKey: tenant},
		Summary:             d.summary(),
	})
}

// pageChild runs one page of a large fan-out. It is cancelled with its parent.
func pageChild(ctx workflow.Context, id, summary string) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:          id,
		WaitForCancellation: true,
		StaticSummary:       summary,
	})
}

// replayChild runs one page of a replay, behind everything else. What it runs
// itself inherits the priority.
func replayChild(ctx workflow.Context, id, summary, tenant string) workflow.Context {
	return workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:          id,
		WaitForCancellation: true,
		Priority:            temporal.Priority{PriorityKey: replayPriority, FairnessKey: tenant},
		StaticSummary:       summary,
	})
}

func (d *delivery) timeout() time.Duration {
	if d.TimeoutSeconds == 0 {
		return defaultTimeout
	}
	return time.Duration(d.TimeoutSeconds) * time.Second
}

// a is nil: workflows name activities by method and never call one.
var a *activities.Activities
