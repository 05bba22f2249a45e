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
	aloneRate  = "events, one in a request"
	keyedRate  = "events, each with a key"
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

// batch compares events that come 64 in a request with such as come alone.
func (b *bench) batch(ctx context.Context) error {
	s, err := b.plain(ctx, 1)
	if err != nil {
		return err
	}
	err = b.eachRound(ctx,
		func(ctx context.Context) error {
			return b.closed(ctx, aloneRate, closedLoad{flow: s.flow, begin: s.single, callers: b.singles, each: 1})
		},
		func(ctx context.Context) error {
			return b.closed(ctx, eventsRate, closedLoad{flow: s.flow, begin: s.batch, callers: b.batches, each: batchEvents})
		})
	b.compare(eventsRate, aloneRate, nil)
	b.compare(writesPer(eventsRate), writesPer(aloneRate), nil)
	b.want(eventsRate, atLeast(2500, "/s"))
	return err
}

// coalesced compares single events that share workflows with such as have a key,
// which never share one. That they did share shows in what Temporal wrote.
func (b *bench) coalesced(ctx context.Context) error {
	s, err := b.plain(ctx, batchEvents)
	if err != nil {
		return err
	}
	err = b.eachRound(ctx,
		func(ctx context.Context) error {
			return b.closed(ctx, keyedRate, closedLoad{flow: s.flow, begin: s.singleKeyed, callers: b.crowd, each: 1})
		},
		func(ctx context.Context) error {
			return b.closed(ctx, eventsRate, closedLoad{flow: s.flow, begin: s.single, callers: b.crowd, each: 1})
		})
	b.compare(eventsRate, keyedRate, nil)
	b.compare(writesPer(eventsRate), writesPer(keyedRate), atMost(0.5))
	return err
}

// writesPer is the figure of what Temporal writes for each event of a rate.
func writesPer(figure string) string { return figure + ": " + writesOf }

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
	w, costs, err := b.costed(ctx, b.profiled(figure, load.warm, load.lasting, load.run))
	if err != nil {
		return err
	}
	b.noteLoad(figure, "/s", w.perSecond(), w)
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
	for _, p := range []struct {
		name   string
		part   float64
		detail bool
	}{{"p50", 0.5, false}, {"p95", 0.95, true}, {"p99", 0.99, false}, {"max", 1, true}} {
		b.noteLoad(prefix+p.name, "ms", milliseconds(percentile(took, p.part)), w).Detail = p.detail
	}
}
