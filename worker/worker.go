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

// Options are the sizes of one worker process. Zero values take the defaults.
type Options struct {
	FastSlots    int           // events and fast-lane slices under way at once; default 1,000
	DurableSlots int           // durable-lane POSTs under way at once; default 10,000: each is a goroutine and a socket
	Pollers      int           // pollers of each task queue; default 8
	StopTimeout  time.Duration // how long Stop waits for POSTs under way; default 50 s, past the longest POST and its record
}

// Worker runs both task queues of Posthaste.
type Worker struct {
	events, deliveries sdkworker.Worker
	broken             atomic.Pointer[error] // what made the SDK give up
}

// New returns a worker on the client. For eager start this must be the client
// that the API starts workflows with.
func New(c client.Client, effects *activities.Activities, o Options) *Worker {
	w := &Worker{}
	giveUp := func(err error) { w.broken.Store(&err) }
	w.events = sdkworker.New(c, workflows.TaskQueue, sdkworker.Options{
		MaxConcurrentWorkflowTaskExecutionSize:  cmp.Or(o.FastSlots, 1_000),
		MaxConcurrentLocalActivityExecutionSize: cmp.Or(o.FastSlots, 1_000),
		MaxConcurrentWorkflowTaskPollers:        cmp.Or(o.Pollers, 8),
		LocalActivityWorkerOnly:                 true, // regular activities have a queue of their own
		WorkerStopTimeout:                       cmp.Or(o.StopTimeout, 50*time.Second),
		OnFatalError:                            giveUp,
	})
	w.events.RegisterWorkflow(workflows.DeliverEvent)
	w.events.RegisterWorkflow(workflows.DeliverPage)
	w.events.RegisterWorkflow(workflows.ResendDelivery)
	w.events.RegisterActivity(effects)
	w.deliveries = sdkworker.New(c, workflows.DeliveriesTaskQueue, sdkworker.Options{
		MaxConcurrentActivityExecutionSize: cmp.Or(o.DurableSlots, 10_000),
		MaxConcurrentActivityTaskPollers:   cmp.Or(o.Pollers, 8),
		DisableWorkflowWorker:              true,
		WorkerStopTimeout:                  cmp.Or(o.StopTimeout, 50*time.Second),
		OnFatalError:                       giveUp,
	})
	w.deliveries.RegisterActivity(effects)
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

// Start begins to work. Start the worker before the API: only a running worker
// makes eager start happen.
func (w *Worker) Start() error {
	if err := w.events.Start(); err != nil {
		return err
	}
	if err := w.deliveries.Start(); err != nil {
		w.events.Stop()
		return err
	}
	return nil
}

// Stop takes no new work and waits for what is under way. Close the client and
// the store afterwards.
func (w *Worker) Stop() {
	done := make(chan struct{})
	go func() { defer close(done); w.deliveries.Stop() }()
	w.events.Stop()
	<-done
}
