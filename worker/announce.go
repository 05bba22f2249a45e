package worker

import (
	"context"
	"log/slog"
	"time"

	"posthaste/activities"
	"posthaste/workflows"
)

// announceEvery is how often the ledger is asked for notices: so late may one
// be. The table is nearly always empty, and the question costs what any of a
// table that is empty does.
const announceEvery = 500 * time.Millisecond

// Announce makes events of what happened to webhooks until ctx ends. Every
// worker does, and none waits for another: two that take the same notice start
// the same workflow.
func Announce(ctx context.Context, announcer *activities.Announcer, starter *workflows.Starter, logger *slog.Logger) {
	start := func(ctx context.Context, event activities.Event) error {
		_, err := starter.DeliverEvent(ctx, event)
		return err
	}
	ticker := time.NewTicker(announceEvery)
	defer ticker.Stop()
	failing := false
	for {
		n, err := announcer.Announce(ctx, start)
		if err != nil && ctx.Err() == nil && !failing {
			logger.WarnContext(ctx, "what happened to webhooks is told later", "error", err)
		}
		failing = err != nil
		if err == nil && n > 0 {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
