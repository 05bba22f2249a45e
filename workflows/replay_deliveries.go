package workflows

import (
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// SignalPageBegun tells a replay that all deliveries of a page have begun, so
// that the next page may. It carries a PageBegun.
const SignalPageBegun = "page-begun"

// PageBegun says how a page of a replay stands.
type PageBegun struct {
	Page int    `json:"page"`
	Last string `json:"last"`           // the delivery id that the next page begins after
	End  bool   `json:"end,omitempty"`  // there is no next page
	Stop string `json:"stop,omitempty"` // why there must be none
}

// ReplayPageInput names one page of a replay. Pages count from 1.
type ReplayPageInput struct {
	Replay activities.ReplayInput `json:"replay"`
	Page   int                    `json:"page"`
	After  string                 `json:"after"`
}

// ReplayDeliveries sends the settled deliveries of a webhook again that were
// asked for, page by page, each page a child, and ends when all have settled. A
// page begins when the one before has begun all of its deliveries or has ended, so that no
// more than the replay's rate begin in a second, also after an outage.
func ReplayDeliveries(ctx workflow.Context, in activities.ReplayInput) (DeliverEventResult, error) {
	detached, _ := workflow.NewDisconnectedContext(ctx) // cancelled or not, it has to begin and end on record
	step := ledgerStep{"begin the replay", a.BeginReplay, in}
	if err := step.run(detached, nil); err != nil {
		return DeliverEventResult{}, fmt.Errorf("begin replay %s: %w", in.ID, err)
	}
	run := &replay{in: in, begun: map[int]PageBegun{}}
	run.listen(ctx)
	stop := run.startPages(ctx)
	result, err := run.awaitPages(ctx)
	end := activities.EndReplayInput{Tenant: in.Tenant, ReplayID: in.ID, State: ReplayCompleted}
	switch {
	case ctx.Err() != nil:
		end.State, err = ReplayCancelled, temporal.NewCanceledError()
	case err != nil:
		end.State, end.Reason = ReplayStopped, "a fault of Posthaste"
	case stop != "":
		end.State, end.Reason = ReplayStopped, stop
	}
	step = ledgerStep{"end the replay", a.EndReplay, end}
	if failed := step.run(detached, nil); failed != nil {
		return result, fmt.Errorf("end replay %s: %w", in.ID, failed)
	}
	return result, err
}

// replay is the state of one replay: its pages, and what they have told.
type replay struct {
	in    activities.ReplayInput
	pages []workflow.ChildWorkflowFuture
	begun map[int]PageBegun
}

// listen takes what the pages tell from the first moment on.
func (run *replay) listen(ctx workflow.Context) {
	told := workflow.GetSignalChannel(ctx, SignalPageBegun)
	workflow.GoNamed(ctx, "pages", func(ctx workflow.Context) {
		for {
			var begun PageBegun
			told.Receive(ctx, &begun)
			run.begun[begun.Page] = begun
		}
	})
}

// startPages starts one page after the other, and says why it stopped before
// the last one; empty when it did not.
func (run *replay) startPages(ctx workflow.Context) (stop string) {
	after := ""
	for page := 1; page <= replayMaxPages && ctx.Err() == nil; page++ {
		summary := fmt.Sprintf("page %d of a replay · tenant %s", page, run.in.Tenant)
		options := replayChild(ctx, ReplayPageWorkflowID(run.in.Tenant, run.in.ID, page), summary, run.in.Tenant)
		child := workflow.ExecuteChildWorkflow(options, ReplayPage, ReplayPageInput{Replay: run.in, Page: page, After: after})
		run.pages = append(run.pages, child)
		told := func() bool { _, ok := run.begun[page]; return ok || child.IsReady() }
		if err := workflow.Await(ctx, told); err != nil {
			return "" // cancelled
		}
		begun, ok := run.begun[page]
		if !ok { // it ended; awaitPages sees to an error
			var result ReplayPageResult
			if err := child.Get(ctx, &result); err != nil {
				return ""
			}
			begun = result.Begun
		}
		if begun.End || begun.Stop != "" {
			return begun.Stop
		}
		after = begun.Last
	}
	return fmt.Sprintf("there may be more: one replay takes %d pages of %d deliveries at most", replayMaxPages, activities.PageSize)
}

// awaitPages adds up what became of the pages.
func (run *replay) awaitPages(ctx workflow.Context) (DeliverEventResult, error) {
	total := DeliverEventResult{Deliveries: map[string]int{}}
	var failed error
	for i, child := range run.pages {
		var result ReplayPageResult
		if err := child.Get(ctx, &result); err != nil {
			failed = fmt.Errorf("page %d of replay %s: %w", i+1, run.in.ID, err)
		}
		for _, state := range workflow.DeterministicKeys(result.Deliveries) {
			total.Deliveries[state] += result.Deliveries[state]
		}
	}
	return total, failed
}
