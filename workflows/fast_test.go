package workflows

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"posthaste/activities"
	"posthaste/models"
)

func TestFastDeliveriesWaitForTheirTenantsTurn(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	var planned []activities.Planned
	for i := range 30 {
		p := pending(fmt.Sprintf("d%02d", i), activities.LaneFast)
		p.StartInSeconds = 5
		planned = append(planned, p)
	}
	s.resolve = finds(planned...)
	at := s.asked()
	require.Equal(t, map[string]int{"delivered": 30}, s.deliverOne())
	require.Equal(t, map[string]time.Duration{"d00": 5 * time.Second, "d25": 5 * time.Second}, at)
	for _, attempt := range s.attempts {
		require.Equal(t, activities.LaneFast, attempt.Lane)
	}
}

func TestCancelBeforeTheFastLane(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	planned := pending("d1", activities.LaneFast)
	planned.StartInSeconds = 3600
	s.resolve = finds(planned)
	s.RegisterDelayedCallback(s.CancelWorkflow, time.Minute)
	s.ExecuteWorkflow(DeliverEvent, DeliverEventInput{Events: []activities.Event{order("e1")}})
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Equal(t, []string{"d1"}, s.cancelled)
	require.Empty(t, s.attempts)
}

// crowded has no room in the fast lane for the first turns of each delivery, and
// tells each to come back three seconds later.
func (s *story) crowded(turns int) {
	asked := map[string]int{}
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		result, err := ends(models.StateDelivered)(in)
		for i, ref := range in.Deliveries {
			if asked[ref.DeliveryID]++; in.Lane == activities.LaneFast && asked[ref.DeliveryID] <= turns {
				result.Deliveries[i] = activities.Attempted{DeliveryID: ref.DeliveryID, State: models.StatePending, StartInSeconds: 3}
			}
		}
		return result, err
	}
}

// fastOnes are so many deliveries of the fast lane.
func fastOnes(count int) []activities.Planned {
	planned := make([]activities.Planned, count)
	for i := range planned {
		planned[i] = pending(fmt.Sprintf("d%02d", i), activities.LaneFast)
	}
	return planned
}

func TestWhereThereIsNoRoomASliceHasAnotherTurn(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(fastOnes(30)...)
	s.crowded(2)
	timers, began := 0, s.Now()
	s.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
	require.Equal(t, map[string]int{"delivered": 30}, s.deliverOne())
	require.Len(t, s.attempts, 6)
	sizes := map[int]int{}
	for _, attempt := range s.attempts {
		sizes[len(attempt.Deliveries)]++
		require.Equal(t, activities.LaneFast, attempt.Lane)
		require.Len(t, attempt.Events, 1, "it carries its event again")
	}
	require.Equal(t, map[int]int{25: 3, 5: 3}, sizes)
	took := s.Now().Sub(began)
	require.GreaterOrEqual(t, took, 6*time.Second, "nobody comes early")
	require.Less(t, took, 8*time.Second+time.Second/2, "each turn ends with a second")
	require.Equal(t, 2, timers, "slices that come back in the same second share a timer")
}

func TestOnlyThoseWithoutRoomHaveAnotherTurn(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(fastOnes(3)...)
	turns := 0
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		result, err := ends(models.StateDelivered)(in)
		turns++
		switch {
		case in.Lane == activities.LaneDurable:
		case in.Deliveries[0].DeliveryID == "d01" && turns <= 3:
			result.Deliveries[0] = activities.Attempted{DeliveryID: "d01", State: models.StatePending, StartInSeconds: 3}
		case in.Deliveries[0].DeliveryID == "d02":
			result.Deliveries = nil // left as it is, for another reason
		}
		return result, err
	}
	require.Equal(t, map[string]int{"delivered": 3}, s.deliverOne())
	lanes := map[string][]activities.Lane{}
	for _, attempt := range s.attempts {
		id := attempt.Deliveries[0].DeliveryID
		lanes[id] = append(lanes[id], attempt.Lane)
	}
	require.Equal(t, map[string][]activities.Lane{
		"d00": {activities.LaneFast},
		"d01": {activities.LaneFast, activities.LaneFast},
		"d02": {activities.LaneFast, activities.LaneDurable},
	}, lanes)
}

func TestTurnsInTheFastLaneAreNotForEver(t *testing.T) {
	t.Parallel()
	for deliveries, calls := range map[int]int{1: 2, 11: fastTurns} { // alone, and as a slice
		s := newStory(t)
		s.resolve = finds(fastOnes(deliveries)...)
		s.crowded(100)
		timers := 0
		s.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
		require.Equal(t, map[string]int{"delivered": deliveries}, s.deliverOne())
		require.Len(t, s.attempts, calls+deliveries)
		for i, attempt := range s.attempts {
			require.Equal(t, i < calls, attempt.Lane == activities.LaneFast)
		}
		require.Equal(t, calls-1, timers, "the durable lane is not waited for")
	}
}

func TestCancelBeforeAnotherTurn(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(fastOnes(1)...)
	s.crowded(100)
	s.RegisterDelayedCallback(s.CancelWorkflow, 2*time.Second)
	s.ExecuteWorkflow(DeliverEvent, DeliverEventInput{Events: []activities.Event{order("e1")}})
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Equal(t, []string{"d00"}, s.cancelled)
	require.Len(t, s.attempts, 1)
}

func TestRetryNowIsAnotherTurnAtOnce(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(fastOnes(1)...)
	s.crowded(1)
	began := s.Now()
	s.RegisterDelayedCallback(func() { s.SignalWorkflow(SignalRetryNow, RetryNow{DeliveryID: "d00"}) }, time.Second)
	require.Equal(t, map[string]int{"delivered": 1}, s.deliverOne())
	require.Equal(t, time.Second, s.Now().Sub(began).Truncate(time.Second))
}

func TestRetryNowWaitsInNoOtherLine(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(fastOnes(12)...)
	s.crowded(2)
	began := s.Now()
	s.RegisterDelayedCallback(func() { s.SignalWorkflow(SignalRetryNow, RetryNow{DeliveryID: "d05"}) }, time.Second)
	require.Equal(t, map[string]int{"delivered": 12}, s.deliverOne())
	var durable []activities.DeliverInput
	for _, attempt := range s.attempts {
		if attempt.Lane == activities.LaneDurable {
			durable = append(durable, attempt)
		}
	}
	require.Len(t, durable, 1, "the others have another turn")
	require.Equal(t, "d05", durable[0].Deliveries[0].DeliveryID)
	require.True(t, durable[0].Now)
	require.GreaterOrEqual(t, s.Now().Sub(began), 4*time.Second)
}

// Turns that were planned share timers as they always did: histories hold that.
func TestTurnsShareTimersOnlyWithTheirKind(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	planned := append(fastOnes(1), inLine("d1", 3), inLine("d2", 3))
	s.resolve = finds(planned...)
	s.crowded(1)
	timers := 0
	s.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
	require.Equal(t, map[string]int{"delivered": 3}, s.deliverOne())
	require.Equal(t, 2, timers)
}

// What a person has asked for is not forgotten where the fast lane sent nothing.
func TestARetryNowGoesWithTheDelivery(t *testing.T) {
	t.Parallel()
	for attempts, asked := range []bool{true, false} { // none was made: still asked for; one was: served
		s := newStory(t)
		planned := pending("d1", activities.LaneFast)
		planned.StartInSeconds = 60
		s.resolve = finds(planned)
		s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
			if in.Lane == activities.LaneDurable {
				return ends(models.StateDelivered)(in)
			}
			return activities.DeliverResult{Deliveries: []activities.Attempted{{DeliveryID: "d1", State: models.StatePending, Attempts: attempts}}}, nil
		}
		s.RegisterDelayedCallback(func() { s.SignalWorkflow(SignalRetryNow, RetryNow{DeliveryID: "d1"}) }, time.Second)
		require.Equal(t, map[string]int{"delivered": 1}, s.deliverOne())
		require.Equal(t, []activities.Lane{activities.LaneFast, activities.LaneDurable}, s.lanes())
		require.Equal(t, asked, s.attempts[1].Now)
	}
}
