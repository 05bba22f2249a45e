package activities

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"go.temporal.io/sdk/temporal"

	"posthaste/errs"
	"posthaste/failpoint"
	"posthaste/models"
	"posthaste/webhook"
)

// Deliver makes one attempt of each delivery that is due, all at once, and says
// where each stands then.
//
// In the fast lane it fails only when the ledger cannot be read: what could not
// be settled is returned as it stands, and the workflow gives it another turn or
// hands it to the durable lane. There it has one delivery, and returns an error as
// long as that has not settled; the error carries the time of the next attempt,
// computed from the ledger.
func (a *Activities) Deliver(ctx context.Context, in DeliverInput) (DeliverResult, error) {
	if in.Lane == LaneDurable {
		return a.deliverDurably(ctx, in)
	}
	if !in.Since.IsZero() && a.now().Sub(in.Since) > staleTask {
		return a.leaveAll(in, DeferredLate), nil
	}
	leave, ok := a.fastCalls.take(ctx, in.Tenant, nil)
	if !ok {
		return a.leaveAll(in, DeferredTenant), nil
	}
	defer a.fastLines.ended(in.Tenant)
	defer leave()
	return a.deliverFast(ctx, in)
}

// deliverFast makes one attempt of each delivery, side by side.
func (a *Activities) deliverFast(ctx context.Context, in DeliverInput) (DeliverResult, error) {
	free, end := a.underway.begin(in.Deliveries)
	defer end()
	for range len(in.Deliveries) - len(free) {
		a.meter.Deferred(LaneFast, DeferredLedger)
	}
	in.Deliveries = free // the others are left as they are, to the durable lane
	jobs, err := a.readSlice(ctx, in)
	if err != nil {
		return DeliverResult{}, fmt.Errorf("read %d deliveries: %w", len(in.Deliveries), err)
	}
	standings := make([]standing, len(jobs))
	var group sync.WaitGroup
	for i, j := range jobs {
		group.Go(func() {
			standings[i] = a.attemptFast(ctx, j)
		})
	}
	group.Wait()
	failpoint.Here(failpoint.AfterRecordFast)
	return a.withTurns(in.Tenant, standings), nil
}

// attemptFast makes one attempt and says where the delivery stands, however that
// went. A panic is the trouble of this delivery alone: in a goroutine of ours it
// would end the process, and then the next one that has the task. In the durable
// lane it is Temporal's SDK that contains it, and waits before it tries again.
func (a *Activities) attemptFast(ctx context.Context, j job) (s standing) {
	defer func() {
		if cause := recover(); cause != nil {
			s = stands(j.due.Delivery) // a job without one ends before anything can go wrong
			a.logger.ErrorContext(ctx, "delivery left to the durable lane", "delivery", j.ref.DeliveryID,
				"error", fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
		}
	}()
	s, err := a.attempt(ctx, j)
	if err != nil {
		a.logger.WarnContext(ctx, "delivery left to the durable lane", "delivery", j.ref.DeliveryID, "error", err)
	}
	return s
}

// staleTask is how old a workflow task may be for its deliveries to be sent from
// it: a little less than Temporal's own limit of 10 s, after which it gives the
// task to another worker.
const staleTask = 9 * time.Second

// readSlice reads all that the attempts of a slice need, in one query for the
// deliveries and their webhooks, and one for each event that did not come along.
func (a *Activities) readSlice(ctx context.Context, in DeliverInput) ([]job, error) {
	events := make(map[string]*Event, len(in.Events))
	for i := range in.Events {
		events[in.Events[i].ID] = &in.Events[i]
	}
	ids := make([]string, len(in.Deliveries))
	for i, ref := range in.Deliveries {
		ids[i] = ref.DeliveryID
		if events[ref.EventID] != nil {
			continue
		}
		row, err := a.store.Event(ctx, in.Tenant, ref.EventID)
		if err != nil {
			return nil, fmt.Errorf("event %s: %w", ref.EventID, err)
		}
		event, err := eventOf(row)
		if err != nil {
			return nil, err
		}
		events[ref.EventID] = &event
	}
	rows, err := a.store.DueDeliveries(ctx, in.Tenant, ids)
	if err != nil {
		return nil, err
	}
	due := make(map[string]*models.Due, len(rows))
	for i := range rows {
		due[rows[i].Delivery.ID] = &rows[i]
	}
	jobs := make([]job, len(in.Deliveries))
	for i, ref := range in.Deliveries {
		jobs[i] = job{ref: ref, due: due[ref.DeliveryID], event: events[ref.EventID], lane: in.Lane}
	}
	return jobs, nil
}

// deliverDurably makes one attempt of one delivery and lets Temporal wait for
// the next.
func (a *Activities) deliverDurably(ctx context.Context, in DeliverInput) (DeliverResult, error) {
	if len(in.Deliveries) != 1 {
		return DeliverResult{}, temporal.NewNonRetryableApplicationError(
			fmt.Sprintf("the durable lane takes one delivery, not %d", len(in.Deliveries)), "Invalid", nil)
	}
	free, end := a.underway.begin(in.Deliveries)
	defer end()
	if len(free) == 0 {
		a.meter.Deferred(LaneDurable, DeferredLedger)
		return DeliverResult{}, busy().wait()
	}
	j, err := a.readOne(ctx, in)
	if err != nil {
		return DeliverResult{}, a.ourFault("read delivery", in.Deliveries[0].DeliveryID, err)
	}
	standing, err := a.attempt(ctx, j)
	if err != nil {
		return DeliverResult{}, a.ourFault("delivery", in.Deliveries[0].DeliveryID, err)
	}
	a.faults.over()
	failpoint.Here(failpoint.AfterRecordDurable)
	if !standing.State.Settled() {
		return DeliverResult{}, standing.wait()
	}
	return DeliverResult{Deliveries: []Attempted{standing.Attempted}}, nil
}

// readOne reads a delivery with its webhook and event, in one query.
func (a *Activities) readOne(ctx context.Context, in DeliverInput) (job, error) {
	j := job{ref: in.Deliveries[0], lane: in.Lane, now: in.Now}
	due, err := a.store.DueDelivery(ctx, in.Tenant, j.ref.DeliveryID)
	if errs.Is(err, errs.NotFound) {
		return j, nil
	}
	if err != nil {
		return job{}, err
	}
	event, err := eventOf(due.Event)
	j.due, j.event = &due, &event
	return j, err
}

// stillUnderWay is how long a delivery waits whose outcome this process has and
// the database has not: outages are over sooner than that or much later.
const stillUnderWay = 5 * time.Second

// busy is the standing of a delivery whose earlier attempt is not on record yet.
func busy() standing {
	return standing{next: stillUnderWay, deferred: true, detail: "its outcome waits for the database"}
}

// job is one delivery to attempt, as the ledger has it just before.
type job struct {
	ref   DeliveryRef
	due   *models.Due // nil: the webhook was deleted, and the delivery with it
	event *Event
	lane  Lane
	now   bool
}

// standing is where a delivery stands after a job. While it has not settled,
// next says how long until the next attempt, and deferred that this job sent
// nothing; again, that it is to have another turn in the fast lane.
type standing struct {
	Attempted
	next     time.Duration
	deferred bool
	again    bool
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
