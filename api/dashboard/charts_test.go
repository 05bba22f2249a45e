package dashboard

import (
	"testing"
	"time"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// TestChartsAreDrawn holds the drawing to the numbers: heights share one scale,
// the smallest failure is seen, and a line has a gap where nothing was sent.
func TestChartsAreDrawn(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 5, 30, 22, 0, 0, 0, time.UTC)
	bucket := func(hour int, delivered, failed int64) models.StatsBucket {
		b := models.StatsBucket{
			At: begin.Add(time.Duration(hour) * time.Hour), Attempts: delivered + failed, Delivered: delivered, Failed: failed,
			Latency: make([]int64, len(models.LatencyBuckets())+1),
		}
		b.Latency[4] = delivered + failed // 30 to 50 ms
		return b
	}
	c := drawn(chartSpans[0], []models.StatsBucket{bucket(0, 10, 0), bucket(1, 0, 40), bucket(2, 0, 0), bucket(3, 1999, 1)})
	require.Equal(t, []int64{2050, 2009, 41, 2000}, []int64{c.Attempts, c.Delivered, c.Failed, c.Most})
	require.Equal(t, "0 0 40 100", c.viewBox())
	require.Equal(t, slot{
		At: begin.Add(3 * time.Hour), Label: "31 May 01:00", Attempts: 2000, Delivered: 1999, Failed: 1, X: "30",
		Quantiles: []string{"40\u00a0ms", "49\u00a0ms", "50\u00a0ms"}, BadY: "98.5", BadH: "1.5", GoodY: "0", GoodH: "98.5",
	}, c.Slots[3])
	require.Equal(t, []string{"", "", "98", "2"}, []string{c.Slots[0].BadH, c.Slots[1].GoodH, c.Slots[1].BadY, c.Slots[1].BadH})
	require.Equal(t, "50\u00a0ms", c.Slowest)
	require.Equal(t, line{"p50", "M0 20H10V20H20M30 20H40"}, c.Lines[0])
	require.Equal(t, []string{"22:00", "23:00", "00:00", "01:00"}, c.Ticks)
	require.Len(t, c.busySlots(), 3)
	require.Equal(t, "31 May 01:00 UTC: 2,000 attempts, 1 failed, p50 40\u00a0ms, p95 49\u00a0ms, p99 50\u00a0ms", c.Slots[3].says())

	none := drawn(chartSpans[2], []models.StatsBucket{bucket(0, 0, 0)})
	require.Equal(t, []string{noLatency, noLatency, noLatency}, none.Quantiles)
	require.Empty(t, none.Lines[0].Path)
}

func TestTopOfAChartIsRound(t *testing.T) {
	t.Parallel()
	for give, want := range map[float64]float64{0: 1, 1: 1, 3: 5, 7: 10, 11: 20, 21: 25, 26: 50, 99: 100, 101: 200, 30000: 50000} {
		require.InDelta(t, want, roundTop(give), 0, give)
	}
}
