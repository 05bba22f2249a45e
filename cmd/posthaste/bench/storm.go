package bench

import (
	"context"
	"fmt"
	"time"
)

const (
	// stormQuiet is far past the longest wait of a delivery in the storm.
	stormQuiet = 90 * time.Second
	// stormRounds are enough: each takes minutes, over which much evens out.
	stormRounds = 2
)

// stormDelays are those of a delivery in the storm. It has to sit out the first
// two, spread by their jitter, which is no work: before the storm is compared,
// they are taken off.
var stormDelays = []int{1, 2, 10, 10, 10}

// storm sends many events at once to a webhook that fails each twice, and as
// many to one that takes them.
func (b *bench) storm(ctx context.Context) error {
	if err := b.serving(ctx, 1, false); err != nil {
		return err
	}
	const calm, failing, delivered = "none fails: ", "each fails twice: ", "all delivered after"
	planned := stormDelays[0] + stormDelays[1]
	worked := fmt.Sprintf("%s%s, less %d s of waits", failing, delivered, planned)
	err := b.rounded(ctx, min(b.rounds, stormRounds),
		func(ctx context.Context) error {
			last, err := b.flooded(ctx, calm, takes)
			if err == nil {
				b.note(calm+delivered, "s", last.Seconds())
			}
			return err
		},
		func(ctx context.Context) error {
			last, err := b.flooded(ctx, failing, failsTwice)
			if err == nil {
				b.note(failing+delivered, "s", last.Seconds())
				b.note(worked, "s", last.Seconds()-float64(planned))
			}
			return err
		})
	b.compare(worked, calm+delivered, nil)
	return err
}

// flooded sends many events at once to a new webhook, notes what they took, and
// returns when the last delivery had come.
func (b *bench) flooded(ctx context.Context, prefix string, does behaviour) (time.Duration, error) {
	s, err := b.open(ctx, 1, does, &retry{Mode: "schedule", DelaysSeconds: stormDelays})
	if err != nil {
		return 0, err
	}
	w, err := s.flood(ctx, b.failing)
	if err != nil {
		return 0, err
	}
	accepted := time.Duration(w.end - w.began)
	if err := w.settle(ctx, stormQuiet); err != nil {
		return 0, err
	}
	last := time.Duration(w.lastArrival() - w.began)
	b.note(prefix+"deliveries", "", float64(w.events()))
	b.note(prefix+"all accepted after", "s", accepted.Seconds())
	b.note(prefix+"attempts", "/s", float64(s.posts.Load())/last.Seconds())
	b.note(prefix+"attempts of a delivery", "", float64(s.posts.Load())/float64(w.events()))
	b.say("    %sall delivered after %.1f s", prefix, last.Seconds())
	return last, b.rest(ctx)
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
