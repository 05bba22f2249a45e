package workflows

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"posthaste/activities"
)

// pruneStory is a run of PruneHistory with time skipping.
type pruneStory struct {
	*testsuite.TestWorkflowEnvironment
	began time.Time
	asked []activities.PruneInput
}

func newPruneStory(t *testing.T, add func() error, prune func() (activities.Pruned, error)) *pruneStory {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{})
	s := &pruneStory{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment()}
	s.RegisterActivity(&activities.Activities{})
	s.OnActivity(a.AddPartitions, mock.Anything).Return(func(context.Context) error { return add() })
	s.OnActivity(a.Prune, mock.Anything, mock.Anything).Return(
		func(_ context.Context, in activities.PruneInput) (activities.Pruned, error) {
			s.asked = append(s.asked, in)
			return prune()
		})
	s.began = time.Date(2026, 5, 30, 3, 17, 0, 0, time.UTC)
	s.SetStartTime(s.began)
	s.ExecuteWorkflow(PruneHistory)
	require.True(t, s.IsWorkflowCompleted())
	return s
}

func TestPruneGoesOnAfterFaults(t *testing.T) {
	t.Parallel()
	tries := 0
	s := newPruneStory(t, func() error { return nil }, func() (activities.Pruned, error) {
		if tries++; tries < 9 {
			return activities.Pruned{}, errors.New("the database is away")
		}
		return activities.Pruned{Deliveries: 7}, nil
	})
	require.NoError(t, s.GetWorkflowError())
	var done activities.Pruned
	require.NoError(t, s.GetWorkflowResult(&done))
	require.Equal(t, activities.Pruned{Deliveries: 7}, done)
	for _, in := range s.asked {
		require.True(t, s.began.Equal(in.At), "what is old is decided once")
	}
}

func TestPruneWithoutNewPartitions(t *testing.T) {
	t.Parallel()
	adds, prunes := 0, 0
	s := newPruneStory(t, func() error { adds++; return errors.New("busy") }, func() (activities.Pruned, error) {
		prunes++
		return activities.Pruned{}, nil
	})
	require.ErrorContains(t, s.GetWorkflowError(), "busy", "it is told")
	require.Equal(t, partitionsTries, adds)
	require.Equal(t, 1, prunes, "and the rest is done all the same")
}
