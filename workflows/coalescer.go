package workflows

import (
	"context"
	"sync"

	"posthaste/activities"
)

// coalescer lets events that arrive while a start is under way share the next
// one, at most size of them and of one tenant. Nothing waits when nothing is
// under way, so a quiet installation starts one workflow per event whatever the
// size; a busy one writes to Temporal once per batch.
type coalescer struct {
	size  int
	start func(ctx context.Context, events []activities.Event) error

	mu      sync.Mutex
	tenants map[string]*gathering // those with a start under way
}

// gathering is what one tenant has under way, and what waits for its end.
type gathering struct {
	underWay int
	next     *shared
}

// shared is a set of events that start together, and how that went.
type shared struct {
	events []activities.Event
	bytes  int
	done   chan struct{}
	err    error // set before done is closed
}

func newCoalescer(size int, start func(context.Context, []activities.Event) error) *coalescer {
	return &coalescer{size: size, start: start, tenants: map[string]*gathering{}}
}

// add starts a workflow with the event, alone or with others, and returns how
// that went. A caller that leaves early leaves its event in.
func (c *coalescer) add(ctx context.Context, event activities.Event) error {
	mine, starts := c.join(event)
	if starts {
		c.run(ctx, event.Tenant, mine)
		return mine.err
	}
	select {
	case <-mine.done:
		return mine.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// join puts the event into a set, and reports whether the caller is to start it
// now.
func (c *coalescer) join(event activities.Event) (mine *shared, starts bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, busy := c.tenants[event.Tenant]
	if !busy {
		g = &gathering{}
		c.tenants[event.Tenant] = g
	}
	size := bytesOf(&event)
	if g.next != nil && g.next.bytes+size > maxSharedBytes {
		c.launch(event.Tenant, g)
	}
	if g.next == nil {
		g.next = &shared{done: make(chan struct{})}
	}
	mine = g.next
	mine.events, mine.bytes = append(mine.events, event), mine.bytes+size
	if busy && len(mine.events) < c.size {
		return mine, false
	}
	g.underWay++
	g.next = nil
	return mine, true
}

// launch starts what has gathered without its callers' help. The lock is held.
func (c *coalescer) launch(tenant string, g *gathering) {
	ready := g.next
	g.underWay++
	g.next = nil
	go c.run(context.Background(), tenant, ready)
}

// run starts a set, tells its callers, and sees to what has gathered meanwhile.
// It does not end with the caller's context: others share the start.
func (c *coalescer) run(ctx context.Context, tenant string, ready *shared) {
	ready.err = c.start(context.WithoutCancel(ctx), ready.events)
	close(ready.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.tenants[tenant]
	g.underWay--
	switch {
	case g.next != nil:
		c.launch(tenant, g)
	case g.underWay == 0:
		delete(c.tenants, tenant)
	}
}
