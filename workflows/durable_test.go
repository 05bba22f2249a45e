package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"posthaste/activities"
	"posthaste/models"
)

// inLine is a delivery whose turn comes later.
func inLine(id string, seconds int) activities.Planned {
	planned := pending(id, activities.LaneDurable)
	planned.StartInSeconds = seconds
	return planned
}

// asked notes when each delivery was tried, since the story began.
func (s *story) asked() map[string]time.Duration {
	began, at := s.Now(), map[string]time.Duration{}
	s.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		at[in.Deliveries[0].DeliveryID] = s.Now().Sub(began).Truncate(time.Second)
		return ends(models.StateDelivered)(in)
	}
	return at
}

func TestDeliveriesWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(inLine("d1", 0), inLine("d2", 10), inLine("d3", 10), inLine("d4", 3600))
	at := s.asked()
	timers := 0
	s.SetOnTimerScheduledListener(func(string, time.Duration) { timers++ })
	require.Equal(t, map[string]int{"delivered": 4}, s.deliverOne())
	require.Equal(t, map[string]time.Duration{"d1": 0, "d2": 10 * time.Second, "d3": 10 * time.Second, "d4": time.Hour}, at)
	require.Equal(t, 2, timers, "those with the same turn share a timer")
}

func TestRetryNowPassesTheLine(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(inLine("d1", 3600), inLine("d2", 3600))
	at := s.asked()
	s.RegisterDelayedCallback(func() { s.SignalWorkflow(SignalRetryNow, RetryNow{DeliveryID: "d2"}) }, time.Minute)
	require.Equal(t, map[string]int{"delivered": 2}, s.deliverOne())
	require.Equal(t, map[string]time.Duration{"d1": time.Hour, "d2": time.Minute}, at)
	require.False(t, s.attempts[1].Now)
	require.True(t, s.attempts[0].Now, "what a person asks for waits for no limit either")
}

func TestCancelInTheLineRecordsWhatHadNotSettled(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.resolve = finds(inLine("d1", 3600))
	s.RegisterDelayedCallback(s.CancelWorkflow, time.Minute)
	s.ExecuteWorkflow(DeliverEvent, DeliverEventInput{Events: []activities.Event{order("e1")}})
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Equal(t, []string{"d1"}, s.cancelled)
	require.Empty(t, s.attempts)
}
