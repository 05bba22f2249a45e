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
	rest, err := run.resolve(ctx, in)
	if err != nil {
		return DeliverEventResult{}, err
	}
	run.startPages(ctx, run.pages)
	later := run.resolveLater(ctx, rest)
	failure := run.deliver(ctx)
	if err := run.finish(ctx, later); failure == nil {
		failure = err
	}
	if err := run.awaitPages(ctx); err != nil {
		return DeliverEventResult{}, err
	}
	if failure != nil {
		return DeliverEventResult{}, failure
	}
	return run.report(ctx)
}

// deliverEvent is the state of one run: the deliveries it handles itself, and
// the children that handle the pages of a large fan-out.
type deliverEvent struct {
	*round
	pages   []*page
	givenUp bool // the run was cancelled: pages that begin now send nothing
}

// resolve writes the ledger and learns from it what is to do. It does so for a run
// that is cancelled, too: what another try of the task may have planned has to
// settle. It returns the events that are not planned yet; one alone always is.
func (run *deliverEvent) resolve(ctx workflow.Context, in DeliverEventInput) (rest []activities.Event, err error) {
	several := len(in.Events) > 1
	var result activities.ResolveResult
	step := ledgerStep{"find the webhooks", a.ResolveSubscriptions, activities.ResolveInput{Events: in.Events, Partly: several}}
	detached, _ := workflow.NewDisconnectedContext(ctx)
	again, err := step.inTask(detached, &result)
	if again && several && workflow.GetVersion(ctx, eventsInParts, workflow.DefaultVersion, 1) != workflow.DefaultVersion {
		return in.Events, nil
	}
	if again {
		err = step.durably(detached, "", &result)
	}
	if err != nil {
		return nil, fmt.Errorf("find the webhooks of %d events: %w", len(in.Events), err)
	}
	run.take(result)
	return run.named(result.Later), nil
}

// take takes over what was planned, and returns what it added to the run.
func (run *deliverEvent) take(result activities.ResolveResult) (added []*delivery, pages []*page) {
	for _, event := range result.Events {
		if event.Duplicate {
			run.counts["duplicate"]++
		}
		added = append(added, run.add(event.Deliveries)...)
		for i, after := range event.Pages {
			pages = append(pages, &page{eventID: event.EventID, number: i + 1, of: len(event.Pages), after: after})
		}
	}
	run.pages = append(run.pages, pages...)
	return added, pages
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
