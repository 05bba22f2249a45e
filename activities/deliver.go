package activities

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"posthaste/models"
	"posthaste/webhook"
)

// Deliver makes one attempt of each delivery that is due, all at once, and says
// where each stands then.
//
// In the fast lane it never fails: what could not be settled is returned as it
// stands, and the workflow hands it to the durable lane. In the durable lane it
// has one delivery, and returns an error as long as that has not settled; the
// error carries the time of the next attempt, computed from the ledger.
func (a *Activities) Deliver(ctx context.Context, in DeliverInput) (DeliverResult, error) {
	if in.Lane == LaneDurable {
		return a.deliverDurably(ctx, in)
	}
	events := make(map[string]*Event, len(in.Events))
	for i := range in.Events {
		events[in.Events[i].ID] = &in.Events[i]
	}
	result := DeliverResult{Deliveries: make([]Attempted, len(in.Deliveries))}
	var group sync.WaitGroup
	for i, ref := range in.Deliveries {
		group.Go(func() {
			standing, err := a.attempt(ctx, job{tenant: in.Tenant, ref: ref, event: events[ref.EventID], lane: in.Lane})
			if err != nil {
				a.logger.WarnContext(ctx, "delivery left to the durable lane", "delivery", ref.DeliveryID, "error", err)
			}
			result.Deliveries[i] = standing.Attempted
		})
	}
	group.Wait()
	return result, nil
}

// deliverDurably makes one attempt of one delivery and lets Temporal wait for
// the next.
func (a *Activities) deliverDurably(ctx context.Context, in DeliverInput) (DeliverResult, error) {
	if len(in.Deliveries) != 1 {
		return DeliverResult{}, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("the durable lane takes one delivery, not %d", len(in.Deliveries)), "Invalid", nil)
	}
	standing, err := a.attempt(ctx, job{tenant: in.Tenant, ref: in.Deliveries[0], lane: in.Lane, now: in.Now})
	if err != nil {
		return DeliverResult{}, temporalError(fmt.Errorf("delivery %s: %w", in.Deliveries[0].DeliveryID, err))
	}
	if !standing.State.Settled() {
		return DeliverResult{}, standing.wait()
	}
	return DeliverResult{Deliveries: []Attempted{standing.Attempted}}, nil
}

// job is one delivery to attempt.
type job struct {
	tenant string
	ref    DeliveryRef
	event  *Event // nil: read the ledger's
	lane   Lane
	now    bool
}

// standing is where a delivery stands after a job. While it has not settled,
// next says how long until the next attempt, and deferred that this job sent
// nothing.
type standing struct {
	Attempted
	next     time.Duration
	deferred bool
	detail   string
}

// shortestWait stands for "at once": Temporal reads a delay of zero as "use the
// retry policy".
const shortestWait = time.Millisecond

// wait is the standing as an error that makes Temporal wait. Its text is what a
// person reads beside the pending activity.
func (s standing) wait() error {
	name, text := ErrorRetry, fmt.Sprintf("attempt %d: %s", s.Attempts, s.detail)
	if s.deferred {
		name, text = ErrorDeferred, s.detail
	}
	return temporal.NewApplicationErrorWithOptions(text, name, temporal.ApplicationErrorOptions{
		NextRetryDelay: max(s.next, shortestWait),
		Category:       temporal.ApplicationErrorCategoryBenign,
	})
}

// stands describes a delivery as the ledger has it.
func stands(d models.Delivery) standing {
	attempted := Attempted{DeliveryID: d.ID, State: d.State, Attempts: d.Attempts, Reason: webhook.Reason(d.Reason)}
	if d.LastStatusCode != nil {
		attempted.StatusCode = *d.LastStatusCode
	}
	return standing{Attempted: attempted}
}
