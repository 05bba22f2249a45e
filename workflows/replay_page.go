package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// ReplayPageResult counts the deliveries of a page, and repeats what the page
// has told the replay: a page may end before its word is heard.
type ReplayPageResult struct {
	DeliverEventResult
	Begun PageBegun `json:"begun"`
}

// ReplayPage reopens one page of a replay's deliveries, some at a time so that
// the rate is held, and ends when all have settled. It is a child of
// ReplayDeliveries.
func ReplayPage(ctx workflow.Context, in ReplayPageInput) (ReplayPageResult, error) {
	run := &replayPage{deliverEvent: &deliverEvent{round: newRound(in.Replay.Tenant, nil)}, in: in}
	run.listen(ctx)
	var found activities.FindReplayResult
	step := ledgerStep{"find the deliveries", a.FindReplayable, activities.FindReplayInput{Replay: in.Replay, After: in.After}}
	if err := step.run(ctx, &found); err != nil {
		return ReplayPageResult{}, fmt.Errorf("find page %d of replay %s: %w", in.Page, in.Replay.ID, err)
	}
	run.ids = found.DeliveryIDs
	result := ReplayPageResult{Begun: PageBegun{Page: in.Page, Last: found.Last, End: found.End}}
	if len(run.ids) == 0 {
		return result, nil
	}
	run.keepNotes(ctx)
	work := newWork(ctx)
	stop, failed := run.begin(ctx, work)
	result.Begun.Stop = stop
	if failed == nil && run.unsettled() {
		run.tell(ctx, result.Begun)
	}
	err := run.finish(ctx, work)
	run.lastNote(ctx)
	if err == nil {
		err = failed
	}
	if err == nil {
		result.DeliverEventResult, err = run.report(ctx)
	}
	return result, err
}

// replayPage is the state of one page: its deliveries, and what of their
// progress is on record.
type replayPage struct {
	*deliverEvent
	in     ReplayPageInput
	ids    []string
	noted  int  // of all that was there to note
	noting bool // a note is being written
	ended  bool // nothing changes any more
}

// begin reopens the deliveries, a second's worth at a time, and sets each going.
// It ends early when the webhook receives nothing any more, and says why, or when
// the replay is cancelled.
func (run *replayPage) begin(ctx workflow.Context, work *work) (stop string, err error) {
	perSecond := max(1, run.in.Replay.PerSecond)
	size := min(replayChunk, perSecond)
	pause := time.Duration(size) * time.Second / time.Duration(perSecond)
	for rest := run.ids; len(rest) > 0 && ctx.Err() == nil; {
		chunk := rest[:min(size, len(rest))]
		rest = rest[len(chunk):]
		// What was reopened must be known here, cancelled or not.
		detached, _ := workflow.NewDisconnectedContext(ctx)
		var opened activities.ReopenReplayResult
		step := ledgerStep{"reopen deliveries", a.ReopenReplayable, activities.ReopenReplayInput{Replay: run.in.Replay, DeliveryIDs: chunk}}
		if err := step.run(detached, &opened); err != nil {
			return "", fmt.Errorf("reopen %d deliveries: %w", len(chunk), err)
		}
		run.launch(ctx, work, run.add(opened.Deliveries))
		if opened.Stop != "" {
			return opened.Stop, nil
		}
		if err := workflow.Sleep(ctx, pause); err != nil {
			return "", nil //nolint:nilerr // cancelled: finish sees to it
		}
	}
	return "", nil
}

// unsettled reports whether the page has to go on: one that has not lets the
// replay go on by ending.
func (run *replayPage) unsettled() bool {
	return slices.ContainsFunc(run.deliveries, func(d *delivery) bool { return !d.State.Settled() })
}

// tell lets the replay go on to the next page. A replay that is gone needs no
// telling.
func (run *replayPage) tell(ctx workflow.Context, begun PageBegun) {
	parent := workflow.GetInfo(ctx).ParentWorkflowExecution
	if parent == nil || ctx.Err() != nil {
		return
	}
	err := workflow.SignalExternalWorkflow(ctx, parent.ID, parent.RunID, SignalPageBegun, begun).Get(ctx, nil)
	if err != nil {
		workflow.GetLogger(ctx).Warn("the replay was not told", "page", begun.Page, "error", err)
	}
}

// keepNotes writes the progress whenever there is some. What happens while a
// note is written is in the next one.
func (run *replayPage) keepNotes(ctx workflow.Context) {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	workflow.GoNamed(detached, "progress", func(ctx workflow.Context) {
		for {
			_ = workflow.Await(ctx, func() bool { return run.ended || run.progress() != run.noted }) // never cancelled
			if run.ended {
				return
			}
			run.noting = true
			run.note(ctx)
			run.noting = false
		}
	})
}

// lastNote writes where all ended.
func (run *replayPage) lastNote(ctx workflow.Context) {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	run.ended = true
	_ = workflow.Await(detached, func() bool { return !run.noting }) // never cancelled
	run.note(detached)
}

// progress is a number that grows with all that is worth a note.
func (run *replayPage) progress() int {
	n := 1 + len(run.deliveries)
	for _, state := range workflow.DeterministicKeys(run.counts) {
		n += run.counts[state]
	}
	return n
}

// note writes the progress. A replay does not fail for want of it.
func (run *replayPage) note(ctx workflow.Context) {
	run.noted = run.progress()
	step := ledgerStep{"note the progress", a.NoteReplay, activities.NoteReplayInput{
		Tenant: run.tenant, ReplayID: run.in.Replay.ID, Page: run.in.Page, DeliveryIDs: run.ids,
	}}
	if err := step.run(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Warn("progress not noted", "page", run.in.Page, "error", err)
	}
}
