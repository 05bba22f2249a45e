package workflows

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
	"posthaste/models"
)

// fanOut is a story of an event with so many pages of one delivery each.
func fanOut(t *testing.T, pages int) *story {
	t.Helper()
	s := newStory(t)
	s.resolve = func(activities.ResolveInput) (activities.ResolveResult, error) {
		resolved := activities.Resolved{EventID: "e1"}
		for i := range pages {
			resolved.Pages = append(resolved.Pages, fmt.Sprintf("d%03d", i))
		}
		return activities.ResolveResult{Events: []activities.Resolved{resolved}}, nil
	}
	s.page = func(in activities.PageInput) (activities.PageResult, error) {
		return activities.PageResult{Deliveries: []activities.Planned{pending(in.After+"!", activities.LaneDurable)}}, nil
	}
	return s
}

// Receivers that fail keep their pages open for hours; the pages behind them do
// not wait for that.
func TestPagesBeginInWaves(t *testing.T) {
	t.Parallel()
	const pages = 3*pagesAtOnce + 2
	s := fanOut(t, pages)
	began := s.Now()
	var first []time.Duration // when each page made its first attempt
	tried := map[string]bool{}
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if id := in.Deliveries[0].DeliveryID; !tried[id] {
			tried[id] = true
			first = append(first, s.Now().Sub(began))
			return activities.DeliverResult{}, waits(10 * time.Hour)
		}
		return ends(models.StateDelivered)(in)
	}
	require.Equal(t, map[string]int{"delivered": pages}, s.deliverOne())
	require.Len(t, first, pages)
	slices.Sort(first)
	for i, at := range first {
		require.Equal(t, time.Duration(i/pagesAtOnce)*pagePause, at.Truncate(pagePause), "page %d", i+1)
	}
}

// cancelledWithItsWave is DeliverEvent, cancelled in the workflow task in which the
// last page of its first wave ends: as when both come while no worker is there.
func cancelledWithItsWave(ctx workflow.Context, in DeliverEventInput) (DeliverEventResult, error) {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	ctx, cancel := workflow.WithCancel(ctx)
	run := &deliverEvent{round: newRound(in.Events[0].Tenant, in.Events)}
	if _, err := run.resolve(ctx, in); err != nil {
		return DeliverEventResult{}, err
	}
	workflow.Go(detached, func(ctx workflow.Context) {
		_ = workflow.Await(ctx, func() bool {
			return !slices.ContainsFunc(run.pages[:pagesAtOnce], func(p *page) bool { return p.child == nil || !p.child.IsReady() })
		})
		cancel()
	})
	run.startPages(ctx, run.pages)
	_ = run.deliver(ctx)
	return DeliverEventResult{}, run.awaitPages(ctx)
}

func TestACancelThatComesWithTheEndOfAWaveSettlesEveryPage(t *testing.T) {
	t.Parallel()
	const pages = 3 * pagesAtOnce
	s := fanOut(t, pages)
	s.RegisterWorkflow(cancelledWithItsWave)
	s.deliver = ends(models.StateDelivered)
	s.ExecuteWorkflow(cancelledWithItsWave, DeliverEventInput{Events: []activities.Event{order("e1")}})
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()), "%v", s.GetWorkflowError())
	settled := map[string]bool{} // one that was under way may be both
	for _, id := range s.cancelled {
		settled[id] = true
	}
	require.NotEmpty(t, settled)
	for _, attempt := range s.attempts {
		settled[attempt.Deliveries[0].DeliveryID] = true
	}
	require.Len(t, settled, pages)
}

func TestACancelledFanOutSettlesEveryPage(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"before it begins": 0, "between two waves": pagePause / 2, "when all wait": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const pages = 3 * pagesAtOnce
			s := fanOut(t, pages)
			s.deliver = func(activities.DeliverInput) (activities.DeliverResult, error) {
				return activities.DeliverResult{}, waits(10 * time.Hour)
			}
			s.RegisterDelayedCallback(s.CancelWorkflow, after)
			s.ExecuteWorkflow(DeliverEvent, DeliverEventInput{Events: []activities.Event{order("e1")}})
			require.True(t, temporal.IsCanceledError(s.GetWorkflowError()), "%v", s.GetWorkflowError())
			require.Len(t, s.cancelled, pages)
		})
	}
}
