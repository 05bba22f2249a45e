package models_test

import (
	"context"
	"flag"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

// What docs/benchmarks.md measures: a ledger that models/modelstest/load filled,
// and that a prune empties.
var loadDatabase = flag.String("load-database", "", "measure traffic beside a prune of this ledger")

// besidePrune is how long traffic is measured, without a prune and with one.
const besidePrune = 20 * time.Second

// TestTrafficBesideAPrune plans an event and records its attempt fifty times a
// second, first alone and then while all but a day is forgotten, and tells how
// long that took.
func TestTrafficBesideAPrune(t *testing.T) {
	t.Parallel()
	if *loadDatabase == "" {
		t.Skip("give -load-database to measure")
	}
	w := world{t, modelstest.OpenWith(t, models.Options{URL: *loadDatabase, RetentionDays: 1})}
	hook := w.webhook("traffic")
	w.traffic("warming up", hook, time.Second)
	w.traffic("alone", hook, besidePrune)
	ctx, cancel := context.WithCancel(t.Context())
	var pruning sync.WaitGroup
	pruning.Go(func() {
		done, err := w.store.Prune(ctx, now(), nil)
		t.Logf("pruned %+v: %v", done, err)
	})
	w.traffic("beside a prune", hook, besidePrune)
	cancel()
	pruning.Wait()
	require.NotZero(t, w.store.PruneStats().Deliveries, "nothing was pruned")
}

// traffic goes on for a time, each event at its moment whether or not the one
// before is done, and prints a row of the table.
func (w world) traffic(name string, hook models.Webhook, span time.Duration) {
	w.t.Helper()
	var mu sync.Mutex
	var planned, recorded []time.Duration
	var all sync.WaitGroup
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(span); time.Now().Before(end); {
		began := <-tick.C
		all.Go(func() {
			d := w.deliveryTo(hook)
			half := time.Now()
			w.record(d, models.StepDeliver)
			mu.Lock()
			defer mu.Unlock()
			planned, recorded = append(planned, half.Sub(began)), append(recorded, time.Since(half))
		})
	}
	all.Wait()
	w.t.Logf("| %s | %d | %s | %s |", name, len(planned), spread(planned), spread(recorded))
}

func spread(list []time.Duration) string {
	slices.Sort(list)
	at := func(q float64) string {
		return list[int(q*float64(len(list)-1))].Round(100 * time.Microsecond).String()
	}
	return at(0.5) + " | " + at(0.99) + " | " + at(1)
}
