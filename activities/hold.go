package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"posthaste/models"
)

const (
	// holdEvery is how often an attempt that takes long says that it is still
	// being made: to Temporal, which would give the delivery to another process
	// (HeartbeatTimeout), and to the ledger, which keeps that process from
	// sending when it is only Temporal that we cannot reach. Ordinary attempts
	// are over before the first time and cost nothing.
	holdEvery = 5 * time.Second
	// holdFor is how long the word counts: as long as Temporal's patience, so
	// that a process that died delays nothing beyond that.
	holdFor = 2 * holdEvery
)

// HeartbeatTimeout is how long Temporal waits for a sign of life before it gives
// a delivery of the durable lane to another process.
const HeartbeatTimeout = holdFor

// hold keeps other processes from making the same attempt until release is
// called, which must come after the outcome is on record. Temporal and the
// ledger are told apart from each other: one that does not answer must not keep
// the word from the other.
func (a *Activities) hold(ctx context.Context, d models.Delivery) (release func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	// Attempts that began together, as those do that wait for one silent receiver,
	// do not all speak together.
	first := time.Duration((0.5 + 0.5*a.spread()) * float64(holdEvery))
	late := time.AfterFunc(first, func() {
		go repeatedly(ctx, func() { activity.RecordHeartbeat(ctx) }) // does nothing in the fast lane
		repeatedly(ctx, func() { a.noteHold(ctx, d) })
	})
	return func() { late.Stop(); cancel() }
}

func repeatedly(ctx context.Context, do func()) {
	tick := time.NewTicker(holdEvery)
	defer tick.Stop()
	for {
		do()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// noteHold tells the ledger. If it cannot be told, Temporal's heartbeat alone
// keeps the delivery ours.
func (a *Activities) noteHold(ctx context.Context, d models.Delivery) {
	ctx, cancel := context.WithTimeout(ctx, holdEvery)
	defer cancel()
	if _, err := a.store.Hold(ctx, d, holdFor, true); err != nil && ctx.Err() == nil {
		a.logger.WarnContext(ctx, "cannot note that a delivery is being sent", "delivery", d.ID, "error", err)
	}
}

// take takes a delivery of the durable lane in hand before its POST, and says no
// when another process was faster: a task that was on its way to us while we
// could not be reached may be long out of date. The fast lane, where every write
// counts, goes by the age of its task instead (DeliverInput.Since).
func (a *Activities) take(ctx context.Context, d models.Delivery) (bool, error) {
	taken, err := a.store.Hold(ctx, d, holdFor, false)
	if err != nil {
		return false, fmt.Errorf("take delivery %s in hand: %w", d.ID, err)
	}
	return taken, nil
}
