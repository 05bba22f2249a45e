package models

import (
	"sort"
	"time"
)

// latencyBounds are the upper bounds of the buckets, in milliseconds, inclusive.
// From 20 ms on a bucket's upper bound is at most 1.67 times its lower one. The
// longest attempt takes 30 s. Each has a column of the table rollups.
var latencyBounds = [...]int64{
	5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750,
	1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000,
}

// latencyBuckets counts the buckets: one for each bound, and one for what is
// above them all.
const latencyBuckets = len(latencyBounds) + 1

// LatencyBuckets returns the upper bounds of the buckets that attempts are
// counted in, in milliseconds, inclusive. What took longer than the last one is
// counted in one bucket more.
func LatencyBuckets() []int64 { return append([]int64(nil), latencyBounds[:]...) }

// latencyBucket returns the bucket of an attempt that took so many milliseconds.
func latencyBucket(ms int64) int {
	return sort.Search(len(latencyBounds), func(i int) bool { return ms <= latencyBounds[i] })
}

// Quantile estimates how long the slowest of the fastest share q (0 to 1) of
// attempts took, from counts as in StatsBucket.Latency. The values of a bucket
// are taken to lie evenly apart, so the estimate is in the same bucket as the
// value itself: above 20 ms it is off by at most a factor of 1.67, below by at
// most 10 ms. What took longer than the last bound counts as the bound. 0 when
// nothing was counted.
func Quantile(counts []int64, q float64) time.Duration {
	var total int64
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank := min(max(q, 0), 1) * float64(total)
	var before int64
	for i, n := range counts {
		if n == 0 || float64(before+n) < rank {
			before += n
			continue
		}
		if i >= len(latencyBounds) {
			break
		}
		low := int64(0)
		if i > 0 {
			low = latencyBounds[i-1]
		}
		share := max(0, rank-float64(before)) / float64(n)
		ms := float64(low) + share*float64(latencyBounds[i]-low)
		return time.Duration(ms * float64(time.Millisecond))
	}
	return time.Duration(latencyBounds[len(latencyBounds)-1]) * time.Millisecond
}
