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
	return b.withFloor(ctx, func(s *stream, base *floor) error {
		var arms []func(context.Context) error
		rates := []int{50, 150}
		for _, rate := range rates {
			arms = append(arms, func(ctx context.Context) error {
				w, err := b.opened(ctx, floorRuns(rate), openLoad{flow: base.flow, begin: base.start, perSecond: rate})
				if err != nil {
					return err
				}
				b.noteLoad(floorStart(rate), "ms", milliseconds(percentile(w.answers(), 0.5)), w)
				b.detail(floorStart(rate)+" p99", "ms", milliseconds(percentile(w.answers(), 0.99)))
				b.noteLatencies(floorRuns(rate), w)
				return nil
			}, func(ctx context.Context) error {
				w, err := b.opened(ctx, firstByte(rate), openLoad{flow: s.flow, begin: s.single, perSecond: rate})
				if err != nil {
					return err
				}
				b.noteLatencies(firstByte(rate), w)
				b.detail(fmt.Sprintf("%d/s: accepted p50", rate), "ms", milliseconds(percentile(w.answers(), 0.5)))
				return nil
			})
		}
		err := b.eachRound(ctx, arms...)
		for _, rate := range rates {
			b.compare(firstByte(rate)+"p99", floorRuns(rate)+"p99", nil)
		}
		b.compare(firstByte(50)+"p50", floorStart(50), atMost(2))
		b.compare(firstByte(150)+"p50", floorStart(150), nil)
		return err
	})
}

func floorStart(rate int) string { return fmt.Sprintf("%d/s: empty workflow is started", rate) }
func floorRuns(rate int) string  { return fmt.Sprintf("%d/s: empty workflow runs ", rate) }
func firstByte(rate int) string  { return fmt.Sprintf("%d/s: first byte ", rate) }

// opened runs an open load and waits for its last deliveries, and for what they
// leave to be done: the next load may be one that is compared with another.
func (b *bench) opened(ctx context.Context, figure string, load openLoad) (window, error) {
	load.callers, load.warm, load.lasting = openCallers, b.warm, b.lasting
	w, err := b.profiled(figure, load.warm, load.lasting, load.run)(ctx)
	if err != nil {
		return w, err
	}
	if err := w.settle(ctx, openQuiet); err != nil {
		return w, err
	}
	return w, b.rest(ctx)
}

// neighbour measures a quiet tenant alone, beside one that has as much to do, and
// beside one whose receiver takes connections and never answers.
func (b *bench) neighbour(ctx context.Context) error {
	quiet, err := b.plain(ctx, 1)
	if err != nil {
		return err
	}
	other, err := b.open(ctx, 0, hangs, nil)
	if err != nil {
		return err
	}
	const alone, answers, hanging = "quiet tenant alone: ", "beside one that answers: ", "beside one that hangs: "
	arm := func(prefix string, measure func(context.Context) (window, error)) func(context.Context) error {
		return func(ctx context.Context) error {
			w, err := measure(ctx)
			if err != nil {
				return err
			}
			b.noteLatencies(prefix, w)
			return nil
		}
	}
	err = b.eachRound(ctx,
		arm(alone, func(ctx context.Context) (window, error) {
			return b.opened(ctx, alone, openLoad{flow: quiet.flow, begin: quiet.single, perSecond: neighbourRate})
		}),
		arm(answers, func(ctx context.Context) (window, error) { return b.beside(ctx, quiet, other, passes) }),
		arm(hanging, func(ctx context.Context) (window, error) { return b.beside(ctx, quiet, other, hangs) }))
	for _, figure := range []string{"p50", "p99"} {
		b.compare(answers+figure, alone+figure, nil)
		b.compare(hanging+figure, alone+figure, atMost(2))
	}
	return err
}

// beside measures the quiet tenant while another has as many events: one that
// hangs is measured once its POSTs have piled up.
func (b *bench) beside(ctx context.Context, quiet, other *stream, does behaviour) (window, error) {
	if err := other.add(ctx, 0, does, nil); err != nil {
		return window{}, err
	}
	warm := b.warm
	if does == hangs {
		warm = b.buildUp
	}
	load := func(s *stream) func(context.Context) (window, error) {
		return openLoad{
			flow: s.flow, begin: s.single, perSecond: neighbourRate, callers: openCallers, warm: warm, lasting: b.lasting,
		}.run
	}
	measured := b.profiled("beside one that "+string(does), warm, b.lasting, load(quiet))
	w, err := together(ctx, measured, load(other))
	if err != nil {
		return w, err
	}
	now, err := b.readGauges(ctx, b.server.API)
	if err != nil {
		return w, err
	}
	b.detail("goroutines beside one that "+string(does), "", now.Goroutines)
	if err := w.settle(ctx, openQuiet); err != nil {
		return w, err
	}
	return w, b.release(ctx, other)
}

// hanging measures nine webhooks beside a tenth that answers, and beside one that
// hangs, once its POSTs have piled up and those before them were given up.
func (b *bench) hanging(ctx context.Context) error {
	if err := b.serving(ctx, 1, false); err != nil {
		return err
	}
	s, err := b.open(ctx, tenth-1, takes, nil)
	if err != nil {
		return err
	}
	const all, nine = "nine of ten, all answer", "nine of ten, one hangs"
	arm := func(figure string, does behaviour) func(context.Context) error {
		return func(ctx context.Context) error {
			w, err := b.besideTenth(ctx, s, does)
			if err != nil {
				return err
			}
			b.noteLoad(figure, "/s", w.perSecond(), w)
			b.noteLatencies(figure+": ", w)
			return nil
		}
	}
	err = b.eachRound(ctx, arm(all, passes), arm(nine, hangs))
	b.compare(nine, all, nil)
	for _, figure := range []string{": p50", ": p99"} {
		b.compare(nine+figure, all+figure, atMost(2))
	}
	return err
}

// besideTenth measures the nine webhooks of a stream while there is a tenth.
func (b *bench) besideTenth(ctx context.Context, s *stream, does behaviour) (window, error) {
	if err := s.add(ctx, tenth, does, nil); err != nil {
		return window{}, err
	}
	load := closedLoad{
		flow: s.flow, begin: s.single, callers: hangingCallers, each: 1, warm: b.buildUp, lasting: b.lasting,
	}
	w, err := b.profiled("nine of ten, the tenth "+string(does), load.warm, load.lasting, load.run)(ctx)
	if err != nil {
		return w, err
	}
	return w, b.release(ctx, s)
}
