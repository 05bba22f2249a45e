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
	failure := run.deliver(ctx)
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
	pages   []page
	givenUp bool // the run was cancelled: pages that begin now send nothing
}

// resolve writes the ledger and learns from it what is to do. It does so for a run
// that is cancelled, too: what another try of the task may have planned has to
// settle.
func (run *deliverEvent) resolve(ctx workflow.Context, in DeliverEventInput) error {
	var result activities.ResolveResult
	step := ledgerStep{"find the webhooks", a.ResolveSubscriptions, activities.ResolveInput(in)}
	detached, _ := workflow.NewDisconnectedContext(ctx)
	if err := step.run(detached, &result); err != nil {
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
