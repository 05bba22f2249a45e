package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDeferralGrowsWithTheCrowd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	c := newCrowd(10, func() time.Time { return now }, func() float64 { return 0.5 })
	require.Equal(t, time.Second, c.deferral("w"))
	for range 99 {
		c.deferral("w")
	}
	require.Equal(t, 11*time.Second, c.deferral("w"))
	for range 10_000 {
		c.deferral("w")
	}
	require.Equal(t, longestDeferral, c.deferral("w"))
	require.Equal(t, time.Second, c.deferral("another"), "a crowd is its webhook's own")

	now = now.Add(crowdWindow + time.Second)
	require.Equal(t, time.Second, c.deferral("w"), "a crowd that has gone is forgotten")
	require.Len(t, c.webhooks, 1)
}

func TestDeferralIsSpread(t *testing.T) {
	t.Parallel()
	for spread, want := range map[float64]time.Duration{0: 800 * time.Millisecond, 1: 1200 * time.Millisecond} {
		c := newCrowd(10, time.Now, func() float64 { return spread })
		require.InDelta(t, want, c.deferral("w"), float64(time.Microsecond))
	}
}
