package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"posthaste/models"
)

// Pruned is what a run of pruning deleted.
type Pruned = models.Pruned

// PruneInput says when the run began: what was old then is forgotten.
type PruneInput struct {
	At time.Time `json:"at"`
}

// AddPartitions makes room in the database for the days to come.
func (a *Activities) AddPartitions(ctx context.Context) error {
	made, err := a.store.AddPartitions(ctx)
	if err != nil {
		return temporalError(fmt.Errorf("add partitions, after %d: %w", made, err))
	}
	return nil
}

// Prune forgets what tenants no longer keep, in small steps with pauses. Each is
// a heartbeat that carries what was done so far, so that whoever takes over from
// a lost worker counts on from there. A worker that stops hands over at once.
func (a *Activities) Prune(ctx context.Context, in PruneInput) (Pruned, error) {
	var before Pruned
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &before); err != nil {
			return Pruned{}, fmt.Errorf("read what was pruned before: %w", err)
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			cancel()
		case <-ctx.Done():
		}
	}()
	done, err := a.store.Prune(ctx, in.At, func(done Pruned) { activity.RecordHeartbeat(ctx, before.Plus(done)) })
	if err != nil {
		return Pruned{}, temporalError(fmt.Errorf("prune: %w", err))
	}
	total := before.Plus(done)
	a.logger.Info("pruned", "events", total.Events, "deliveries", total.Deliveries, "attempts", total.Attempts,
		"partitions", total.Partitions, "postponed", total.Postponed)
	return total, nil
}
