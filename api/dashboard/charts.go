package dashboard

import (
	"fmt"
	"math"
	"slices"
	"strconv"
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

func spanNamed(name string) chartSpan {
	for _, one := range chartSpans {
		if one.Name == name {
			return one
		}
	}
	return chartSpans[0]
}

// The size of a chart in units of its own; the page stretches it.
const (
	chartHeight = 100.0
	slotWidth   = 10.0
	// leastBar is the height of a bar that would be too low to be seen.
	leastBar = 1.5
)

// quantiles are the shares that charts of latency show.
var quantiles = []struct {
	Label string
	share float64
}{{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}}

// charts is how deliveries went over time, as figures, drawn, and as a table.
type charts struct {
	Span                              chartSpan
	Attempts, Delivered, Failed, Ends int64
	Quantiles                         []string // of the whole span; in the order of the table
	Slots                             []slot
	Lines                             []line
	Most                              int64  // attempts at the top of the chart
	Slowest                           string // duration at the top of the chart
	Ticks                             []string
}

// slot is one hour or one day.
type slot struct {
	At                          time.Time
	Label                       string
	Attempts, Delivered, Failed int64
	Quantiles                   []string
	X                           string
	GoodY, GoodH, BadY, BadH    string // "" = no bar
}

// line is a quantile over time: a path of steps, with gaps where nothing was
// sent.
type line struct{ Label, Path string }

// width is how wide the drawing is, in its own units.
func (c charts) width() string { return number(slotWidth * float64(len(c.Slots))) }

func (c charts) viewBox() string { return "0 0 " + c.width() + " " + number(chartHeight) }

// summary is what a chart of deliveries says, in a sentence.
func (c charts) summary() string {
	return fmt.Sprintf("%s in %s, %s of them failed", counted(c.Attempts, "attempt"), c.Span.Label, grouped(c.Failed))
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
	var most int64
	var slowest time.Duration
	for _, b := range buckets {
		c.Attempts, c.Delivered, c.Failed, c.Ends = c.Attempts+b.Attempts, c.Delivered+b.Delivered, c.Failed+b.Failed, c.Ends+b.Deliveries
		most = max(most, b.Attempts)
		for i, n := range b.Latency {
			latency[i] += n
		}
		slowest = max(slowest, models.Quantile(b.Latency, quantiles[len(quantiles)-1].share))
	}
	for _, one := range quantiles {
		c.Quantiles = append(c.Quantiles, latencyText(models.Quantile(latency, one.share)))
	}
	c.Most = int64(roundTop(float64(most)))
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
		At: b.At, Label: slotLabel(b.At, c.Span.step), Attempts: b.Attempts, Delivered: b.Delivered, Failed: b.Failed,
		X: number(slotWidth * float64(i)),
	}
	for _, one := range quantiles {
		s.Quantiles = append(s.Quantiles, latencyText(models.Quantile(b.Latency, one.share)))
	}
	bad, good := c.barHeight(b.Failed), c.barHeight(b.Delivered)
	if bad > 0 {
		s.BadY, s.BadH = number(chartHeight-bad), number(bad)
	}
	if good > 0 {
		s.GoodY, s.GoodH = number(max(0, chartHeight-bad-good)), number(min(good, chartHeight-bad))
	}
	return s
}

func (c charts) barHeight(n int64) float64 {
	if n == 0 || c.Most == 0 {
		return 0
	}
	return max(leastBar, chartHeight*float64(n)/float64(c.Most))
}

// says is what a pointer on a slot reads.
func (s slot) says() string {
	text := s.Label + " UTC: " + counted(s.Attempts, "attempt") + ", " + grouped(s.Failed) + " failed"
	if s.Attempts > 0 && s.Quantiles[0] != noLatency {
		for i, one := range quantiles {
			text += ", " + one.Label + " " + s.Quantiles[i]
		}
	}
	return text
}

// steps draws a quantile: across each slot, and up or down between two that
// follow each other.
func steps(buckets []models.StatsBucket, share float64, top time.Duration) string {
	var path strings.Builder
	open := false
	for i, b := range buckets {
		value := models.Quantile(b.Latency, share)
		if value == 0 || top == 0 {
			open = false
			continue
		}
		y := number(chartHeight - chartHeight*float64(value)/float64(top))
		left, right := number(slotWidth*float64(i)), number(slotWidth*float64(i+1))
		if open {
			path.WriteString("V" + y)
		} else {
			path.WriteString("M" + left + " " + y)
		}
		path.WriteString("H" + right)
		open = true
	}
	return path.String()
}

// noLatency stands where nothing was measured.
const noLatency = "–"

func latencyText(d time.Duration) string {
	if d == 0 {
		return noLatency
	}
	return took(max(1, d.Round(time.Millisecond).Milliseconds()))
}

// roundTop returns the next of 1, 2, 5, 10, 20, 50, … that is not below.
func roundTop(value float64) float64 {
	if value <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(value)))
	for _, factor := range []float64{1, 2, 2.5, 5, 10} {
		if top := factor * power; top >= value && top == math.Floor(top) {
			return top
		}
	}
	return math.Ceil(value)
}

// number writes a coordinate briefly.
func number(value float64) string {
	return strconv.FormatFloat(math.Round(value*100)/100, 'f', -1, 64)
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
			label := slots[at].Label
			if span.Name == "day" {
				label = slots[at].At.Format("15:04")
			}
			labels = append(labels, label)
		}
	}
	return slices.Compact(labels)
}

// busySlots are those in which something was sent, the newest first.
func (c charts) busySlots() []slot {
	var busy []slot
	for _, one := range slices.Backward(c.Slots) {
		if one.Attempts > 0 {
			busy = append(busy, one)
		}
	}
	return busy
}
