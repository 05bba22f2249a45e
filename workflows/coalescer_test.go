package workflows

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/activities"
	"posthaste/webhook"
)

// starts records what was started together; each start takes a second.
type starts struct {
	mu   sync.Mutex
	sets [][]string
	fail error
}

func (s *starts) start(ctx context.Context, events []activities.Event) error {
	var ids []string
	for _, event := range events {
		ids = append(ids, event.ID)
	}
	s.mu.Lock()
	s.sets = append(s.sets, ids)
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.fail
}

func TestNothingWaitsWhenNothingIsUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s starts
		c := newCoalescer(64, s.start)
		for i := range 3 {
			require.NoError(t, c.add(t.Context(), order(fmt.Sprint(i))))
		}
		require.Equal(t, [][]string{{"0"}, {"1"}, {"2"}}, s.sets)
		synctest.Wait() // a start tells its callers first
		require.Empty(t, c.tenants, "an idle tenant takes no memory")
	})
}

// addAll adds events one after another without waiting for their starts.
func addAll(t *testing.T, c *coalescer, events ...activities.Event) *sync.WaitGroup {
	t.Helper()
	var group sync.WaitGroup
	for _, event := range events {
		group.Go(func() { require.NoError(t, c.add(t.Context(), event)) })
		synctest.Wait() // it has joined
	}
	return &group
}

func TestArrivalsShareTheNextStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s starts
		c := newCoalescer(3, s.start)
		began := time.Now()
		addAll(t, c, order("1"), order("2"), order("3"), order("4"), order("5")).Wait()
		require.Equal(t, [][]string{{"1"}, {"2", "3", "4"}, {"5"}}, s.sets, "a full set does not wait")
		require.Equal(t, 2*time.Second, time.Since(began))
		synctest.Wait() // a start tells its callers first
		require.Empty(t, c.tenants)
	})
}

func TestTenantsDoNotShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s starts
		c := newCoalescer(64, s.start)
		other := order("2")
		other.Tenant = "other"
		addAll(t, c, order("1"), other).Wait()
		require.Equal(t, [][]string{{"1"}, {"2"}}, s.sets)
	})
}

func TestLargeEventsDoNotShareMoreThanTemporalTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s starts
		c := newCoalescer(64, s.start)
		large := func(id string) activities.Event {
			event := order(id)
			event.Data = webhook.JSON(`"` + string(make([]byte, 250<<10)) + `"`)
			return event
		}
		addAll(t, c, order("1"), large("2"), large("3"), order("4")).Wait()
		require.Equal(t, [][]string{{"1"}, {"2"}, {"3", "4"}}, s.sets)
	})
}

func TestAFailedStartIsEveryCallersError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := starts{fail: errors.New("Temporal is down")}
		c := newCoalescer(64, s.start)
		var group sync.WaitGroup
		for i := range 3 {
			group.Go(func() { require.ErrorIs(t, c.add(t.Context(), order(fmt.Sprint(i))), s.fail) })
			synctest.Wait()
		}
		group.Wait()
		synctest.Wait() // a start tells its callers first
		require.Empty(t, c.tenants)
	})
}

func TestACallerThatLeavesStopsNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s starts
		c := newCoalescer(64, s.start)
		first := addAll(t, c, order("1"))
		ctx, leave := context.WithCancel(t.Context())
		var group sync.WaitGroup
		group.Go(func() { require.ErrorIs(t, c.add(ctx, order("2")), context.Canceled) })
		synctest.Wait()
		third := addAll(t, c, order("3"))
		leave()
		group.Wait()
		first.Wait()
		third.Wait()
		require.Equal(t, [][]string{{"1"}, {"2", "3"}}, s.sets, "the event of the caller who left is in")
	})
}
