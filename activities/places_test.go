package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is a clock that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newLine() (*clock, *places) {
	c := &clock{time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	return c, newPlaces(c.now, func() float64 { return 0.5 }, asksPerSecond)
}

func TestEachGetsTheNextPlace(t *testing.T) {
	t.Parallel()
	c, p := newLine()
	for i := range 100 {
		want := shortestDeferral + time.Duration(i)*time.Second/asksPerSecond
		require.Equal(t, want, p.next("w", 0))
	}
	require.Equal(t, shortestDeferral, p.next("another", 0), "a line is its webhook's own")

	c.at = c.at.Add(time.Minute)
	require.Equal(t, shortestDeferral, p.next("w", 0), "the line has gone")
	require.Equal(t, 30*time.Second, p.next("w", 30*time.Second), "nobody comes before the breaker lets him")
}

func TestABacklogOfAnySizeAsksSlowly(t *testing.T) {
	t.Parallel()
	_, p := newLine()
	latest := time.Duration(0)
	for range 100_000 {
		latest = max(latest, p.next("w", 0))
	}
	require.LessOrEqual(t, latest, longestDeferral)
	require.GreaterOrEqual(t, latest, longestDeferral/2)
}

func TestTheLineMovesAsFastAsTheWebhookTakes(t *testing.T) {
	t.Parallel()
	c, p := newLine()
	p.next("w", 0)
	for range 500 { // 100 a second for five seconds
		p.ended("w")
	}
	c.at = c.at.Add(rateWindow)
	first, second := p.next("w", 0), p.next("w", 0)
	require.Equal(t, time.Second/125, second-first, "a quarter faster than they end")
	c.at = c.at.Add(rateWindow)
	first, second = p.next("w", 0), p.next("w", 0)
	require.Equal(t, time.Second/asksPerSecond, second-first, "nothing has ended since")
}

func TestLinesThatAreGoneTakeNoMemory(t *testing.T) {
	t.Parallel()
	c, p := newLine()
	for i := range linesKept {
		p.next(time.Duration(i).String(), 0)
	}
	c.at = c.at.Add(time.Minute)
	p.next("w", 0)
	require.Len(t, p.webhooks, 1)
}
