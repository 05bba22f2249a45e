package bench

import "time"

// sizes are how much is measured.
type sizes struct {
	rounds        int
	warm, lasting time.Duration
	buildUp       time.Duration // until POSTs that hang are as many as they get

	// Callers of closed loads.
	singles int // with single events
	batches int // with batches
	crowd   int // with single events that share workflows
	fanned  int // deliveries of fanned out events under way

	failing  int           // deliveries that fail twice
	enduring int           // events over which memory is watched
	waiting  int           // deliveries that wait to be retried
	looks    time.Duration // between two looks at the memory
	fan      []int         // webhooks of one event; the last is what is asked for
}

func (o Options) sizes() sizes {
	if o.Quick {
		return sizes{
			rounds: 1, warm: 200 * time.Millisecond, lasting: 2 * time.Second, buildUp: time.Second,
			singles: 8, batches: 2, crowd: 32, fanned: 100,
			failing: 64, enduring: 2048, waiting: 64, fan: []int{1, 10, 100},
			looks: 10 * time.Millisecond,
		}
	}
	return sizes{
		rounds: o.Rounds, warm: min(o.Duration/4, 2*time.Second), lasting: o.Duration, buildUp: 35 * time.Second,
		singles: 32, batches: 16,
		crowd:   256, // a tenant's part of the requests that one process lets in
		fanned:  1600,
		failing: 10_000, enduring: 100_000, waiting: 10_000, fan: []int{1, 10, 100},
		looks: sampleEvery,
	}
}
