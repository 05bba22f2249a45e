package workflows

import (
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

const (
	// pruneTimeout bounds a run of pruning. It goes slowly on purpose; what is
	// left is the next run's.
	pruneTimeout = 20 * time.Hour
	// pruneHeartbeat is how soon another worker takes over from one that died. No
	// step of pruning, its pause included, lasts half as long.
	pruneHeartbeat = time.Minute
	// partitionsTimeout bounds adding the partitions of some days, with all the
	// waiting for locks that others hold.
	partitionsTimeout = 10 * time.Minute
	partitionsTries   = 5
)

// PruneHistory forgets what is past its retention, and makes room for the days to
// come. It is run by a schedule (EnsureSchedules), one at a time. What is old is
// decided by when the run began, however long it takes and however often it is
// taken up again.
func PruneHistory(ctx workflow.Context) (activities.Pruned, error) {
	in := activities.PruneInput{At: workflow.Now(ctx)}
	ahead := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: partitionsTimeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: infraRetryMax, MaximumAttempts: partitionsTries,
		},
		Summary: "add the partitions of the coming days",
	})
	// Deliveries go on without those partitions, and so does this; but it is told.
	unready := workflow.ExecuteActivity(ahead, a.AddPartitions).Get(ctx, nil)
	if unready != nil {
		unready = fmt.Errorf("add partitions: %w", unready)
	}
	slowly := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ScheduleToCloseTimeout: pruneTimeout,
		StartToCloseTimeout:    pruneTimeout,
		HeartbeatTimeout:       pruneHeartbeat,
		RetryPolicy:            infraRetry(),
		Summary:                "forget what tenants no longer keep",
	})
	var done activities.Pruned
	if err := workflow.ExecuteActivity(slowly, a.Prune, in).Get(ctx, &done); err != nil {
		return done, errors.Join(unready, fmt.Errorf("prune: %w", err))
	}
	return done, unready
}
