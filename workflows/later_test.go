package workflows

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"posthaste/activities"
	"posthaste/models"
)

// rollOut is a story of a shared run while profiles are rolled out: each event has
// one delivery, and some are not known to any process until their time has come.
type rollOut struct {
	*story
	known   map[string]time.Duration // since the beginning; others always are
	pages   map[string]int           // events with pages of one delivery each
	steps   []activities.ResolveInput
	failed  int
	arrived map[string]time.Duration // by delivery
}

func newRollOut(t *testing.T, known map[string]time.Duration) *rollOut {
	t.Helper()
	r := &rollOut{story: newStory(t), known: known, arrived: map[string]time.Duration{}}
	began := r.Now()
	r.resolve = func(in activities.ResolveInput) (activities.ResolveResult, error) {
		var result activities.ResolveResult
		first := 24 * time.Hour
		for _, event := range in.Events {
			if wait := r.known[event.ID] - r.Now().Sub(began); wait > 0 {
				first = min(first, wait)
				result.Later = append(result.Later, event.ID)
				continue
			}
			result.Events = append(result.Events, r.planned(event.ID))
		}
		if len(result.Events) == 0 || len(result.Later) > 0 && !in.Partly {
			if r.failed++; r.failed <= resolveTriesInTask {
				return activities.ResolveResult{}, errors.New("this process does not know the provider yet")
			}
			return activities.ResolveResult{}, waits(first) // the test environment makes ten tries at most
		}
		r.steps = append(r.steps, in)
		return result, nil
	}
	r.page = func(in activities.PageInput) (activities.PageResult, error) {
		return activities.PageResult{Deliveries: []activities.Planned{pending(in.After, activities.LaneDurable)}}, nil
	}
	r.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		for _, ref := range in.Deliveries {
			r.arrived[ref.DeliveryID] = r.Now().Sub(began)
		}
		return ends(models.StateDelivered)(in)
	}
	return r
}

// planned is the plan of one event: a delivery, or pages of one each.
func (r *rollOut) planned(id string) activities.Resolved {
	resolved := activities.Resolved{EventID: id}
	for page := range r.pages[id] {
		resolved.Pages = append(resolved.Pages, fmt.Sprintf("%s-page-%02d", id, page))
	}
	if resolved.Pages == nil {
		d := pending("d-"+id, activities.LaneFast)
		d.EventID = id
		resolved.Deliveries = []activities.Planned{d}
	}
	return resolved
}

// begin runs DeliverEvent for these events.
func (r *rollOut) begin(ids ...string) {
	var in DeliverEventInput
	for _, id := range ids {
		in.Events = append(in.Events, order(id))
	}
	r.ExecuteWorkflow(DeliverEvent, in)
}

func TestAnEventThatNobodyKnowsYetHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	s := newRollOut(t, map[string]time.Duration{"e2": time.Hour})
	s.begin("e1", "e2", "e3")
	require.Equal(t, map[string]int{"delivered": 3}, s.counts())
	require.Less(t, s.arrived["d-e1"], time.Second)
	require.Less(t, s.arrived["d-e3"], time.Second)
	require.GreaterOrEqual(t, s.arrived["d-e2"], time.Hour)
	require.Equal(t, []activities.Event{order("e2")}, s.steps[1].Events, "the next step has what is left, and nothing else")
	require.Equal(t, 2, s.steps[1].Handled)
	require.Len(t, s.attempts, 3)
}

func TestEventsThatNobodyKnowsYetDoNotWaitForOneAnother(t *testing.T) {
	t.Parallel()
	s := newRollOut(t, map[string]time.Duration{"e2": 2 * time.Hour, "e3": time.Hour, "e4": 3 * time.Hour})
	s.begin("e1", "e2", "e3", "e4")
	require.Equal(t, map[string]int{"delivered": 4}, s.counts())
	for id, known := range s.known {
		require.InDelta(t, known, s.arrived["d-"+id], float64(time.Minute))
	}
}

func TestOneEventAloneIsAskedForWhole(t *testing.T) {
	t.Parallel()
	s := newRollOut(t, map[string]time.Duration{"e1": time.Hour})
	s.begin("e1")
	require.Equal(t, map[string]int{"delivered": 1}, s.counts())
	require.Equal(t, activities.ResolveInput{Events: []activities.Event{order("e1")}}, s.steps[0])
}

// When the ledger was away inside the task, or no event was known, the rule holds
// for what is found after the wait.
func TestWhatIsPlannedAfterAWaitDoesNotWaitAgain(t *testing.T) {
	t.Parallel()
	s := newRollOut(t, map[string]time.Duration{"e1": time.Minute, "e2": time.Hour})
	s.begin("e1", "e2")
	require.Equal(t, map[string]int{"delivered": 2}, s.counts())
	require.InDelta(t, time.Minute, s.arrived["d-e1"], float64(30*time.Second))
	require.GreaterOrEqual(t, s.arrived["d-e2"], time.Hour)
}

func TestALaterEventMayHavePages(t *testing.T) {
	t.Parallel()
	s := newRollOut(t, map[string]time.Duration{"e2": time.Hour})
	s.pages = map[string]int{"e1": pagesAtOnce + 2, "e2": pagesAtOnce + 3}
	s.begin("e1", "e2")
	require.Equal(t, map[string]int{"delivered": 2*pagesAtOnce + 5}, s.counts())
	require.Less(t, s.arrived["e1-page-00"], time.Minute)
	require.GreaterOrEqual(t, s.arrived["e2-page-00"], time.Hour)
}

func TestACancelledRunSettlesWhatIsPlannedLater(t *testing.T) {
	t.Parallel()
	s := newRollOut(t, map[string]time.Duration{"e3": time.Hour, "e4": time.Hour})
	s.pages = map[string]int{"e4": 2}
	delivered := s.deliver
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Deliveries[0].DeliveryID == "d-e2" {
			return activities.DeliverResult{}, waits(10 * time.Hour)
		}
		return delivered(in)
	}
	s.RegisterDelayedCallback(s.CancelWorkflow, time.Minute)
	var early []string // given up while the later ones wait
	s.RegisterDelayedCallback(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		early = slices.Clone(s.cancelled)
	}, 2*time.Minute)
	s.begin("e1", "e2", "e3", "e4")
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()), "%v", s.GetWorkflowError())
	require.Equal(t, []string{"d-e2"}, early)
	require.ElementsMatch(t, []string{"d-e2", "d-e3", "e4-page-00", "e4-page-01"}, s.cancelled, "each once")
	require.Len(t, s.arrived, 1, "nothing of them is sent")
}

func TestALaterEventIsGivenUpWhenOnlyItWasLeft(t *testing.T) {
	t.Parallel()
	s := newRollOut(t, map[string]time.Duration{"e2": time.Hour})
	s.RegisterDelayedCallback(s.CancelWorkflow, time.Minute)
	s.begin("e1", "e2")
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()), "%v", s.GetWorkflowError())
	require.Equal(t, []string{"d-e2"}, s.cancelled)
	require.Len(t, s.arrived, 1)
}

func TestARunIsCancelledWhileALaterEventWaitsForItsReceiver(t *testing.T) {
	t.Parallel()
	s := newRollOut(t, map[string]time.Duration{"e2": time.Minute})
	delivered := s.deliver
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Deliveries[0].DeliveryID == "d-e2" {
			return activities.DeliverResult{}, waits(10 * time.Hour)
		}
		return delivered(in)
	}
	s.RegisterDelayedCallback(s.CancelWorkflow, time.Hour)
	s.begin("e1", "e2")
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()), "%v", s.GetWorkflowError())
	require.Equal(t, []string{"d-e2"}, s.cancelled)
}
