package bench

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// drainTime bounds the wait for POSTs that hung to be over.
	drainTime  = time.Minute
	drainEvery = 500 * time.Millisecond
	// drainedTo is how many attempts of what waited before may be under way.
	drainedTo = 2
)

// floodCallers send batches and wait for no delivery.
const floodCallers = 8

// stream is a tenant with its events and the webhooks that take them.
type stream struct {
	*flow
	*tenant
	receiver *receiver
	url      func(hook int, does behaviour) string
	webhooks []string // ids
	unjudged bool     // its deliveries are not meant to come
}

// open makes a tenant with so many webhooks, of which each has to get every
// event.
func (b *bench) open(ctx context.Context, hooks int, does behaviour, policy *retry) (*stream, error) {
	number := len(b.streams)
	name := fmt.Sprintf("bench-%s-%s-%d", b.run, b.scenario, number)
	token, err := b.server.Token(name)
	if err != nil {
		return nil, err
	}
	s := &stream{flow: newFlow(hooks), receiver: b.receiver}
	s.tenant = &tenant{caller: b.caller, base: b.server.API, bearer: "Bearer " + token, kind: fmt.Sprintf("bench.%s.%s.%d", b.run, b.scenario, number)}
	s.url = b.receiver.add(s.flow)
	b.streams = append(b.streams, s)
	for hook := range hooks {
		if err := s.add(ctx, hook, does, policy); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// plain is a stream of one webhook that takes everything, at a Posthaste with so
// many events per workflow.
func (b *bench) plain(ctx context.Context, eventsPerWorkflow int) (*stream, error) {
	if err := b.serving(ctx, eventsPerWorkflow, false); err != nil {
		return nil, err
	}
	return b.open(ctx, 1, takes, nil)
}

// add makes one more webhook; one past those that count hangs or passes.
func (s *stream) add(ctx context.Context, hook int, does behaviour, policy *retry) error {
	id, err := s.createWebhook(ctx, s.url(hook, does), policy)
	if err != nil {
		return err
	}
	s.webhooks = append(s.webhooks, id)
	return nil
}

// single begins one event by a request of its own.
func (s *stream) single(ctx context.Context, first int64, count int) error {
	return s.post(ctx, first, count, alone)
}

// singleKeyed begins one event by a request of its own that has a key, as callers
// do who repeat what was not answered.
func (s *stream) singleKeyed(ctx context.Context, first int64, count int) error {
	return s.post(ctx, first, count, keyed)
}

// batch begins several events by one request.
func (s *stream) batch(ctx context.Context, first int64, count int) error {
	return s.post(ctx, first, count, batched)
}

// flood has so many events accepted in batches, as fast as that goes, and waits
// for none of their deliveries.
func (s *stream) flood(ctx context.Context, events int) (window, error) {
	w := window{flow: s.flow, from: s.next.Load(), began: s.now()}
	var taken atomic.Int64
	p := newPatience(s.flow)
	group, ctx := errgroup.WithContext(ctx)
	for range floodCallers {
		group.Go(func() error {
			for {
				at := int(taken.Add(batchEvents)) - batchEvents
				count := min(batchEvents, events-at)
				if count <= 0 {
					return nil
				}
				if err := s.insist(ctx, count, p); err != nil {
					return err
				}
			}
		})
	}
	err := group.Wait()
	w.to, w.end = s.next.Load(), s.now()
	return w, err
}

// insist sends a batch, and others in its place while they are refused.
func (s *stream) insist(ctx context.Context, count int, p *patience) error {
	for {
		first := s.begin(count, s.now(), nil)
		err := s.batch(ctx, first, count)
		if err == nil {
			s.accept(first, count, s.now())
			return nil
		}
		if err := p.bears(err); err != nil {
			return err
		}
		if err := pause(ctx, refusedPause); err != nil {
			return err
		}
	}
}

// failures says what the ledger knows of attempts that failed.
func (s *stream) failures(ctx context.Context) string {
	reasons := map[string]int{}
	for _, id := range s.webhooks {
		var page struct {
			Data []struct{ Reason string }
		}
		if err := s.ask(ctx, http.MethodGet, "/api/webhooks/"+id+"/history?success=false&limit=100", nil, &page); err != nil {
			return err.Error()
		}
		for _, attempt := range page.Data {
			reasons[attempt.Reason]++
		}
	}
	if len(reasons) == 0 {
		return "no attempt of them has failed"
	}
	return fmt.Sprintf("attempts that failed: %v", reasons)
}

// forget deletes the webhooks.
func (s *stream) forget(ctx context.Context) error {
	for _, id := range s.webhooks {
		if err := s.deleteWebhook(ctx, id); err != nil {
			return err
		}
	}
	s.webhooks = nil
	return nil
}

// release deletes the last webhook, which may hang, lets go its POSTs and waits
// until Posthaste has no more under way, so that the next measurement does not
// pay for this one.
func (b *bench) release(ctx context.Context, s *stream) error {
	last := len(s.webhooks) - 1
	if err := s.deleteWebhook(ctx, s.webhooks[last]); err != nil {
		return err
	}
	s.webhooks = s.webhooks[:last]
	s.receiver.cut(s.flow)
	defer s.receiver.hangAgain(s.flow)
	for began := time.Now(); time.Since(began) < drainTime; {
		now, err := b.readGauges(ctx, b.server.API)
		if err != nil {
			return err
		}
		if now.Posting <= drainedTo {
			return b.rest(ctx)
		}
		if err := pause(ctx, drainEvery); err != nil {
			return err
		}
	}
	b.say("    POSTs are still under way after %v: the next figures pay for them", drainTime)
	return nil
}
