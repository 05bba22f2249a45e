package bench

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// longestWait is how long a caller waits for what was accepted before it goes on
// without.
const longestWait = time.Minute

// errLate is a wait that was given up.
var errLate = errors.New("deliveries of accepted events are late")

// begin starts events [first, first+count) and returns when they are accepted.
type begin func(ctx context.Context, first int64, count int) error

// closedLoad has callers that each begin events and wait until all deliveries
// have come before they begin the next.
type closedLoad struct {
	flow    *flow
	begin   begin
	callers int
	each    int // events that a caller begins at once
	warm    time.Duration
	lasting time.Duration
	most    int64 // ends earlier, once so many events were begun; 0 = never
}

// run loads until the time is over and returns what was measured.
func (l closedLoad) run(ctx context.Context) (window, error) {
	w := window{flow: l.flow, from: l.flow.next.Load()}
	w.began = l.flow.now() + int64(l.warm)
	deadline, p := w.began+int64(l.lasting), newPatience(l.flow)
	group, ctx := errgroup.WithContext(ctx)
	for range l.callers {
		group.Go(func() error {
			waits := newWaiter()
			for l.flow.now() < deadline && (l.most == 0 || l.flow.next.Load()-w.from < l.most) {
				came, err := l.once(ctx, waits, p)
				if err != nil {
					return err
				}
				if !came {
					waits = newWaiter() // what comes late tells the old one, what was refused none
				}
			}
			return nil
		})
	}
	err := group.Wait()
	w.to, w.end = l.flow.next.Load(), min(deadline, l.flow.now())
	return w, cmp.Or(err, p.judge(w))
}

// once begins events and waits until they have come; false where they were
// refused, or are late: whether those are lost shows when all has settled.
func (l closedLoad) once(ctx context.Context, waits *waiter, p *patience) (came bool, err error) {
	first := l.flow.begin(l.each, l.flow.now(), waits)
	if err := l.begin(ctx, first, l.each); err != nil {
		if err := p.bears(err); err != nil {
			return false, err
		}
		return false, pause(ctx, refusedPause)
	}
	l.flow.accept(first, l.each, l.flow.now())
	err = waits.wait(ctx)
	if errors.Is(err, errLate) {
		return false, nil
	}
	return err == nil, err
}

// wait returns when all has come.
func (w *waiter) wait(ctx context.Context) error {
	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errLate
	}
}

// openLoad begins events at their moments, however long the earlier ones take:
// what is begun late for want of a caller counts from its moment all the same.
type openLoad struct {
	flow      *flow
	begin     begin
	perSecond int
	callers   int
	warm      time.Duration
	lasting   time.Duration
}

// run loads until the time is over and returns what was measured; deliveries
// may still be on their way.
func (l openLoad) run(ctx context.Context) (window, error) {
	w := window{flow: l.flow, from: l.flow.next.Load()}
	start := l.flow.now()
	w.began = start + int64(l.warm)
	w.end = w.began + int64(l.lasting)
	interval := int64(time.Second) / int64(l.perSecond)
	events := (w.end - start) / interval
	var taken atomic.Int64
	p := newPatience(l.flow)
	group, ctx := errgroup.WithContext(ctx)
	for range l.callers {
		group.Go(func() error {
			for i := taken.Add(1) - 1; i < events; i = taken.Add(1) - 1 {
				if err := l.once(ctx, start+i*interval, p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	w.to = l.flow.next.Load()
	return w, cmp.Or(err, p.judge(w))
}

func (l openLoad) once(ctx context.Context, scheduled int64, p *patience) error {
	if err := pause(ctx, time.Duration(scheduled-l.flow.now())); err != nil {
		return err
	}
	first := l.flow.begin(1, scheduled, nil)
	if err := l.begin(ctx, first, 1); err != nil {
		return p.bears(err) // nobody asks again
	}
	l.flow.accept(first, 1, l.flow.now())
	return nil
}

// pause lets time pass.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// together runs loads side by side and returns the window of the first.
func together(ctx context.Context, measured, beside func(context.Context) (window, error)) (window, error) {
	var w window
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) { w, err = measured(ctx); return err })
	group.Go(func() error { _, err := beside(ctx); return err })
	return w, group.Wait()
}
