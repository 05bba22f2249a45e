package bench

import (
	"slices"
	"time"
)

// window is a measurement: the events [from, to) of a flow, of which those count
// that belong between two moments.
type window struct {
	flow       *flow
	from, to   int64
	began, end int64
}

// events is how many were accepted, the warming up included.
func (w window) events() int64 {
	var accepted int64
	w.each(func(c *chunk, i int) {
		if c.accepted[i].Load() != 0 {
			accepted++
		}
	})
	return accepted
}

// refused is how many were not accepted, the warming up included: a figure of the
// others alone would look too well.
func (w window) refused() int64 { return w.to - w.from - w.events() }

// perSecond is how many deliveries came in a second.
func (w window) perSecond() float64 {
	came := 0
	w.each(func(c *chunk, i int) {
		for hook := range w.flow.hooks {
			if at := c.first[i*w.flow.hooks+hook].Load(); at >= w.began && at < w.end {
				came++
			}
		}
	})
	return float64(came) / time.Duration(w.end-w.began).Seconds()
}

// latencies are the times from when an accepted event was to be sent until each
// of its deliveries came, shortest first. What has not come counts for as long as
// it is overdue: a percentile of those that came would hide the worst.
func (w window) latencies() []time.Duration {
	now := w.flow.now()
	return w.since(func(c *chunk, i int, add func(at int64)) {
		if c.accepted[i].Load() == 0 {
			return
		}
		for hook := range w.flow.hooks {
			if first := c.first[i*w.flow.hooks+hook].Load(); first != 0 {
				add(first)
			} else {
				add(now)
			}
		}
	})
}

// answers are the times from when an event was to be sent until it was
// accepted, shortest first.
func (w window) answers() []time.Duration {
	return w.since(func(c *chunk, i int, add func(at int64)) { add(c.accepted[i].Load()) })
}

func (w window) since(moments func(c *chunk, i int, add func(at int64))) []time.Duration {
	var took []time.Duration
	w.each(func(c *chunk, i int) {
		scheduled := c.scheduled[i].Load()
		if scheduled < w.began || scheduled >= w.end {
			return
		}
		moments(c, i, func(at int64) {
			if at > 0 {
				took = append(took, time.Duration(at-scheduled))
			}
		})
	})
	slices.Sort(took)
	return took
}

func (w window) each(look func(c *chunk, i int)) {
	for n := w.from; n < w.to; n++ {
		look(w.flow.at(n))
	}
}

// Verdict is whether the deliveries of a scenario came as promised.
type Verdict struct {
	Accepted   int64 `json:"accepted"`   // events that were answered with success
	Refused    int64 `json:"refused"`    // events that were not
	Expected   int64 `json:"expected"`   // deliveries of the accepted ones
	Lost       int64 `json:"lost"`       // of them, those that never came
	Duplicates int64 `json:"duplicates"` // deliveries that were taken more than once

	Refusal string `json:"refusal,omitempty"` // the first one
}

func (v *Verdict) add(other Verdict) {
	v.Accepted += other.Accepted
	v.Refused += other.Refused
	v.Expected += other.Expected
	v.Lost += other.Lost
	v.Duplicates += other.Duplicates
}

// verdict counts over all events of the flow.
func (f *flow) verdict() Verdict {
	var v Verdict
	window{flow: f, to: f.next.Load()}.each(func(c *chunk, i int) {
		accepted := c.accepted[i].Load() != 0
		if accepted {
			v.Accepted++
			v.Expected += int64(f.hooks)
		} else {
			v.Refused++
		}
		for hook := range f.hooks {
			switch taken := c.taken[i*f.hooks+hook].Load(); {
			case taken == 0 && accepted:
				v.Lost++
			case taken > 1:
				v.Duplicates += int64(taken) - 1
			}
		}
	})
	return v
}
