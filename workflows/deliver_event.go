package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// DeliverEventInput is a list of events of one tenant; normally it holds one.
type DeliverEventInput struct {
	Events []activities.Event `json:"events"`
}

// DeliverEventResult counts the deliveries by the state they settled in. It
// holds "duplicate" for events that belong to another run.
type DeliverEventResult struct {
	Deliveries map[string]int `json:"deliveries"`
}

// DeliverEvent delivers events to every webhook that wants them, and ends when
// each delivery has settled. That a receiver failed is an outcome in the ledger
// and in the result, never an error of the workflow.
func DeliverEvent(ctx workflow.Context, in DeliverEventInput) (DeliverEventResult, error) {
	run := &deliverEvent{round: newRound(in.Events[0].Tenant, in.Events)}
	run.listen(ctx)
	if err := run.resolve(ctx, in); err != nil {
		return DeliverEventResult{}, err
	}
	run.startPages(ctx)
	if err := run.deliver(ctx); err != nil {
		return DeliverEventResult{}, err
	}
	if err := run.awaitPages(ctx); err != nil {
		return DeliverEventResult{}, err
	}
	return run.report(ctx)
}

// deliverEvent is the state of one run: the deliveries it handles itself, and
// the children that handle the pages of a large fan-out.
type deliverEvent struct {
	*round
	pages []page
}

// page is one page of an event's deliveries and the child that handles it.
type page struct {
	eventID string
	number  int    // of this event's pages, from 1
	of      int    // how many the event has
	after   string // the delivery id that the page starts after
	child   workflow.ChildWorkflowFuture
}

// resolve writes the ledger and learns from it what is to do.
func (run *deliverEvent) resolve(ctx workflow.Context, in DeliverEventInput) error {
	var result activities.ResolveResult
	step := ledgerStep{"find the webhooks", a.ResolveSubscriptions, activities.ResolveInput(in)}
	if err := step.run(ctx, &result); err != nil {
		return fmt.Errorf("find the webhooks of %d events: %w", len(in.Events), err)
	}
	for _, event := range result.Events {
		if event.Duplicate {
			run.counts["duplicate"]++
		}
		run.add(event.Deliveries)
		for i, after := range event.Pages {
			run.pages = append(run.pages, page{
				eventID: event.EventID, number: i + 1, of: len(event.Pages), after: after,
			})
		}
	}
	return nil
}

// startPages hands each page of a large fan-out to a child, so that no history
// grows past what Temporal handles well.
func (run *deliverEvent) startPages(ctx workflow.Context) {
	for i := range run.pages {
		p := &run.pages[i]
		summary := fmt.Sprintf("page %d of %d · tenant %s", p.number, p.of, run.tenant)
		child := pageChild(ctx, PageWorkflowID(run.tenant, p.eventID, p.number), summary)
		p.child = workflow.ExecuteChildWorkflow(child, DeliverPage, activities.PageInput{
			Tenant: run.tenant, EventID: p.eventID, After: p.after,
		})
	}
}

// awaitPages adds the children's results to our own.
func (run *deliverEvent) awaitPages(ctx workflow.Context) error {
	for _, p := range run.pages {
		var result DeliverEventResult
		if err := p.child.Get(ctx, &result); err != nil {
			return fmt.Errorf("page %d of event %s: %w", p.number, p.eventID, err)
		}
		for _, state := range workflow.DeterministicKeys(result.Deliveries) {
			run.counts[state] += result.Deliveries[state]
		}
	}
	return nil
}

// listen takes a person's requests from the first moment on.
func (run *deliverEvent) listen(ctx workflow.Context) {
	requests := workflow.GetSignalChannel(ctx, SignalRetryNow)
	workflow.GoNamed(ctx, "retry now", func(ctx workflow.Context) {
		for {
			var request RetryNow
			requests.Receive(ctx, &request)
			if !run.retryNow(request.DeliveryID) {
				run.forward(ctx, request)
			}
		}
	})
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
