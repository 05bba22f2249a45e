package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"posthaste/models"
)

// chartSpan is a span that charts can show.
type chartSpan struct {
	Name, Label string
	length      time.Duration
	step        string
}

// chartSpans lists the spans; the first is shown unless another is asked for.
var chartSpans = []chartSpan{
	{"day", "24 hours", 24 * time.Hour, models.ByHour},
	{"week", "7 days", 7 * 24 * time.Hour, models.ByHour},
	{"month", "30 days", 30 * 24 * time.Hour, models.ByDay},
}

// chartSpanNames lists what a page of charts can be asked for.
func chartSpanNames() []string {
	var names []string
	for _, one := range chartSpans {
		names = append(names, one.Name)
	}
	return names
}

func spanNamed(name string) chartSpan {
	for _, one := range chartSpans {
		if one.Name == name {
			return one
		}
	}
	return chartSpans[0]
}

// quantiles are the shares that charts of latency show.
var quantiles = []struct {
	Label string
	share float64
}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}}

// charts is how deliveries went over time, as figures, drawn, and as a table.
type charts struct {
	Span                         chartSpan
	Deliveries, DeliveriesFailed int64 // that settled
	Attempts, Failed             int64
	Quantiles                    []string // of the whole span; in the order of the table
	Slots                        []slot
	Lines                        []line
	MostDeliveries, Most         int64  // deliveries and attempts at the top of their charts
	Slowest                      string // duration at the top of the chart
	Ticks                        []string
}

// slot is one hour or one day.
type slot struct {
	At                           time.Time
	Label                        string
	Deliveries, DeliveriesFailed int64
	Attempts, Failed             int64
	Quantiles                    []string
	X                            string
	Settled, Tried               pile // of deliveries, and of attempts
}

// line is a quantile over time: a path of steps, with gaps where nothing was
// sent.
type line struct{ Label, Path string }

// width is how wide the drawing is, in its own units.
func (c charts) width() string { return number(slotWidth * float64(len(c.Slots))) }

func (c charts) viewBox() string { return "0 0 " + c.width() + " " + number(chartHeight) }

// empty tells whether there is nothing to draw. A delivery may settle in another
// hour than its attempts began in.
func (c charts) empty() bool { return c.Deliveries == 0 && c.Attempts == 0 }

// deliverySummary is what a chart of deliveries says, in a sentence.
func (c charts) deliverySummary() string {
	return fmt.Sprintf("%s settled in %s, %s of them failed", countedDeliveries(c.Deliveries), c.Span.Label, grouped(c.DeliveriesFailed))
}

// attemptSummary is what a chart of attempts says, in a sentence.
func (c charts) attemptSummary() string {
	return fmt.Sprintf("%s in %s, %s of them failed", counted(c.Attempts, "attempt"), c.Span.Label, grouped(c.Failed))
}

func countedDeliveries(n int64) string {
	if n == 1 {
		return "1 delivery"
	}
	return grouped(n) + " deliveries"
}

// latencySummary is what a chart of latency says, in a sentence.
func (c charts) latencySummary() string {
	parts := make([]string, len(quantiles))
	for i, one := range quantiles {
		parts[i] = one.Label + " " + c.Quantiles[i]
	}
	return "How long attempts took in " + c.Span.Label + ": " + strings.Join(parts, ", ")
}

// drawn makes charts of buckets.
func drawn(span chartSpan, buckets []models.StatsBucket) charts {
	c := charts{Span: span}
	latency := make([]int64, len(models.LatencyBuckets())+1)
	var mostDeliveries, most int64
	var slowest time.Duration
	for _, b := range buckets {
		c.Deliveries, c.DeliveriesFailed = c.Deliveries+b.Deliveries, c.DeliveriesFailed+b.DeliveriesFailed
		c.Attempts, c.Failed = c.Attempts+b.Attempts, c.Failed+b.Failed
		mostDeliveries, most = max(mostDeliveries, b.Deliveries), max(most, b.Attempts)
		for i, n := range b.Latency {
			latency[i] += n
		}
		slowest = max(slowest, models.Quantile(b.Latency, quantiles[len(quantiles)-1].share))
	}
	for _, one := range quantiles {
		c.Quantiles = append(c.Quantiles, latencyText(models.Quantile(latency, one.share)))
	}
	c.MostDeliveries, c.Most = int64(roundTop(float64(mostDeliveries))), int64(roundTop(float64(most)))
	top := time.Duration(roundTop(float64(slowest.Milliseconds()))) * time.Millisecond
	c.Slowest = took(top.Milliseconds())
	for i, b := range buckets {
		c.Slots = append(c.Slots, c.slot(i, b))
	}
	for _, one := range quantiles {
		c.Lines = append(c.Lines, line{one.Label, steps(buckets, one.share, top)})
	}
	c.Ticks = ticks(c.Slots, span)
	return c
}

func (c charts) slot(i int, b models.StatsBucket) slot {
	s := slot{
		At: b.At, Label: slotLabel(b.At, c.Span.step), X: number(slotWidth * float64(i)),
		Deliveries: b.Deliveries, DeliveriesFailed: b.DeliveriesFailed, Attempts: b.Attempts, Failed: b.Failed,
		Settled: piled(b.Deliveries-b.DeliveriesFailed, b.DeliveriesFailed, c.MostDeliveries),
		Tried:   piled(b.Delivered, b.Failed, c.Most),
	}
	for _, one := range quantiles {
		s.Quantiles = append(s.Quantiles, latencyText(models.Quantile(b.Latency, one.share)))
	}
	return s
}

// says is what a pointer on a slot reads.
func (s slot) says() string {
	text := s.Label + " UTC: " + countedDeliveries(s.Deliveries) + " settled, " + grouped(s.DeliveriesFailed) + " failed; " +
		counted(s.Attempts, "attempt") + ", " + grouped(s.Failed) + " failed"
	if s.Attempts > 0 && s.Quantiles[0] != noLatency {
		for i, one := range quantiles {
			text += ", " + one.Label + " " + s.Quantiles[i]
		}
	}
	return text
}

// noLatency stands where nothing was measured.
const noLatency = "–"

// latencyText writes a quantile. It is estimated from buckets, so it says that it
// is about, and has two digits that count: ≈ 49 ms, ≈ 3.8 s, ≈ 120 s.
func latencyText(d time.Duration) string {
	if d == 0 {
		return noLatency
	}
	ms := max(1, d.Round(time.Millisecond).Milliseconds())
	scale := int64(1)
	for ms/scale >= 100 {
		scale *= 10
	}
	switch ms = (ms + scale/2) / scale * scale; {
	case ms < 1000:
		return fmt.Sprintf("≈\u00a0%d\u00a0ms", ms)
	case ms < 10_000:
		return fmt.Sprintf("≈\u00a0%.1f\u00a0s", float64(ms)/1000)
	default:
		return fmt.Sprintf("≈\u00a0%d\u00a0s", ms/1000)
	}
}

func slotLabel(at time.Time, step string) string {
	if step == models.ByDay {
		return at.Format("2 Jan")
	}
	return at.Format("2 Jan 15:04")
}

// ticksShown is how many labels the axis of time has.
const ticksShown = 4

// ticks are the labels of the axis of time: evenly apart, the first slot first.
func ticks(slots []slot, span chartSpan) []string {
	var labels []string
	for i := range ticksShown {
		at := i * len(slots) / ticksShown
		if at < len(slots) {
			layout := "2 Jan" // four with a time of day are too wide for a phone
			if span.Name == "day" {
				layout = "15:04"
			}
			labels = append(labels, slots[at].At.Format(layout))
		}
	}
	return slices.Compact(labels)
}

// busySlots are those in which something was sent or settled, the newest first.
func (c charts) busySlots() []slot {
	var busy []slot
	for _, one := range slices.Backward(c.Slots) {
		if one.Attempts > 0 || one.Deliveries > 0 {
			busy = append(busy, one)
		}
	}
	return busy
}
