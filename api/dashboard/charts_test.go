package dashboard

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// bucketAt is an hour of the chart: so many deliveries that settled, so many of
// them failed, and attempts that succeeded and that did not.
func bucketAt(at time.Time, settled, exhausted, delivered, failed int64) models.StatsBucket {
	b := models.StatsBucket{
		At: at, Deliveries: settled, DeliveriesFailed: exhausted,
		Attempts: delivered + failed, Delivered: delivered, Failed: failed,
		Latency: make([]int64, len(models.LatencyBuckets())+1),
	}
	b.Latency[4] = delivered + failed // 30 to 50 ms
	return b
}

// someHours are hours in which deliveries needed more attempts than one, an hour
// without any, and one in which a delivery settled whose attempt began before.
func someHours() []models.StatsBucket {
	begin := time.Date(2026, 5, 30, 22, 0, 0, 0, time.UTC)
	hour := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Hour) }
	return []models.StatsBucket{
		bucketAt(hour(0), 10, 0, 10, 0), bucketAt(hour(1), 8, 8, 0, 40), bucketAt(hour(2), 0, 0, 0, 0),
		bucketAt(hour(3), 500, 1, 1999, 1), bucketAt(hour(4), 1, 0, 0, 0),
	}
}

// TestChartsAreDrawn holds the drawing to the numbers: heights share one scale,
// the smallest failure is seen, and a line has a gap where nothing was sent.
func TestChartsAreDrawn(t *testing.T) {
	t.Parallel()
	hours := someHours()
	c := drawn(chartSpans[0], hours)
	require.Equal(t, []int64{519, 9, 500}, []int64{c.Deliveries, c.DeliveriesFailed, c.MostDeliveries})
	require.Equal(t, []int64{2050, 41, 2000}, []int64{c.Attempts, c.Failed, c.Most})
	require.Equal(t, "0 0 50 100", c.viewBox())
	require.Equal(t, slot{
		At: hours[3].At, Label: "31 May 01:00", Deliveries: 500, DeliveriesFailed: 1, Attempts: 2000, Failed: 1, X: "30",
		Quantiles: []string{"≈\u00a040\u00a0ms", "≈\u00a049\u00a0ms", "≈\u00a050\u00a0ms"},
		Settled:   pile{BadY: "98.5", BadH: "1.5", GoodY: "0", GoodH: "98.5"},
		Tried:     pile{BadY: "98.5", BadH: "1.5", GoodY: "0", GoodH: "98.5"},
	}, c.Slots[3])
	require.Equal(t, pile{GoodY: "98", GoodH: "2"}, c.Slots[0].Settled)
	require.Equal(t, pile{BadY: "98.4", BadH: "1.6"}, c.Slots[1].Settled, "eight of five hundred")
	require.Equal(t, pile{BadY: "98", BadH: "2"}, c.Slots[1].Tried, "forty of two thousand")
	require.Equal(t, pile{}, c.Slots[2].Settled)
	require.Equal(t, "50\u00a0ms", c.Slowest)
	require.Equal(t, line{"p50", "M0 20H10V20H20M30 20H40"}, c.Lines[0])
	require.Equal(t, []string{"22:00", "23:00", "00:00", "01:00"}, c.Ticks)
	require.Equal(t, []string{"30 May", "31 May"}, drawn(chartSpans[1], hours).Ticks, "short, and each once")
	require.Len(t, c.busySlots(), 4)
	require.Equal(t, "31 May 01:00 UTC: 500 deliveries settled, 1 failed; 2,000 attempts, 1 failed, p50 ≈\u00a040\u00a0ms, p95 ≈\u00a049\u00a0ms, p99 ≈\u00a050\u00a0ms",
		c.Slots[3].says())
	require.Equal(t, "31 May 02:00 UTC: 1 delivery settled, 0 failed; 0 attempts, 0 failed", c.Slots[4].says())

	none := drawn(chartSpans[2], hours[2:3])
	require.True(t, none.empty())
	require.Equal(t, []string{noLatency, noLatency, noLatency}, none.Quantiles)
	require.Empty(t, none.Lines[0].Path)
	require.False(t, drawn(chartSpans[0], hours[4:]).empty(), "a delivery settled whose attempt began before the span")
}

// TestChartsSayTheSameInWords reads what a page says to those who see no bars.
func TestChartsSayTheSameInWords(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	c := drawn(chartSpans[0], someHours())
	require.NoError(t, chartFigures(c).Render(t.Context(), &page))
	require.NoError(t, chartTrio(c).Render(t.Context(), &page))
	words := strings.Join(strings.Fields(regexp.MustCompile(`<svg.*?</svg>|<[^>]*>`).ReplaceAllString(page.String(), " ")), " ")
	for _, want := range []string{
		"Deliveries 519 Failed 9 1.7 % Attempts 2,050 Failed attempts 41 2.0 %",
		"From (UTC) Deliveries Failed Attempts Failed attempts p50 p95 p99 31 May 02:00 1 0 0 0 – – – 31 May 01:00 500 1 2,000 1 ≈ 40 ms",
		"p99 ≈ 50 ms p50, p95 and p99 are estimated from buckets.", "0 UTC 22:00",
		"30 May 23:00 8 8 40 40",
	} {
		require.Contains(t, words, want)
	}
	for _, want := range []string{"519 deliveries settled in 24 hours, 9 of them failed", "2,050 attempts in 24 hours, 41 of them failed"} {
		require.Contains(t, page.String(), `role="img" aria-label="`+want+`"`)
	}
}

// TestLatencyLooksEstimated has two digits count of each value, whatever its size.
func TestLatencyLooksEstimated(t *testing.T) {
	t.Parallel()
	for give, want := range map[time.Duration]string{
		0: noLatency, time.Microsecond: "≈ 1 ms", 7 * time.Millisecond: "≈ 7 ms", 87 * time.Millisecond: "≈ 87 ms",
		123 * time.Millisecond: "≈ 120 ms", 995 * time.Millisecond: "≈ 1.0 s", 3784 * time.Millisecond: "≈ 3.8 s",
		9990 * time.Millisecond: "≈ 10 s", 37840 * time.Millisecond: "≈ 38 s", 123456 * time.Millisecond: "≈ 120 s",
	} {
		require.Equal(t, want, strings.ReplaceAll(latencyText(give), "\u00a0", " "), give)
	}
}

func TestTopOfAChartIsRound(t *testing.T) {
	t.Parallel()
	for give, want := range map[float64]float64{0: 1, 1: 1, 3: 5, 7: 10, 11: 20, 21: 25, 26: 50, 99: 100, 101: 200, 30000: 50000} {
		require.InDelta(t, want, roundTop(give), 0, give)
	}
}
