package bench

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

const (
	// sampleEvery is how often memory is looked at.
	sampleEvery = 200 * time.Millisecond
	// restTime lets a process come to rest before it is looked at.
	restTime = 5 * time.Second
	mebibyte = 1 << 20
	// collections of garbage until what pools keep is gone too.
	collections = 3
	// collectTime is past what they take, of which Go starts one every two minutes.
	collectTime = 7 * time.Minute
)

// sample is a look at a process.
type sample struct {
	events int64 // begun so far
	gauges
}

// memory watches a fresh process over many events, and then while many
// deliveries wait to be retried.
func (b *bench) memory(ctx context.Context) error {
	if err := b.serving(ctx, 1, true); err != nil {
		return err
	}
	s, err := b.open(ctx, 1, takes, nil)
	if err != nil {
		return err
	}
	samples, err := b.watched(ctx, s, func(ctx context.Context) error {
		load := closedLoad{
			flow: s.flow, begin: s.batch, callers: b.batches, each: batchEvents,
			lasting: time.Hour, most: int64(b.enduring),
		}
		w, err := load.run(ctx)
		if err == nil {
			b.note("events", "", float64(w.events()))
			rate := float64(w.events()) / time.Duration(w.end-w.began).Seconds()
			b.note("events delivered", "/s", rate)
			b.say("    %d events: %.0f /s", w.events(), rate)
		}
		return err
	})
	if err != nil {
		return err
	}
	total := float64(s.next.Load())
	const early, late = "from 10 to 30 %", "from 80 to 100 %"
	b.noteGauges("before", samples[0].gauges)
	if most, looked := highest(samples, 0.1*total, 0.3*total); looked {
		b.noteGauges(early, most)
	}
	if most, looked := highest(samples, 0.8*total, total); looked {
		b.noteGauges(late, most)
	}
	b.compare("memory "+late, "memory "+early, atMost(1.2))
	b.compare("goroutines "+late, "goroutines "+early, nil)
	// Under load they are as many as the POSTs: what stays shows at rest.
	after, err := b.rested(ctx)
	if err != nil {
		return err
	}
	b.note("goroutines that the events leave", "", after.Goroutines-samples[0].Goroutines)
	b.want("goroutines that the events leave", atMost(100))
	return b.waitingToRetry(ctx, after)
}

func (b *bench) noteGauges(when string, g gauges) {
	b.note("memory "+when, "MiB", g.RSS/mebibyte)
	b.note("goroutines "+when, "", g.Goroutines)
}

// rested looks at the process once it has nothing to do: the median of some looks,
// and what it has in use without its garbage.
func (b *bench) rested(ctx context.Context) (gauges, error) {
	rest := restTime
	if b.Quick {
		rest = time.Second
	}
	if err := pause(ctx, rest); err != nil {
		return gauges{}, err
	}
	var rss, goroutines []float64
	for range 5 {
		g, err := b.readGauges(ctx, b.server.API)
		if err != nil {
			return gauges{}, err
		}
		rss, goroutines = append(rss, g.RSS), append(goroutines, g.Goroutines)
		if err := pause(ctx, b.looks); err != nil {
			return gauges{}, err
		}
	}
	inUse, err := b.collected(ctx) // last: its memory shrinks by that
	return gauges{RSS: spreadOf(rss).Median, InUse: inUse, Goroutines: spreadOf(goroutines).Median}, err
}

// collected asks the process for its metrics, which makes garbage, until it has
// collected that some times, and returns the least that it had in use.
func (b *bench) collected(ctx context.Context) (float64, error) {
	times := float64(collections)
	if b.Quick {
		times = 1
	}
	least, enough := math.Inf(1), math.Inf(1)
	for began := time.Now(); time.Since(began) < collectTime; {
		now, err := b.readGauges(ctx, b.server.API)
		if err != nil {
			return 0, err
		}
		least, enough = min(least, now.InUse), min(enough, now.Collected+times)
		if now.Collected >= enough {
			return least, nil
		}
	}
	return 0, fmt.Errorf("the process did not collect its garbage within %v", collectTime)
}

// watched looks at the process while a load runs; the first sample is from
// before.
func (b *bench) watched(ctx context.Context, s *stream, load func(context.Context) error) ([]sample, error) {
	first, err := b.rested(ctx)
	if err != nil {
		return nil, err
	}
	samples := []sample{{gauges: first}}
	watching, stop := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for pause(watching, b.looks) == nil {
			if g, err := b.readGauges(watching, b.server.API); err == nil {
				samples = append(samples, sample{events: s.next.Load(), gauges: g})
			}
		}
	})
	err = load(ctx)
	stop()
	watcher.Wait()
	if err != nil {
		return nil, err
	}
	last, err := b.readGauges(ctx, b.server.API)
	return append(samples, sample{events: s.next.Load(), gauges: last}), err
}

// highest returns the most of each gauge while the events were in a range; false
// where nobody looked then.
func highest(samples []sample, from, to float64) (most gauges, looked bool) {
	for _, s := range samples {
		if float64(s.events) < from || float64(s.events) > to {
			continue
		}
		looked = true
		most.RSS, most.Goroutines = max(most.RSS, s.RSS), max(most.Goroutines, s.Goroutines)
	}
	return most, looked
}
