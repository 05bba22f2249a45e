package bench

import (
	"context"
	"maps"
	"slices"
	"time"
)

const (
	// aftermath is how long a Temporal server may take to show what it counted,
	// and more than the work takes that follows the last delivery.
	aftermath = 1500 * time.Millisecond
	// quickAftermath is for a run whose figures mean nothing.
	quickAftermath = 100 * time.Millisecond
)

// Processes whose use of the processor is looked at.
const (
	posthaste = "Posthaste"
	temporal  = "Temporal"
	postgres  = "PostgreSQL"
	itself    = "the bench"
)

// usage is what everything has cost up to a moment.
type usage struct {
	cpu    map[string]float64 // seconds, by process: of those that can be looked at
	writes writes
}

// rest lets everything come to rest.
func (b *bench) rest(ctx context.Context) error {
	if b.Quick && !b.counts {
		return pause(ctx, quickAftermath)
	}
	return pause(ctx, aftermath)
}

// usage looks once everything has come to rest: what a load leaves to be done
// after its last delivery is part of its cost.
func (b *bench) usage(ctx context.Context) (usage, error) {
	if err := b.rest(ctx); err != nil {
		return usage{}, err
	}
	u := usage{cpu: map[string]float64{itself: ownCPU()}}
	if b.TemporalProcess != 0 {
		if p, ok := processOf(b.TemporalProcess); ok {
			u.cpu[temporal] = p.cpu
		}
	}
	if b.Postmaster != 0 {
		if seconds, ok := postgresCPU(b.Postmaster); ok {
			u.cpu[postgres] = seconds
		}
	}
	if b.Remote == nil {
		g, err := b.readGauges(ctx, b.server.API)
		if err != nil {
			return u, err
		}
		u.cpu[posthaste] = g.CPU
	}
	if b.TemporalMetrics == "" {
		return u, nil
	}
	var err error
	u.writes, err = b.readWrites(ctx, b.TemporalMetrics)
	return u, err
}

// cost is what each event of a load has cost.
type cost struct {
	what, unit string
	each       float64
	detail     bool
}

// costed runs a load and returns with it what each of its events has cost, the
// warming up included on both sides. Posthaste runs idle beside a floor, which
// pays for that.
func (b *bench) costed(ctx context.Context, load loads) (window, []cost, error) {
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

// since is what was used since then, by each of so many events.
func (u usage) since(before usage, events float64) []cost {
	var costs []cost
	for _, process := range []string{posthaste, temporal, postgres, itself} {
		if seconds, known := u.cpu[process]; known {
			costs = append(costs, cost{what: cpuOf + process, unit: "ms/event", each: (seconds - before.cpu[process]) * 1000 / events})
		}
	}
	if u.writes.byOperation == nil || before.writes.byOperation == nil {
		return costs
	}
	total, parts := 0.0, []cost(nil)
	for _, operation := range slices.Sorted(maps.Keys(u.writes.byOperation)) {
		each := (u.writes.byOperation[operation] - before.writes.byOperation[operation]) / events
		total += each
		parts = append(parts, cost{what: writesOf + " by " + operation, unit: "/event", each: each, detail: true})
	}
	visible := (u.writes.visibility - before.writes.visibility) / events
	costs = append(costs, cost{what: writesOf, unit: "/event", each: total},
		cost{what: writesOf + " to visibility", unit: "/event", each: visible, detail: true})
	return append(costs, parts...)
}

// Figures of what is used and of what is written through Temporal.
const (
	cpuOf    = "CPU of "
	writesOf = "writes of Temporal"
)
