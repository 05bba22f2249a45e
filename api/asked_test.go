package api

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

func TestAFloodOfRetriesAsksOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var count atomic.Int64
		ask := func(context.Context, *models.Delivery) error {
			count.Add(1)
			time.Sleep(time.Millisecond) //nolint:forbidigo // the clock is the test's own
			return nil
		}
		memory, d := newAsked(time.Now), models.Delivery{ID: "d1", Attempts: 1}
		for range 3 {
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() { require.NoError(t, memory.once(t.Context(), &d, ask)) })
			}
			all.Wait()
			require.Equal(t, int64(1), count.Load())
		}
		require.NoError(t, memory.once(t.Context(), &models.Delivery{ID: "d2", Attempts: 1}, ask))
		require.Equal(t, int64(2), count.Load(), "another delivery is another matter")
		d.Attempts++
		require.NoError(t, memory.once(t.Context(), &d, ask))
		require.Equal(t, int64(3), count.Load(), "and so is its next attempt")
		time.Sleep(askedFor) //nolint:forbidigo // the clock is the test's own
		require.NoError(t, memory.once(t.Context(), &d, ask))
		require.Equal(t, int64(4), count.Load(), "what came to nothing can be repeated")
	})
}

func TestARetryThatFailedCanBeRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	memory, d, down := newAsked(time.Now), models.Delivery{ID: "d1"}, errors.New("down")
	ctx, leave := context.WithCancel(t.Context())
	leave()
	require.ErrorIs(t, memory.once(ctx, &d, func(ctx context.Context, _ *models.Delivery) error {
		require.NoError(t, ctx.Err(), "others may wait for it too")
		return down
	}), down)
	asked := false
	require.NoError(t, memory.once(t.Context(), &d, func(context.Context, *models.Delivery) error { asked = true; return nil }))
	require.True(t, asked)
}
