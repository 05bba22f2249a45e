package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// TestAWrongClockIsShownAndLoggedOnce: the two clocks are compared every minute. A
// database that does not answer changes nothing and is asked again soon.
func TestAWrongClockIsShownAndLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMetrics(nil, func() models.RecorderStats { return models.RecorderStats{} })
		var lines strings.Builder
		type answer struct {
			ahead   time.Duration
			failure error
		}
		var database atomic.Pointer[answer]
		var asked atomic.Int32
		watch := &clockWatch{metrics: m, logger: slog.New(slog.NewTextHandler(&lines, nil)), compare: func(ctx context.Context) (time.Duration, error) {
			_, bounded := ctx.Deadline()
			require.True(t, bounded)
			asked.Add(1)
			said := database.Load()
			return said.ahead, said.failure
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); watch.run(ctx, clockEvery) }()
		for _, step := range []struct {
			ahead       time.Duration
			failure     error
			shown       string
			wrong, well int // lines of the log so far
		}{
			{0, nil, "0", 0, 0},
			{-5 * time.Second, nil, "-5", 0, 0},
			{10 * time.Minute, nil, "600", 1, 0},
			{11 * time.Minute, nil, "660", 1, 0},
			{0, errors.New("gone"), "660", 1, 0},
			{time.Millisecond, nil, "0.001", 1, 1},
			{-6 * time.Second, nil, "-6", 2, 1},
		} {
			database.Store(&answer{step.ahead, step.failure})
			<-time.After(clockEvery)
			synctest.Wait()
			if before := asked.Load(); step.failure != nil {
				<-time.After(2 * clockAgain)
				synctest.Wait()
				require.Equal(t, before+2, asked.Load())
			}
			require.Contains(t, scrapeHandler(t, m.handler(slog.New(slog.DiscardHandler))), "posthaste_clock_skew "+step.shown)
			require.Equal(t, step.wrong, strings.Count(lines.String(), "is wrong"), lines.String())
			require.Equal(t, step.well, strings.Count(lines.String(), "is right again"), lines.String())
		}
		require.Contains(t, lines.String(), "level=WARN")
		require.Contains(t, lines.String(), "ahead=10m0s")
		cancel()
		<-done
	})
}
