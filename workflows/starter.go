package workflows

import (
	"context"
	"errors"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"posthaste/activities"
	"posthaste/errs"
	"posthaste/failpoint"
)

const (
	// memoBodyHash holds the hash of what was enqueued with a key: it tells a
	// repeated key from a reused one.
	memoBodyHash = "bodyHash"
)

// Starter starts and steers workflows. It is all that the API knows of them.
type Starter struct {
	client client.Client
	outage *outage
	starts lastStart
	data   converter.DataConverter // the client's: it reads the memo
	shared *coalescer              // nil: every event starts its own workflow
}

// NewStarter returns a Starter on a client and the converter that the client was
// made with. For eager start the client must be the one that the worker of this
// process runs on. With eventsPerWorkflow over 1, that many events which arrive
// while a start is under way share the next one.
func NewStarter(c client.Client, data converter.DataConverter, eventsPerWorkflow int) *Starter {
	s := &Starter{client: c, data: data}
	s.starts.now = time.Now //nolint:forbidigo // what it measures is no part of a workflow
	s.outage = newOutage(s.alive)
	if eventsPerWorkflow > 1 {
		s.shared = newCoalescer(eventsPerWorkflow, func(ctx context.Context, events []activities.Event) error {
			return s.start(ctx, workflowIDOf(events), events)
		})
	}
	return s
}

// workflowIDOf is the id under which events start together. One event alone has
// the id that makes it deliver once.
func workflowIDOf(events []activities.Event) string {
	if len(events) == 1 {
		return EventWorkflowID(events[0].Tenant, events[0].ID)
	}
	return SharedWorkflowID(events[0].Tenant, events[0].ID)
}

// Accepted says which event now stands for a request.
type Accepted struct {
	Duplicate bool // the event had been accepted before
}

// DeliverEvent starts the workflow of one event. When it returns without error
// the event is durable: Temporal has it. It returns errs.Conflict when the id is
// taken by an event with another body, and errs.Unavailable when Temporal cannot
// take it now; then nothing was started, or what was started is the same event
// and a repeated call finds it.
func (s *Starter) DeliverEvent(ctx context.Context, event activities.Event) (Accepted, error) {
	if s.shared != nil && !event.Keyed() { // a keyed event needs the id that is its own
		if err := s.shared.add(ctx, event); err != nil {
			return Accepted{}, s.unavailable(err, "The event could not be accepted")
		}
		return Accepted{}, nil
	}
	return s.startAlone(ctx, event)
}

func (s *Starter) startAlone(ctx context.Context, event activities.Event) (Accepted, error) {
	id := EventWorkflowID(event.Tenant, event.ID)
	err := s.start(ctx, id, []activities.Event{event})
	if isAlreadyStarted(err) {
		return s.repeated(ctx, id, event)
	}
	if err != nil {
		return Accepted{}, s.unavailable(err, "The event could not be accepted")
	}
	return Accepted{}, nil
}

// DeliverTest starts one workflow that sends a webhook's samples.
func (s *Starter) DeliverTest(ctx context.Context, events []activities.Event) (string, error) {
	id := TestWorkflowID(events[0].Tenant, events[0].ID)
	if err := s.start(ctx, id, events); err != nil && !isAlreadyStarted(err) {
		return "", s.unavailable(err, "The test could not be started")
	}
	return id, nil
}

// Resend starts a workflow that sends a delivery again which settled at that
// time. Asking twice for the same is one request.
func (s *Starter) Resend(ctx context.Context, tenant, deliveryID string, settledAt time.Time) error {
	return s.resend(ctx, activities.ReopenInput{Tenant: tenant, DeliveryID: deliveryID}, settledAt)
}

// TakeOver starts a workflow that goes on with a delivery whose own workflow has
// ended without settling it: it was terminated, or lost with Temporal's database.
// The time is that of the delivery's last change; asking twice is one request.
func (s *Starter) TakeOver(ctx context.Context, tenant, deliveryID, from string, changedAt time.Time) error {
	return s.resend(ctx, activities.ReopenInput{Tenant: tenant, DeliveryID: deliveryID, From: from}, changedAt)
}

func (s *Starter) resend(ctx context.Context, in activities.ReopenInput, at time.Time) error {
	options := startOptions(in.Tenant, ResendWorkflowID(in.Tenant, in.DeliveryID, at), "resend · tenant "+in.Tenant)
	options.TypedSearchAttributes = temporal.NewSearchAttributes(AttributeTenant.ValueSet(in.Tenant))
	_, err := s.execute(ctx, options, ResendDelivery, in)
	if err != nil && !isAlreadyStarted(err) {
		return s.unavailable(err, "The delivery could not be sent again")
	}
	return nil
}

// alive asks Temporal's frontend whether it serves.
func (s *Starter) alive(ctx context.Context) error {
	_, err := s.client.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

func (s *Starter) start(ctx context.Context, id string, events []activities.Event) error {
	options := startOptions(events[0].Tenant, id, Summary(events))
	attributes := []temporal.SearchAttributeUpdate{AttributeTenant.ValueSet(events[0].Tenant)}
	if same(events, func(e activities.Event) string { return e.Provider }) {
		attributes = append(attributes, AttributeProvider.ValueSet(events[0].Provider))
	}
	if same(events, func(e activities.Event) string { return e.Type }) {
		attributes = append(attributes, AttributeEventType.ValueSet(events[0].Type))
	}
	if hash := sharedHash(events); hash != "" {
		options.Memo = map[string]any{memoBodyHash: hash}
	}
	options.TypedSearchAttributes = temporal.NewSearchAttributes(attributes...)
	_, err := s.execute(ctx, options, DeliverEvent, DeliverEventInput{Events: events})
	failpoint.Here(failpoint.AfterStart)
	return err
}

// execute starts a workflow, and remembers whether Temporal answered.
func (s *Starter) execute(ctx context.Context, options client.StartWorkflowOptions, workflow, in any) (runID string, err error) {
	err = s.outage.call(ctx, func(ctx context.Context) error {
		run, err := s.client.ExecuteWorkflow(ctx, options, workflow, in)
		if err == nil {
			runID = run.GetRunID()
		}
		return err
	})
	s.starts.note(err)
	return runID, err
}

// same reports whether all events agree on something.
func same(events []activities.Event, of func(activities.Event) string) bool {
	return !slices.ContainsFunc(events, func(e activities.Event) bool { return of(e) != of(events[0]) })
}

// startOptions are those of every workflow of ours. No execution timeout: it
// would add a timer row per workflow and end deliveries that still have time.
// The fairness key shares out what has to wait for a worker: after an outage, a
// tenant with ten events does not queue behind one with a hundred thousand.
func startOptions(tenant, id, summary string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                                       id,
		TaskQueue:                                TaskQueue,
		EnableEagerStart:                         true,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		Priority:                                 temporal.Priority{FairnessKey: tenant},
		StaticSummary:                            summary,
	}
}

// KeyReused refuses an event whose key stands for another one.
func KeyReused() error {
	return errs.New(errs.Conflict, "This Idempotency-Key was used for another event; a new event needs a new key")
}

// repeated compares the event with the one that holds its id.
func (s *Starter) repeated(ctx context.Context, id string, event activities.Event) (Accepted, error) {
	hash, err := s.hashOf(ctx, id)
	switch {
	case err != nil:
		return Accepted{}, err
	case hash != event.BodyHash:
		return Accepted{}, KeyReused()
	}
	return Accepted{Duplicate: true}, nil
}

// hashOf reads from a workflow's memo the hash of what it was started with.
func (s *Starter) hashOf(ctx context.Context, id string) (hash string, err error) {
	var described *workflowservice.DescribeWorkflowExecutionResponse
	err = s.outage.call(ctx, func(ctx context.Context) (err error) {
		described, err = s.client.DescribeWorkflowExecution(ctx, id, "")
		return err
	})
	if err != nil {
		return "", s.unavailable(err, "The earlier event of this key could not be read")
	}
	if payload, ok := described.GetWorkflowExecutionInfo().GetMemo().GetFields()[memoBodyHash]; ok {
		if err := s.data.FromPayload(payload, &hash); err != nil {
			return "", errs.Wrap(err, errs.Internal, "The earlier event of this key could not be read")
		}
	}
	return hash, nil
}

func isAlreadyStarted(err error) bool {
	return temporal.IsWorkflowExecutionAlreadyStartedError(err)
}

// unavailable codes an error of the Temporal client: a request that the server
// refuses as wrong is a fault of ours, anything else an outage.
func (s *Starter) unavailable(err error, message string) error {
	if err == nil {
		return nil
	}
	var refused *serviceerror.InvalidArgument
	if errors.As(err, &refused) && !isForgetful(err) {
		return errs.Wrap(err, errs.Internal, "%s", message)
	}
	return &errs.Error{Code: errs.Unavailable, Message: message + "; try again shortly", RetryAfter: s.outage.retryAfter(), Cause: err}
}
