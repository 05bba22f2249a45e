package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// eventsInParts is the change since which events that share a run do not wait for
// one another when the ledger could not be written inside the workflow task. Runs
// that waited for it before go on as they were.
const eventsInParts = "events in parts"

// resolveLater plans the events that are not planned yet, beside the deliveries of
// the others: those that no process has known which was asked so far, or all of a
// run when the ledger does not answer. Each step plans what its process knows and
// leaves the rest to the next one.
//
// The step is a regular activity at once, scheduled in the very task that has
// learned of these events, and has an id of its own. A worker of a version that
// overlooks them (activities.ResolveResult.Later) so finds a history that it cannot
// have made, and leaves the run to others. With a local activity first, or with the
// id that the SDK gives, it could end the run without them.
func (run *deliverEvent) resolveLater(ctx workflow.Context, events []activities.Event) *work {
	work := newWork(ctx)
	if len(events) == 0 {
		return work
	}
	run.waiting = len(events)
	run.show(ctx)
	work.begin(ctx, "later events", func(ctx workflow.Context) error {
		for step := 1; len(events) > 0; step++ {
			result, err := run.resolvePart(ctx, events, step)
			if err != nil {
				return err
			}
			events = run.named(result.Later)
			run.waiting = len(events)
			added, pages := run.take(result)
			run.startPages(ctx, pages)
			run.launch(ctx, work, added)
			run.show(ctx)
		}
		return nil
	})
	return work
}

// resolvePart waits for a process that knows at least one of these events. A run
// that is cancelled waits as well: a try whose answer was lost may have planned
// them, and what was accepted is put on record before it is given up.
func (run *deliverEvent) resolvePart(ctx workflow.Context, events []activities.Event, step int) (activities.ResolveResult, error) {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	var result activities.ResolveResult
	input := activities.ResolveInput{Events: events, Partly: true, Handled: len(run.deliveries)}
	find := ledgerStep{fmt.Sprintf("find the webhooks: %d of %d events", len(events), len(run.events)), a.ResolveSubscriptions, input}
	if err := find.durably(detached, fmt.Sprintf("later-%d", step), &result); err != nil {
		return result, fmt.Errorf("find the webhooks of %d events: %w", len(events), err)
	}
	return result, nil
}

// named returns the events of the run with these ids.
func (run *deliverEvent) named(ids []string) []activities.Event {
	var events []activities.Event
	for _, id := range ids {
		events = append(events, run.events[id])
	}
	return events
}
