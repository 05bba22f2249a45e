package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// page is one page of an event's deliveries and the child that handles it.
type page struct {
	eventID string
	number  int    // of this event's pages, from 1
	of      int    // how many the event has
	after   string // the delivery id that the page starts after
	child   workflow.ChildWorkflowFuture
}

// pagesInWaves is the change since which a large fan-out begins in waves. Runs
// that began before it go on as they were.
const pagesInWaves = "pages in waves"

// startPages hands each page of a large fan-out to a child, so that no history
// grows past what Temporal handles well.
func (run *deliverEvent) startPages(ctx workflow.Context, pages []*page) {
	if ctx.Err() != nil {
		run.giveUp(ctx, pages)
		return
	}
	few := len(pages) <= pagesAtOnce
	if few || workflow.GetVersion(ctx, pagesInWaves, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		run.start(ctx, pages)
		return
	}
	workflow.GoNamed(ctx, "pages", func(ctx workflow.Context) { run.startInWaves(ctx, pages) })
}

// startInWaves lets a few pages begin at a time. The next ones come when these
// have ended, or after a moment: a receiver that fails keeps its page open for
// as long as it is retried.
func (run *deliverEvent) startInWaves(ctx workflow.Context, pages []*page) {
	for rest := pages; len(rest) > 0; {
		wave := rest[:min(pagesAtOnce, len(rest))]
		rest = rest[len(wave):]
		run.start(ctx, wave)
		if len(rest) == 0 {
			return
		}
		ended := func() bool {
			for _, p := range wave {
				if !p.child.IsReady() {
					return false
				}
			}
			return true
		}
		_, _ = workflow.AwaitWithTimeout(ctx, pagePause, ended)
		if ctx.Err() != nil { // Await does not say so where the wave has ended as well
			run.giveUp(ctx, rest)
			return
		}
	}
}

func (run *deliverEvent) start(ctx workflow.Context, pages []*page) {
	for _, p := range pages {
		summary := fmt.Sprintf("page %d of %d · tenant %s", p.number, p.of, run.tenant)
		child := pageChild(ctx, PageWorkflowID(run.tenant, p.eventID, p.number), summary)
		p.child = workflow.ExecuteChildWorkflow(child, DeliverPage, activities.PageInput{
			Tenant: run.tenant, EventID: p.eventID, After: p.after, GivenUp: run.givenUp,
		})
	}
}

// giveUp is for the pages that had not begun when the run was cancelled. Their
// deliveries are planned in the ledger and have to settle, so each page begins
// nevertheless, and sends nothing.
func (run *deliverEvent) giveUp(ctx workflow.Context, pages []*page) {
	run.givenUp = true
	detached, _ := workflow.NewDisconnectedContext(ctx)
	run.start(detached, pages)
}

// awaitPages adds the children's results to our own. It waits for all of them,
// whatever comes of the first: a child does not outlive its parent, and one that
// was cancelled has deliveries to settle.
func (run *deliverEvent) awaitPages(ctx workflow.Context) error {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	var failures []error
	for _, p := range run.pages {
		_ = workflow.Await(detached, func() bool { return p.child != nil }) // never cancelled
		var result DeliverEventResult
		if err := p.child.Get(detached, &result); err != nil {
			failures = append(failures, fmt.Errorf("page %d of event %s: %w", p.number, p.eventID, err))
			continue
		}
		for _, state := range workflow.DeterministicKeys(result.Deliveries) {
			run.counts[state] += result.Deliveries[state]
		}
	}
	if ctx.Err() != nil {
		return temporal.NewCanceledError()
	}
	return errors.Join(failures...)
}

// forward passes a request on to the child whose page may hold the delivery.
// With several large events in one run that is one child per event; those that
// do not hold it let it be.
func (run *deliverEvent) forward(ctx workflow.Context, request RetryNow) {
	for i, p := range run.pages {
		last := p.number == p.of
		mayHold := p.after < request.DeliveryID && (last || request.DeliveryID <= run.pages[i+1].after)
		if p.child == nil || !mayHold {
			continue
		}
		if err := p.child.SignalChildWorkflow(ctx, SignalRetryNow, request).Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("retry now not passed on", "delivery", request.DeliveryID, "error", err)
		}
	}
}
