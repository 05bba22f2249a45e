package workflows

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"posthaste/activities"
	"posthaste/models"
)

// replayStory is a story with a ledger of failed deliveries, d0000 to the last.
type replayStory struct {
	*story
	total int
	stop  string // what reopening says from stopAt deliveries on
	after int

	reopened []string
	at       []time.Time // of each chunk
	ends     []activities.EndReplayInput
	notes    int
}

func newReplayStory(t *testing.T, total int) *replayStory {
	t.Helper()
	s := &replayStory{story: newStory(t), total: total}
	s.RegisterWorkflow(ReplayDeliveries)
	s.RegisterWorkflow(ReplayPage)
	s.story.deliver = ends(models.StateDelivered)
	s.OnActivity(a.BeginReplay, mock.Anything, mock.Anything).Return(nil).Once()
	s.OnActivity(a.FindReplayable, mock.Anything, mock.Anything).Return(s.find)
	s.OnActivity(a.ReopenReplayable, mock.Anything, mock.Anything).Return(s.reopen).Maybe()
	s.OnActivity(a.NoteReplay, mock.Anything, mock.Anything).Return(func(context.Context, activities.NoteReplayInput) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.notes++
		return nil
	}).Maybe()
	s.OnActivity(a.EndReplay, mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.EndReplayInput) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ends = append(s.ends, in)
		return nil
	}).Once()
	return s
}

func (s *replayStory) find(_ context.Context, in activities.FindReplayInput) (activities.FindReplayResult, error) {
	from := 0
	if in.After != "" {
		_, _ = fmt.Sscanf(in.After, "d%d", &from)
		from++
	}
	var found activities.FindReplayResult
	for i := from; i < min(s.total, from+activities.PageSize); i++ {
		found.DeliveryIDs = append(found.DeliveryIDs, fmt.Sprintf("d%04d", i))
		found.Last = found.DeliveryIDs[len(found.DeliveryIDs)-1]
	}
	found.End = from+activities.PageSize > s.total
	return found, nil
}

func (s *replayStory) reopen(_ context.Context, in activities.ReopenReplayInput) (activities.ReopenReplayResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != "" && len(s.reopened) >= s.after {
		return activities.ReopenReplayResult{Stop: s.stop}, nil
	}
	s.reopened, s.at = append(s.reopened, in.DeliveryIDs...), append(s.at, s.Now())
	var result activities.ReopenReplayResult
	for _, id := range in.DeliveryIDs {
		result.Deliveries = append(result.Deliveries, pending(id, activities.LaneFast))
	}
	return result, nil
}

func (s *replayStory) run(perSecond int) {
	s.ExecuteWorkflow(ReplayDeliveries, activities.ReplayInput{ID: "r1", Tenant: "acme", WebhookID: "w1", Status: "failed", PerSecond: perSecond})
}

func TestReplayPacesAndPages(t *testing.T) {
	t.Parallel()
	s := newReplayStory(t, 250)
	began := s.Now()
	s.run(20)
	require.Equal(t, map[string]int{"delivered": 250}, s.counts())
	require.Len(t, s.reopened, 250)
	require.True(t, slices.IsSorted(s.reopened), "the oldest first")
	require.Len(t, slices.Compact(s.reopened), 250, "each once")
	require.Len(t, s.at, 5+5+3)
	for i := 1; i < len(s.at); i++ {
		require.GreaterOrEqual(t, s.at[i].Sub(s.at[i-1]), time.Second, "20 in a second")
	}
	require.Less(t, s.Now().Sub(began), time.Minute)
	require.Equal(t, []activities.EndReplayInput{{Tenant: "acme", ReplayID: "r1", State: "completed"}}, s.ends)
	require.GreaterOrEqual(t, s.notes, 3)
}

func TestReplayNeverBeginsMoreThanAChunkAtOnce(t *testing.T) {
	t.Parallel()
	s := newReplayStory(t, 100)
	s.run(100)
	require.Equal(t, map[string]int{"delivered": 100}, s.counts())
	require.Len(t, s.at, 2)
	require.Equal(t, 500*time.Millisecond, s.at[1].Sub(s.at[0]))
}

func TestReplayOfNothingEnds(t *testing.T) {
	t.Parallel()
	s := newReplayStory(t, 0)
	s.run(10)
	require.Empty(t, s.counts())
	require.Equal(t, "completed", s.ends[0].State)
}

func TestReplayStopsWithItsWebhook(t *testing.T) {
	t.Parallel()
	s := newReplayStory(t, 300)
	s.stop, s.after = "the webhook is paused", 120
	s.run(10)
	require.Equal(t, map[string]int{"delivered": 120}, s.counts())
	require.Equal(t, []activities.EndReplayInput{{Tenant: "acme", ReplayID: "r1", State: "stopped", Reason: s.stop}}, s.ends)
}

// What fails again waits in its page and holds up no other.
func TestReplayGoesOnWhileDeliveriesWait(t *testing.T) {
	t.Parallel()
	s := newReplayStory(t, 150)
	tries := map[string]int{}
	s.story.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Lane == activities.LaneFast {
			return ends(models.StateRetrying)(in)
		}
		id := in.Deliveries[0].DeliveryID
		if tries[id]++; tries[id] < 3 {
			return activities.DeliverResult{}, waits(time.Hour)
		}
		return ends(models.StateDelivered)(in)
	}
	s.run(50)
	require.Equal(t, map[string]int{"delivered": 150}, s.counts())
	require.Less(t, s.at[len(s.at)-1].Sub(s.at[0]), time.Minute)
}

func TestReplayCancelledRecordsWhatHadNotSettled(t *testing.T) {
	t.Parallel()
	s := newReplayStory(t, 300)
	s.story.deliver = func(in activities.DeliverInput) (activities.DeliverResult, error) {
		if in.Lane == activities.LaneDurable {
			return activities.DeliverResult{}, waits(10 * time.Hour)
		}
		return ends(models.StateRetrying)(in)
	}
	s.RegisterDelayedCallback(s.CancelWorkflow, 12500*time.Millisecond)
	s.run(10)
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Equal(t, "cancelled", s.ends[0].State)
	require.ElementsMatch(t, s.reopened, s.cancelled, "all that was reopened, and no more")
	require.InDelta(t, 130, len(s.reopened), 20)
}

// A replay is on record before its workflow begins, and must end there too.
func TestReplayCancelledBeforeItBegins(t *testing.T) {
	t.Parallel()
	s := newReplayStory(t, 3)
	s.RegisterDelayedCallback(s.CancelWorkflow, 0)
	s.run(10)
	require.True(t, temporal.IsCanceledError(s.GetWorkflowError()))
	require.Len(t, s.ends, 1)
	require.Equal(t, ReplayCancelled, s.ends[0].State)
	require.Empty(t, s.reopened)
}

func TestReplayWords(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{models.ReplayRunning, ReplayCompleted, ReplayStopped, ReplayCancelled}, models.ReplayRunStates())
	require.False(t, strings.HasPrefix(ReplayPageWorkflowID("acme", "r", 1), ReplayWorkflowID("acme", "w")))
}
