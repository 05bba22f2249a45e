package bench

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// spread is what several rounds come to.
type spread struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// spreadOf returns the median of the values and how far they lie apart.
func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return spread{Median: median, Least: sorted[0], Most: sorted[len(sorted)-1]}
}

// ratioOf compares two figures that were measured in turn, round by round: the
// median and the extremes of what the rounds say. A round is one moment of the
// machine, which the medians of two figures may not be. False when a round lacks
// one of the figures.
func ratioOf(figure, base []float64) (ratio spread, ok bool) {
	if len(figure) == 0 || len(figure) != len(base) || slices.Contains(base, 0) {
		return spread{}, false
	}
	each := make([]float64, len(figure))
	for i := range figure {
		each[i] = figure[i] / base[i]
	}
	return spreadOf(each), true
}

// inTurn returns what is compared in the order of one round: every other round
// goes backwards, so that neither what comes first gains by it nor what comes
// after something else.
func inTurn[T any](arms []T, round int) []T {
	if round%2 == 0 {
		return arms
	}
	backwards := slices.Clone(arms)
	slices.Reverse(backwards)
	return backwards
}

// percentile returns the smallest of the sorted values that is no less than so
// much of them: 0.99 of a hundred is the 99th. 0 without any values.
func percentile[T cmp.Ordered](sorted []T, part float64) T {
	if len(sorted) == 0 {
		var none T
		return none
	}
	at := int(math.Ceil(part*float64(len(sorted)))) - 1
	return sorted[min(max(at, 0), len(sorted)-1)]
}

// milliseconds turns a duration into what the table shows.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
