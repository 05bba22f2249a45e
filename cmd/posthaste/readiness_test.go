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

	"posthaste/api"
	"posthaste/models"
)

// TestChecksAreMadeOnATimer: each check is made every few seconds, one that does
// not answer is given up and keeps no other from its turn, and what changes is
// logged once.
func TestChecksAreMadeOnATimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var hangs, broken atomic.Bool
		var asked, under atomic.Int64
		m := newMetrics(nil, func() models.RecorderStats { return models.RecorderStats{} })
		var lines strings.Builder
		watch := &checkWatch{metrics: m, logger: slog.New(slog.NewTextHandler(&lines, nil)), failing: map[string]bool{}, checks: []api.Check{
			{Name: "database", Run: func(ctx context.Context) error {
				require.EqualValues(t, 1, under.Add(1), "one round after the other")
				defer under.Add(-1)
				if hangs.Load() {
					<-ctx.Done()
				}
				return ctx.Err()
			}},
			{Name: "temporal", Run: func(ctx context.Context) error {
				if asked.Add(1); broken.Load() {
					return errors.New("gone")
				}
				return ctx.Err()
			}},
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); watch.run(ctx) }()
		awaitChecks := func(database, temporal string) {
			t.Helper()
			<-time.After(checkEvery + api.CheckTimeout)
			synctest.Wait()
			require.Subset(t, scrapeHandler(t, m.handler(slog.New(slog.DiscardHandler))), []string{
				`posthaste_check_failing{check="database"} ` + database, `posthaste_check_failing{check="temporal"} ` + temporal,
			})
		}
		synctest.Wait()
		require.EqualValues(t, 1, asked.Load(), "the first round is made at once")
		awaitChecks("0", "0")
		hangs.Store(true)
		awaitChecks("1", "0")
		broken.Store(true)
		awaitChecks("1", "1")
		hangs.Store(false)
		broken.Store(false)
		awaitChecks("0", "0")
		require.EqualValues(t, 1+4*(checkEvery+api.CheckTimeout)/checkEvery, asked.Load())
		require.Equal(t, 2, strings.Count(lines.String(), `msg="not ready"`), lines.String())
		require.Equal(t, 2, strings.Count(lines.String(), `msg="ready again"`), lines.String())

		hangs.Store(true)
		<-time.After(api.CheckTimeout + time.Second) // into the round that begins at 30 s
		synctest.Wait()
		cancel()
		<-done
		require.Subset(t, scrapeHandler(t, m.handler(slog.New(slog.DiscardHandler))), []string{`posthaste_check_failing{check="database"} 0`})
	})
}
