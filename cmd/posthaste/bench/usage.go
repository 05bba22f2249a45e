package bench

import (
	"context"
	"maps"
	"slices"
	"time"
)

// metricsFlush is how long a Temporal server may take to show what it counted.
const metricsFlush = 1500 * time.Millisecond

// quickFlush is for a run whose figures mean nothing.
const quickFlush = 100 * time.Millisecond

// usage is what everything has cost up to a moment.
type usage struct {
	posthaste, temporal, bench float64 // seconds of processor time
	writes                     map[string]float64
}

func (b *bench) usage(ctx context.Context) (usage, error) {
	u := usage{temporal: processCPU(b.TemporalProcess), bench: ownCPU()}
	if b.server != nil && b.Remote == nil {
		g, err := b.readGauges(ctx, b.server.API)
		if err != nil {
			return u, err
		}
		u.posthaste = g.CPU
	}
	if b.TemporalMetrics == "" {
		return u, nil
	}
	flush := metricsFlush
	if b.Quick {
		flush = quickFlush
	}
	if err := pause(ctx, flush); err != nil {
		return u, err
	}
	var err error
	u.writes, err = b.readWrites(ctx, b.TemporalMetrics)
	return u, err
}

// cost is what each event of a load has cost.
type cost struct {
	what, unit string
	each       float64
}

// costed runs a load and returns with it what each of its events has cost.
// Posthaste runs idle beside a floor, which pays for that.
func (b *bench) costed(ctx context.Context, load func(context.Context) (window, error)) (window, []cost, error) {
	before, err := b.usage(ctx)
	if err != nil {
		return window{}, nil, err
	}
	w, err := load(ctx)
	if err != nil {
		return w, nil, err
	}
	after, err := b.usage(ctx)
	if err != nil || w.events() == 0 {
		return w, nil, err
	}
	return w, after.since(before, float64(w.events())), nil
}

// since is what was used since then, by each of so many events. The parts of
// Temporal's writes come last.
func (u usage) since(before usage, events float64) []cost {
	var costs []cost
	for _, used := range []struct {
		of      string
		seconds float64
	}{
		{"Posthaste", u.posthaste - before.posthaste}, {"Temporal", u.temporal - before.temporal}, {"the bench", u.bench - before.bench},
	} {
		if used.seconds > 0 {
			costs = append(costs, cost{"CPU of " + used.of, "ms/event", used.seconds * 1000 / events})
		}
	}
	if u.writes == nil {
		return costs
	}
	total, parts := 0.0, []cost(nil)
	for _, operation := range slices.Sorted(maps.Keys(u.writes)) {
		each := (u.writes[operation] - before.writes[operation]) / events
		total += each
		parts = append(parts, cost{writesOf + " by " + operation, "/event", each})
	}
	return append(append(costs, cost{writesOf, "/event", total}), parts...)
}

// writesOf is the figure of what is written through Temporal.
const writesOf = "writes of Temporal"
