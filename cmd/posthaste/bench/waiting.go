package bench

import (
	"context"
	"time"

	"posthaste/worker"
)

const (
	// waitingQuiet is past the longest time between two first attempts.
	waitingQuiet = time.Minute
	// eachWaits is the figure of what a process keeps in memory of a delivery that
	// waits in Temporal, which is nothing.
	eachWaits = "in use for each more that waits"
	// eachWaitsBytes is past what two looks at a process differ by, spread over
	// thousands of deliveries, and far less than a delivery.
	eachWaitsBytes = 512
)

// waitingToRetry compares the process at rest with what it is after it got
// deliveries that fail and are to be tried again in an hour.
func (b *bench) waitingToRetry(ctx context.Context, before gauges) error {
	s, err := b.open(ctx, 1, fails, &retry{Mode: "schedule", DelaysSeconds: []int{3600}})
	if err != nil {
		return err
	}
	s.unjudged = true
	// A process keeps the latest workflows as they are, with a goroutine for each
	// delivery in them that waits, here a batch's; the others are in Temporal alone.
	// A quarter fills what is kept: what is in use then must not grow.
	quarter := b.waiting / 4
	few, err := b.afterFailing(ctx, s, quarter)
	if err != nil {
		return err
	}
	all, err := b.afterFailing(ctx, s, b.waiting-quarter)
	if err != nil {
		return err
	}
	b.note("deliveries that wait", "", float64(s.posts.Load()))
	b.note("memory before they wait", "MiB", before.RSS/mebibyte)
	b.note("memory while they wait", "MiB", all.RSS/mebibyte)
	b.compare("memory while they wait", "memory before they wait", atMost(1.1))
	b.detail("in use before they wait", "MiB", before.InUse/mebibyte)
	b.detail("in use while a quarter waits", "MiB", few.InUse/mebibyte)
	b.detail("in use while they wait", "MiB", all.InUse/mebibyte)
	b.note(eachWaits, "bytes", (all.InUse-few.InUse)/float64(b.waiting-quarter))
	b.want(eachWaits, atMost(eachWaitsBytes))
	b.note("goroutines that they add", "", all.Goroutines-before.Goroutines)
	b.want("goroutines that they add", atMost(worker.StickyWorkflows*batchEvents+100))
	return s.forget(ctx)
}

// afterFailing looks at the process once so many more events were tried, and failed.
func (b *bench) afterFailing(ctx context.Context, s *stream, events int) (gauges, error) {
	all := s.posts.Load() + int64(events)
	if _, err := s.flood(ctx, events); err != nil {
		return gauges{}, err
	}
	if err := s.whilePosted(ctx, waitingQuiet, func() bool { return s.posts.Load() >= all }); err != nil {
		return gauges{}, err
	}
	return b.rested(ctx)
}
