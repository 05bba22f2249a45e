package bench

import (
	"context"
	"fmt"
	"time"
)

const (
	// openCallers is how many requests of an open load may be under way.
	openCallers = 64
	// openQuiet is past the longest wait of its last deliveries.
	openQuiet = 30 * time.Second
	// neighbourRate is what both tenants get.
	neighbourRate = 30
	// hangingCallers is how many events are in flight beside a hanging webhook.
	hangingCallers = 8
	tenth          = 10 // webhooks, of which one hangs
)

// idle measures how soon an event arrives where there is little to do.
func (b *bench) idle(ctx context.Context) error {
	if err := b.serving(ctx, 1, false); err != nil {
		return err
	}
	base, err := startFloor(b.Temporal, b.run+"-idle")
	if err != nil {
		return err
	}
	defer base.worker.Stop()
	s, err := b.open(ctx, 1, takes, nil)
	if err != nil {
		return err
	}
	var arms []func(context.Context) error
	rates := []int{50, 150}
	for _, rate := range rates {
		arms = append(arms, func(ctx context.Context) error {
			w, err := b.opened(ctx, openLoad{flow: base.flow, begin: base.start, perSecond: rate})
			if err != nil {
				return err
			}
			b.note(floorStart(rate), "ms", milliseconds(percentile(w.answers(), 0.5)))
			b.detail(floorStart(rate)+" p99", "ms", milliseconds(percentile(w.answers(), 0.99)))
			b.noteLatencies(fmt.Sprintf("%d/s: empty workflow runs ", rate), w)
			return nil
		}, func(ctx context.Context) error {
			w, err := b.opened(ctx, openLoad{flow: s.flow, begin: s.single, perSecond: rate})
			if err != nil {
				return err
			}
			b.noteLatencies(firstByte(rate), w)
			b.detail(fmt.Sprintf("%d/s: accepted p50", rate), "ms", milliseconds(percentile(w.answers(), 0.5)))
			return nil
		})
	}
	err = b.eachRound(ctx, arms...)
	for _, rate := range rates {
		b.compare(firstByte(rate)+"p99", fmt.Sprintf("%d/s: empty workflow runs p99", rate), nil)
	}
	b.compare(firstByte(50)+"p50", floorStart(50), atMost(2))
	b.compare(firstByte(150)+"p50", floorStart(150), nil)
	return err
}

func floorStart(rate int) string { return fmt.Sprintf("%d/s: empty workflow is started", rate) }
func firstByte(rate int) string  { return fmt.Sprintf("%d/s: first byte ", rate) }

// opened runs an open load and waits for its last deliveries.
func (b *bench) opened(ctx context.Context, load openLoad) (window, error) {
	load.callers, load.warm, load.lasting = openCallers, b.warm, b.lasting
	w, err := load.run(ctx)
	if err != nil {
		return w, err
	}
	return w, w.settle(ctx, openQuiet)
}

// neighbour measures a quiet tenant alone, and beside one whose receiver takes
// connections and never answers.
func (b *bench) neighbour(ctx context.Context) error {
	if err := b.serving(ctx, 1, false); err != nil {
		return err
	}
	quiet, err := b.open(ctx, 1, takes, nil)
	if err != nil {
		return err
	}
	noisy, err := b.open(ctx, 0, hangs, nil)
	if err != nil {
		return err
	}
	const alone, beside = "quiet tenant alone: ", "quiet tenant beside: "
	err = b.eachRound(ctx,
		func(ctx context.Context) error {
			w, err := b.opened(ctx, openLoad{flow: quiet.flow, begin: quiet.single, perSecond: neighbourRate})
			b.noteLatencies(alone, w)
			return err
		},
		func(ctx context.Context) error {
			w, err := b.beside(ctx, quiet, noisy)
			b.noteLatencies(beside, w)
			return err
		})
	b.compare(beside+"p50", alone+"p50", atMost(2))
	b.compare(beside+"p99", alone+"p99", atMost(2))
	return err
}

// beside measures the quiet tenant once the noisy one's POSTs have piled up.
func (b *bench) beside(ctx context.Context, quiet, noisy *stream) (window, error) {
	if err := noisy.add(ctx, 0, hangs, nil); err != nil {
		return window{}, err
	}
	load := func(s *stream) func(context.Context) (window, error) {
		return openLoad{
			flow: s.flow, begin: s.single, perSecond: neighbourRate, callers: openCallers, warm: b.buildUp, lasting: b.lasting,
		}.run
	}
	w, err := together(ctx, load(quiet), load(noisy))
	if err != nil {
		return w, err
	}
	now, err := b.readGauges(ctx, b.server.API)
	if err != nil {
		return w, err
	}
	b.detail("goroutines beside", "", now.Goroutines)
	if err := w.settle(ctx, openQuiet); err != nil {
		return w, err
	}
	return w, b.release(ctx, noisy)
}

// hanging measures nine webhooks beside a tenth that hangs.
func (b *bench) hanging(ctx context.Context) error {
	if err := b.serving(ctx, 1, false); err != nil {
		return err
	}
	well, err := b.open(ctx, tenth, takes, nil)
	if err != nil {
		return err
	}
	ill, err := b.open(ctx, tenth-1, takes, nil)
	if err != nil {
		return err
	}
	const all, nine = "nine of ten, all answer", "nine of ten, one hangs"
	err = b.eachRound(ctx,
		func(ctx context.Context) error {
			w, err := closedLoad{flow: well.flow, begin: well.single, callers: hangingCallers, each: 1, warm: b.warm, lasting: b.lasting}.run(ctx)
			b.note(all, "/s", w.perSecond()*(tenth-1)/tenth)
			b.noteLatencies(all+": ", w)
			return err
		},
		func(ctx context.Context) error {
			w, err := b.besideHanging(ctx, ill)
			b.note(nine, "/s", w.perSecond())
			b.noteLatencies(nine+": ", w)
			return err
		})
	b.compare(nine, all, nil)
	b.compare(nine+": p50", all+": p50", nil)
	b.compare(nine+": p99", all+": p99", nil)
	return err
}

func (b *bench) besideHanging(ctx context.Context, ill *stream) (window, error) {
	if err := ill.add(ctx, tenth, hangs, nil); err != nil {
		return window{}, err
	}
	w, err := closedLoad{
		flow: ill.flow, begin: ill.single, callers: hangingCallers, each: 1, warm: b.buildUp / 3, lasting: b.lasting,
	}.run(ctx)
	if err != nil {
		return w, err
	}
	return w, b.release(ctx, ill)
}
