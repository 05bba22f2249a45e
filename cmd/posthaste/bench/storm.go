package bench

import (
	"context"
	"time"
)

const (
	// stormQuiet is far past the longest wait of a delivery in the storm.
	stormQuiet = 90 * time.Second
	// stormRounds are enough: each takes minutes, over which much evens out.
	stormRounds = 2
)

// storm sends many events at once to a webhook that fails each twice.
func (b *bench) storm(ctx context.Context) error {
	if err := b.serving(ctx, 1, false); err != nil {
		return err
	}
	return b.rounded(ctx, min(b.rounds, stormRounds), func(ctx context.Context) error {
		s, err := b.open(ctx, 1, failsTwice, &retry{Mode: "schedule", DelaysSeconds: []int{1, 2, 10, 10, 10}})
		if err != nil {
			return err
		}
		w, err := s.flood(ctx, b.failing)
		if err != nil {
			return err
		}
		accepted := time.Duration(w.end - w.began)
		if err := w.settle(ctx, stormQuiet); err != nil {
			return err
		}
		last := time.Duration(w.lastArrival() - w.began)
		b.note("deliveries", "", float64(w.events()))
		b.note("all accepted after", "s", accepted.Seconds())
		b.note("all delivered after", "s", last.Seconds())
		b.note("attempts", "/s", float64(s.posts.Load())/last.Seconds())
		b.note("attempts of a delivery", "", float64(s.posts.Load())/float64(w.events()))
		b.say("    all delivered after %.1f s", last.Seconds())
		return nil
	})
}

// lastArrival is when the last delivery came.
func (w window) lastArrival() int64 {
	var last int64
	w.each(func(c *chunk, i int) {
		for hook := range w.flow.hooks {
			last = max(last, c.first[i*w.flow.hooks+hook].Load())
		}
	})
	return last
}
