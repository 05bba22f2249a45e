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

// ratioOf compares two figures that were measured in turn: the ratio of their
// medians, and the extremes of the ratios of each round.
func ratioOf(figure, base []float64) spread {
	var each []float64
	for i, value := range figure {
		if i < len(base) && base[i] != 0 {
			each = append(each, value/base[i])
		}
	}
	ratio := spreadOf(each)
	if of := spreadOf(base).Median; of != 0 {
		ratio.Median = spreadOf(figure).Median / of
	}
	return ratio
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
