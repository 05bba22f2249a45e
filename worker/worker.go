// Package worker registers workflows and activities and sets how much of them
// one process runs. It decides nothing else.
package worker

import (
	"cmp"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"

	"posthaste/activities"
	"posthaste/workflows"
)

// Sizes of a worker that is given none. The settings have the same.
const (
	FastSlots    = 1_000
	DurableSlots = 10_000
	Pollers      = 8
)

// Options are the sizes of one worker process. Zero values take the defaults.
type Options struct {
	FastSlots    int           // workflow tasks, and fast-lane slices, under way at once
	DurableSlots int           // durable-lane POSTs under way at once: each is a goroutine and a socket
	Pollers      int           // pollers for each kind of task
	StopTimeout  time.Duration // how long Stop waits for POSTs under way; default 50 s, past the longest POST and its record
}

// StickyWorkflows is how many workflows this process keeps in memory while they
// wait. Each holds a goroutine for every delivery of its that waits, up to 20 KiB,
// and can be had back from its history when it goes on, for a read of Temporal's:
// a backlog of retries must not cost memory here. The SDK would keep 10,000.
const StickyWorkflows = 16

// Worker runs the workflows and activities of Posthaste.
type Worker struct {
	sdkworker.Worker
	broken atomic.Pointer[error] // what made the SDK give up
}

// New returns a worker on the client. For eager start this must be the client
// that the API starts workflows with; start the worker before the API, since
// only a running worker makes eager start happen. Stop it before the client and
// the store are closed.
func New(c client.Client, effects *activities.Activities, o Options) *Worker {
	sdkworker.SetStickyWorkflowCacheSize(StickyWorkflows)
	w := &Worker{}
	w.Worker = sdkworker.New(c, workflows.TaskQueue, sdkworker.Options{
		MaxConcurrentWorkflowTaskExecutionSize:  cmp.Or(o.FastSlots, FastSlots),
		MaxConcurrentLocalActivityExecutionSize: cmp.Or(o.FastSlots, FastSlots),
		MaxConcurrentActivityExecutionSize:      cmp.Or(o.DurableSlots, DurableSlots),
		MaxConcurrentWorkflowTaskPollers:        cmp.Or(o.Pollers, Pollers),
		MaxConcurrentActivityTaskPollers:        cmp.Or(o.Pollers, Pollers),
		WorkerStopTimeout:                       cmp.Or(o.StopTimeout, 50*time.Second),
		MaxHeartbeatThrottleInterval:            activities.HeartbeatTimeout / 2, // as often as it is recorded
		OnFatalError:                            func(err error) { w.broken.Store(&err) },
	})
	w.RegisterWorkflow(workflows.DeliverEvent)
	w.RegisterWorkflow(workflows.DeliverPage)
	w.RegisterWorkflow(workflows.ResendDelivery)
	w.RegisterWorkflow(workflows.ReplayDeliveries)
	w.RegisterWorkflow(workflows.ReplayPage)
	w.RegisterWorkflow(workflows.PruneHistory)
	w.RegisterActivity(effects)
	return w
}

// Healthy returns what made the worker give up polling, which needs a restart
// (a namespace that was deleted, a credential that was revoked).
func (w *Worker) Healthy() error {
	if err := w.broken.Load(); err != nil {
		return *err
	}
	return nil
}
