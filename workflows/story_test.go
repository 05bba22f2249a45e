package workflows

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"posthaste/activities"
	"posthaste/models"
	"posthaste/webhook"
)

// story is a workflow run with time skipping. The ledger and the receivers are
// functions; activities have tests of their own. The SDK runs activities side by
// side, the story one function at a time: what a test notes in them needs no lock.
type story struct {
	*testsuite.TestWorkflowEnvironment
	t *testing.T

	resolve func(activities.ResolveInput) (activities.ResolveResult, error)
	page    func(activities.PageInput) (activities.PageResult, error)
	deliver func(activities.DeliverInput) (activities.DeliverResult, error)

	mu        sync.Mutex
	attempts  []activities.DeliverInput
	cancelled []string
}

func newStory(t *testing.T) *story {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	s := &story{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t}
	s.RegisterActivity(&activities.Activities{})
	s.RegisterWorkflow(DeliverEvent)
	s.RegisterWorkflow(DeliverPage)
	s.RegisterWorkflow(ResendDelivery)
	s.OnActivity(a.ResolveSubscriptions, mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.ResolveInput) (activities.ResolveResult, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.resolve(in)
		}).Maybe()
	s.OnActivity(a.ReadPage, mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.PageInput) (activities.PageResult, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.page(in)
		}).Maybe()
	s.OnActivity(a.Deliver, mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.DeliverInput) (activities.DeliverResult, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.attempts = append(s.attempts, in)
			return s.deliver(in)
		}).Maybe()
	s.OnActivity(a.CancelDeliveries, mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.CancelInput) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.cancelled = append(s.cancelled, in.DeliveryIDs...)
			return nil
		}).Maybe()
	s.OnActivity(a.ReopenDelivery, mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.ReopenInput) (activities.Planned, error) {
			return pending(in.DeliveryID, activities.LaneDurable), nil
		}).Maybe()
	return s
}

// deliverOne runs DeliverEvent for one event and returns the counts.
func (s *story) deliverOne() map[string]int {
	s.t.Helper()
	s.ExecuteWorkflow(DeliverEvent, DeliverEventInput{Events: []activities.Event{order("e1")}})
	return s.counts()
}

func (s *story) counts() map[string]int {
	s.t.Helper()
	require.True(s.t, s.IsWorkflowCompleted())
	require.NoError(s.t, s.GetWorkflowError())
	var result DeliverEventResult
	require.NoError(s.t, s.GetWorkflowResult(&result))
	return result.Deliveries
}

func (s *story) lanes() []activities.Lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	lanes := make([]activities.Lane, len(s.attempts))
	for i, attempt := range s.attempts {
		lanes[i] = attempt.Lane
	}
	return lanes
}

func order(id string) activities.Event {
	return activities.Event{ID: id, Tenant: "acme", Provider: "standard", Type: "order.paid", Data: webhook.JSON(`{"total":5}`)}
}

func pending(id string, lane activities.Lane) activities.Planned {
	return activities.Planned{
		DeliveryID: id, EventID: "e1", Name: "CRM", Host: "hooks.acme.dev",
		State: models.StatePending, Lane: lane, TimeoutSeconds: 30,
	}
}

// finds resolves every event to the same deliveries.
func finds(deliveries ...activities.Planned) func(activities.ResolveInput) (activities.ResolveResult, error) {
	return func(in activities.ResolveInput) (activities.ResolveResult, error) {
		var result activities.ResolveResult
		for _, event := range in.Events {
			result.Events = append(result.Events, activities.Resolved{EventID: event.ID, Deliveries: deliveries})
		}
		return result, nil
	}
}

// ends settles every delivery asked for in one state.
func ends(state activities.State) func(activities.DeliverInput) (activities.DeliverResult, error) {
	return func(in activities.DeliverInput) (activities.DeliverResult, error) {
		var result activities.DeliverResult
		for _, ref := range in.Deliveries {
			result.Deliveries = append(result.Deliveries, activities.Attempted{DeliveryID: ref.DeliveryID, State: state, Attempts: 1})
		}
		return result, nil
	}
}

// waits is what the durable lane returns while a delivery has not settled.
func waits(delay time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("attempt 1: 500", activities.ErrorRetry,
		temporal.ApplicationErrorOptions{NextRetryDelay: delay, Category: temporal.ApplicationErrorCategoryBenign})
}

func TestDeliversInTheFirstTask(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(pending("d1", activities.LaneFast), pending("d2", activities.LaneFast))
	s.deliver = ends(models.StateDelivered)
	require.Equal(t, map[string]int{"delivered": 2}, s.deliverOne())
	require.Equal(t, []activities.Lane{activities.LaneFast, activities.LaneFast}, s.lanes())
	require.Len(t, s.attempts[0].Events, 1, "the fast lane gets the event with it")
}

func TestEventThatNobodyWantsEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds()
	require.Empty(t, s.deliverOne())
	require.Empty(t, s.attempts)
}

func TestDuplicateSendsNothing(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = func(activities.ResolveInput) (activities.ResolveResult, error) {
		return activities.ResolveResult{Events: []activities.Resolved{{EventID: "e1", Duplicate: true}}}, nil
	}
	require.Equal(t, map[string]int{"duplicate": 1}, s.deliverOne())
	require.Empty(t, s.attempts)
}

func TestWhatTheLedgerCallsDoneIsNotSentAgain(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	done := pending("d1", activities.LaneFast)
	done.State = models.StateDelivered
	s.resolve = finds(done, pending("d2", activities.LaneFast))
	s.deliver = ends(models.StateDelivered)
	require.Equal(t, map[string]int{"delivered": 2}, s.deliverOne())
	require.Len(t, s.attempts, 1)
	require.Equal(t, "d2", s.attempts[0].Deliveries[0].DeliveryID)
}

func TestFailedFastAttemptGoesOnInTheDurableLane(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(pending("d1", activities.LaneFast))
	tries := 0
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Lane == activities.LaneFast {
			return ends(models.StateRetrying)(in)
		}
		require.Empty(t, in.Events, "no payload in the durable lane's input")
		if tries++; tries < 3 {
			return activities.DeliverResult{}, waits(time.Hour)
		}
		return ends(models.StateDelivered)(in)
	}
	began := s.Now()
	require.Equal(t, map[string]int{"delivered": 1}, s.deliverOne())
	require.Equal(t, 3, tries)
	require.GreaterOrEqual(t, s.Now().Sub(began), 2*time.Hour, "the delay is the one the activity asks for")
}

func TestUnfitWebhookStartsInTheDurableLane(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(pending("d1", activities.LaneDurable))
	s.deliver = ends(models.StateDelivered)
	require.Equal(t, map[string]int{"delivered": 1}, s.deliverOne())
	require.Equal(t, []activities.Lane{activities.LaneDurable}, s.lanes())
}

func TestExhaustedDeliveryIsAnOutcomeNotAnError(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(pending("d1", activities.LaneFast), pending("d2", activities.LaneFast))
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Deliveries[0].DeliveryID == "d1" {
			return ends(models.StateFailed)(in)
		}
		return ends(models.StateDelivered)(in)
	}
	s.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Once()
	require.Equal(t, map[string]int{"delivered": 1, "failed": 1}, s.deliverOne())
	s.AssertExpectations(t)
}

func TestFaultOfOursInTheFastLaneGoesOnInTheDurableLane(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(pending("d1", activities.LaneFast))
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Lane == activities.LaneFast {
			return activities.DeliverResult{}, errors.New("panic in the fast lane")
		}
		return ends(models.StateDelivered)(in)
	}
	require.Equal(t, map[string]int{"delivered": 1}, s.deliverOne())
	require.Equal(t, []activities.Lane{activities.LaneFast, activities.LaneDurable}, s.lanes())
}

func TestLedgerDownIsWaitedForAsARegularActivity(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	tries := 0
	s.resolve = func(in activities.ResolveInput) (activities.ResolveResult, error) {
		if tries++; tries < 8 {
			return activities.ResolveResult{}, errors.New("database is down")
		}
		return finds(pending("d1", activities.LaneFast))(in)
	}
	s.deliver = ends(models.StateDelivered)
	require.Equal(t, map[string]int{"delivered": 1}, s.deliverOne())
	require.Equal(t, 8, tries)
}

func TestUnknownProviderFailsTheWorkflowAtOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	tries := 0
	s.resolve = func(activities.ResolveInput) (activities.ResolveResult, error) {
		tries++
		return activities.ResolveResult{}, temporal.NewNonRetryableApplicationError("unknown provider", "invalid", nil)
	}
	s.ExecuteWorkflow(DeliverEvent, DeliverEventInput{Events: []activities.Event{order("e1")}})
	require.ErrorContains(t, s.GetWorkflowError(), "unknown provider")
	require.Equal(t, 1, tries)
}

func TestRetryNowMovesTheNextAttempt(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(pending("d1", activities.LaneDurable), pending("d2", activities.LaneFast))
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Lane == activities.LaneDurable && !in.Now {
			return activities.DeliverResult{}, waits(10 * time.Hour)
		}
		return ends(models.StateDelivered)(in)
	}
	s.RegisterDelayedCallback(func() {
		s.SignalWorkflow(SignalRetryNow, RetryNow{DeliveryID: "d2"}) // settled: nothing happens
		s.SignalWorkflow(SignalRetryNow, RetryNow{DeliveryID: "d1"})
		s.SignalWorkflow(SignalRetryNow, RetryNow{DeliveryID: "nobody's"})
	}, time.Minute)
	began := s.Now()
	require.Equal(t, map[string]int{"delivered": 2}, s.deliverOne())
	require.Less(t, s.Now().Sub(began), time.Hour)
}

func TestCancelDuringTheWaitRecordsWhatHadNotSettled(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(pending("d1", activities.LaneDurable), pending("d2", activities.LaneFast))
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Lane == activities.LaneDurable {
			return activities.DeliverResult{}, waits(10 * time.Hour)
		}
		return ends(models.StateDelivered)(in)
	}
	s.RegisterDelayedCallback(s.CancelWorkflow, time.Minute)
	s.ExecuteWorkflow(DeliverEvent, DeliverEventInput{Events: []activities.Event{order("e1")}})
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Equal(t, []string{"d1"}, s.cancelled)
}

func TestManyDeliveriesShareLocalActivities(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	var planned []activities.Planned
	for i := range 100 {
		planned = append(planned, pending(fmt.Sprintf("d%03d", i), activities.LaneFast))
	}
	s.resolve = finds(planned...)
	s.deliver = ends(models.StateDelivered)
	require.Equal(t, map[string]int{"delivered": 100}, s.deliverOne())
	require.Len(t, s.attempts, 4)
}

func TestLargeFanOutIsPagedIntoChildren(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = func(activities.ResolveInput) (activities.ResolveResult, error) {
		return activities.ResolveResult{Events: []activities.Resolved{{EventID: "e1", Pages: []string{"", "d099", "d199"}}}}, nil
	}
	s.page = func(in activities.PageInput) (activities.PageResult, error) {
		size := map[string]int{"": 100, "d099": 100, "d199": 50}[in.After]
		var result activities.PageResult
		for i := range size {
			result.Deliveries = append(result.Deliveries, pending(fmt.Sprintf("%s-%d", in.After, i), activities.LaneFast))
		}
		return result, nil
	}
	s.deliver = ends(models.StateDelivered)
	require.Equal(t, map[string]int{"delivered": 250}, s.deliverOne())
}

func TestRetryNowReachesTheChildThatHoldsTheDelivery(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = func(activities.ResolveInput) (activities.ResolveResult, error) {
		return activities.ResolveResult{Events: []activities.Resolved{{EventID: "e1", Pages: []string{"", "d100"}}}}, nil
	}
	s.page = func(in activities.PageInput) (activities.PageResult, error) {
		id := map[string]string{"": "d001", "d100": "d101"}[in.After]
		return activities.PageResult{Deliveries: []activities.Planned{pending(id, activities.LaneDurable)}}, nil
	}
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Deliveries[0].DeliveryID == "d101" && !in.Now {
			return activities.DeliverResult{}, waits(10 * time.Hour)
		}
		return ends(models.StateDelivered)(in)
	}
	s.RegisterDelayedCallback(func() { s.SignalWorkflow(SignalRetryNow, RetryNow{DeliveryID: "d101"}) }, time.Minute)
	began := s.Now()
	require.Equal(t, map[string]int{"delivered": 2}, s.deliverOne())
	require.Less(t, s.Now().Sub(began), time.Hour)
}

func TestResendDeliversAReopenedDelivery(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.deliver = ends(models.StateDelivered)
	s.ExecuteWorkflow(ResendDelivery, activities.ReopenInput{Tenant: "acme", DeliveryID: "d1"})
	require.Equal(t, map[string]int{"delivered": 1}, s.counts())
}

func TestSeveralEventsShareARun(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = func(in activities.ResolveInput) (activities.ResolveResult, error) {
		var result activities.ResolveResult
		for _, event := range in.Events {
			d := pending("d-"+event.ID, activities.LaneFast)
			d.EventID = event.ID
			result.Events = append(result.Events, activities.Resolved{EventID: event.ID, Deliveries: []activities.Planned{d}})
		}
		return result, nil
	}
	s.deliver = ends(models.StateDelivered)
	s.ExecuteWorkflow(DeliverEvent, DeliverEventInput{Events: []activities.Event{order("e1"), order("e2"), order("e3")}})
	require.Equal(t, map[string]int{"delivered": 3}, s.counts())
}

// What a try has reopened settles, though the workflow was cancelled meanwhile.
func TestResendCancelledWhileItReopens(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.deliver = ends(models.StateDelivered)
	s.RegisterDelayedCallback(s.CancelWorkflow, 0)
	s.ExecuteWorkflow(ResendDelivery, activities.ReopenInput{Tenant: "acme", DeliveryID: "d1"})
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Equal(t, []string{"d1"}, s.cancelled)
	require.Empty(t, s.attempts)
}
