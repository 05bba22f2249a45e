package bench

import (
	"context"
	"fmt"
)

// batchEvents is how many events a request and a workflow hold where they share
// one.
const batchEvents = 64

// Names of figures that others are compared with.
const (
	floorRate  = "empty workflows, the floor"
	eventsRate = "events"
)

// strict compares single events with empty workflows.
func (b *bench) strict(ctx context.Context) error {
	return b.withFloor(ctx, func(s *stream, base *floor) error {
		err := b.eachRound(ctx,
			func(ctx context.Context) error {
				return b.closed(ctx, floorRate, closedLoad{flow: base.flow, begin: base.start, callers: b.singles, each: 1})
			},
			func(ctx context.Context) error {
				return b.closed(ctx, eventsRate, closedLoad{flow: s.flow, begin: s.single, callers: b.singles, each: 1})
			})
		b.compare(eventsRate, floorRate, atLeast(0.8, ""))
		return err
	})
}

// batch measures events that come 64 in a request.
func (b *bench) batch(ctx context.Context) error {
	s, err := b.plain(ctx, 1)
	if err != nil {
		return err
	}
	err = b.eachRound(ctx, func(ctx context.Context) error {
		return b.closed(ctx, eventsRate, closedLoad{flow: s.flow, begin: s.batch, callers: b.batches, each: batchEvents})
	})
	b.want(eventsRate, atLeast(2500, "/s"))
	return err
}

// coalesced measures single events that share workflows.
func (b *bench) coalesced(ctx context.Context) error {
	s, err := b.plain(ctx, batchEvents)
	if err != nil {
		return err
	}
	return b.eachRound(ctx, func(ctx context.Context) error {
		return b.closed(ctx, eventsRate, closedLoad{flow: s.flow, begin: s.single, callers: b.crowd, each: 1})
	})
}

// fanout measures events that go to many webhooks.
func (b *bench) fanout(ctx context.Context) error {
	if err := b.serving(ctx, 1, false); err != nil {
		return err
	}
	var arms []func(context.Context) error
	for _, hooks := range b.fan {
		s, err := b.open(ctx, hooks, takes, nil)
		if err != nil {
			return err
		}
		load := closedLoad{flow: s.flow, begin: s.single, callers: min(b.singles, b.fanned/hooks), each: 1}
		arms = append(arms, func(ctx context.Context) error { return b.closed(ctx, fanFigure(hooks), load) })
	}
	err := b.eachRound(ctx, arms...)
	for _, hooks := range b.fan[1:] {
		b.compare(fanFigure(hooks), fanFigure(b.fan[0]), nil)
	}
	b.want(fanFigure(100), atLeast(4500, "/s"))
	return err
}

func fanFigure(hooks int) string { return fmt.Sprintf("deliveries, 1 event to %d", hooks) }

// closed runs a closed load and notes its figures.
func (b *bench) closed(ctx context.Context, figure string, load closedLoad) error {
	load.warm, load.lasting = b.warm, b.lasting
	w, costs, err := b.costed(ctx, load.run)
	if err != nil {
		return err
	}
	b.note(figure, "/s", w.perSecond())
	b.noteLatencies(figure+": ", w)
	for _, c := range costs {
		b.note(figure+": "+c.what, c.unit, c.each).Detail = c.detail
	}
	b.say("    %s: %.0f /s", figure, w.perSecond())
	return nil
}

// noteLatencies notes nothing where nothing was accepted: 0 ms would look well.
func (b *bench) noteLatencies(prefix string, w window) {
	took := w.latencies()
	if len(took) == 0 {
		return
	}
	b.note(prefix+"p50", "ms", milliseconds(percentile(took, 0.5)))
	b.detail(prefix+"p95", "ms", milliseconds(percentile(took, 0.95)))
	b.note(prefix+"p99", "ms", milliseconds(percentile(took, 0.99)))
	b.detail(prefix+"max", "ms", milliseconds(percentile(took, 1)))
}
