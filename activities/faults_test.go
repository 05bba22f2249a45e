package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWaitAfterAFaultGrowsWithTheOutage(t *testing.T) {
	t.Parallel()
	c := &clock{time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	f := newFaults(c.now, func() float64 { return 0.5 })
	for _, step := range []struct{ after, want time.Duration }{
		{0, time.Second}, {time.Second, time.Second}, {7 * time.Second, 4 * time.Second}, {time.Hour, longestFaultWait},
	} {
		c.at = c.at.Add(step.after)
		require.Equal(t, step.want, f.wait())
	}
	f.over()
	require.Equal(t, shortestFaultWait, f.wait(), "another outage begins anew")
}

func TestWaitAfterAFaultIsSpread(t *testing.T) {
	t.Parallel()
	for spread, want := range map[float64]time.Duration{0: 800 * time.Millisecond, 1: 1200 * time.Millisecond} {
		f := newFaults(time.Now, func() float64 { return spread })
		require.InDelta(t, want, f.wait(), float64(time.Microsecond))
	}
}
