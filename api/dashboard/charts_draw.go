package dashboard

import (
	"math"
	"strconv"
	"strings"
	"time"

	"posthaste/models"
)

// The size of a chart in units of its own; the page stretches it.
const (
	chartHeight = 100.0
	slotWidth   = 10.0
	// leastBar is the height of a bar that would be too low to be seen.
	leastBar = 1.5
)

// pile is a bar of two parts: what went well on top of what failed.
type pile struct{ GoodY, GoodH, BadY, BadH string } // "" = no such part

// piled draws a bar in a chart with so many at its top.
func piled(good, bad, most int64) pile {
	var p pile
	goodHeight, badHeight := barHeight(good, most), barHeight(bad, most)
	if badHeight > 0 {
		p.BadY, p.BadH = number(chartHeight-badHeight), number(badHeight)
	}
	if goodHeight > 0 {
		p.GoodY, p.GoodH = number(max(0, chartHeight-badHeight-goodHeight)), number(min(goodHeight, chartHeight-badHeight))
	}
	return p
}

func barHeight(n, most int64) float64 {
	if n == 0 || most == 0 {
		return 0
	}
	return max(leastBar, chartHeight*float64(n)/float64(most))
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
