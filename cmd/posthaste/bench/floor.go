package bench

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
	sdkworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"posthaste/worker"
)

// floorQueue is the task queue of the empty workflows.
const floorQueue = "bench-floor"

// floor starts empty workflows, eagerly, on the Temporal that Posthaste runs on:
// no durable event can cost less. It counts when a workflow runs, as an event
// counts when it is at the receiver: neither waits for the workflow's end.
type floor struct {
	*flow
	client client.Client
	worker sdkworker.Worker
	run    string // keeps the ids of two runs apart
}

// withFloor measures with a stream, and beside it the empty workflows that it is
// compared with.
func (b *bench) withFloor(ctx context.Context, run func(*stream, *floor) error) error {
	s, err := b.plain(ctx, 1)
	if err != nil {
		return err
	}
	base, err := startFloor(b.Temporal, b.run+"-"+b.scenario)
	if err != nil {
		return err
	}
	defer base.worker.Stop()
	return run(s, base)
}

// startFloor starts a worker for empty workflows, with the settings of
// Posthaste's own; stop it after use.
func startFloor(c client.Client, run string) (*floor, error) {
	f := &floor{flow: newFlow(1), client: c, run: run}
	f.worker = sdkworker.New(c, floorQueue, sdkworker.Options{
		MaxConcurrentWorkflowTaskExecutionSize: worker.FastSlots, MaxConcurrentWorkflowTaskPollers: worker.Pollers,
		DisableRegistrationAliasing: true,
	})
	f.worker.RegisterWorkflowWithOptions(f.empty, workflow.RegisterOptions{Name: "Empty"})
	if err := f.worker.Start(); err != nil {
		return nil, fmt.Errorf("start the worker of the floor: %w", err)
	}
	return f, nil
}

// empty does nothing but say that it runs.
func (f *floor) empty(_ workflow.Context, n int64) error {
	f.arrive(n, 0, f.now())
	return nil
}

// start starts the workflow of one number. Where Temporal does not take it, that
// is a refusal, as it is of an event.
func (f *floor) start(ctx context.Context, first int64, _ int) error {
	_, err := f.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: fmt.Sprintf("floor/%s/%d", f.run, first), TaskQueue: floorQueue, EnableEagerStart: true,
	}, "Empty", first)
	if err != nil {
		return asRefusal(ctx, err)
	}
	return nil
}
