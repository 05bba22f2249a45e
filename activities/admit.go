package activities

import (
	"context"
	"fmt"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook/send"
)

// pacePatience is how long a delivery waits here for its slot under a webhook's
// rate limit. A longer wait is Temporal's, at the price of two writes.
const pacePatience = time.Second

// permit is the right to make one POST. It is released in any case; sent tells
// what came of a POST that was made.
type permit struct {
	release func()
	sent    func(send.Result)
}

// admit asks for a permit, or says why there is none: the fast lane then leaves
// the delivery to the durable lane, and the durable lane sends it away for a
// while. Neither is an attempt.
func (a *Activities) admit(ctx context.Context, due models.Due, j job) (permit, *standing, error) {
	if j.lane == LaneDurable {
		return a.admitDurably(ctx, due, j.now || due.Delivery.Test)
	}
	why := DeferredUnfit
	if a.fitness.fit(due.Webhook.ID) {
		began := a.now()
		release, full := takeBoth(ctx, a.fastTenants, a.fast, due.Webhook, DeferredFull)
		a.meter.WaitedFast(a.now().Sub(began))
		if release != nil {
			return permit{release: release, sent: func(result send.Result) { a.noteAnswer(due.Webhook.ID, result) }}, nil, nil
		}
		why = full
	}
	a.meter.Deferred(LaneFast, why)
	left := deferred(due.Delivery, 0, "its webhook is not fit for the fast lane now")
	return permit{}, &left, nil
}

// takeBoth takes a place of the tenant and one of the webhook, or says whose are
// all in use: a tenant with a hundred webhooks that hang has no more of a lane
// than one with a few. FullWebhook is what the lane calls a full webhook.
func takeBoth(ctx context.Context, tenants, webhooks *slots, w models.Webhook, fullWebhook Deferral) (release func(), full Deferral) {
	leaveTenant, ok := tenants.take(ctx, w.Tenant)
	if !ok {
		return nil, DeferredTenant
	}
	leaveWebhook, ok := webhooks.take(ctx, w.ID)
	if !ok {
		leaveTenant()
		return nil, fullWebhook
	}
	return func() { leaveWebhook(); leaveTenant() }, ""
}

// admitDurably asks for the tenant's and the webhook's share of the lane, then its rate limit,
// then its breaker. What a person asked for passes the limit and the breaker.
func (a *Activities) admitDurably(ctx context.Context, due models.Due, asked bool) (permit, *standing, error) {
	id := due.Webhook.ID
	away := func(reason Deferral, wait time.Duration, why string) (permit, *standing, error) {
		a.meter.Deferred(LaneDurable, reason)
		refusal := deferred(due.Delivery, wait, why)
		return permit{}, &refusal, nil
	}
	release, full := takeBoth(ctx, a.durableTenants, a.durable, due.Webhook, DeferredShare)
	if release == nil {
		return away(full, a.places.next(id, 0), "its webhook, or its tenant, has its share of the durable lane in flight")
	}
	if limit := due.Webhook.MaxPerSecond; limit > 0 && !asked {
		wait, err := a.pace(ctx, due, limit)
		switch {
		case errs.Is(err, errs.NotFound):
			release()
			gone := deleted(due.Delivery.ID)
			return permit{}, &gone, nil
		case err != nil:
			release()
			return permit{}, nil, fmt.Errorf("take a slot of webhook %s: %w", id, err)
		case wait > 0:
			release()
			return away(DeferredRateLimit, min(wait, longestDeferral), fmt.Sprintf("its webhook takes %d a second; its turn comes", limit))
		}
	}
	if a.fitness.hangs(id) {
		a.breakers.trip(id)
	}
	probe, wait := a.breakers.allow(id)
	if wait > 0 && !asked {
		release()
		return away(DeferredBreaker, a.places.next(id, wait), "its webhook does not answer; waits for a probe to be answered")
	}
	return permit{
		release: func() {
			if probe {
				a.breakers.probed(id)
			}
			release()
		},
		sent: func(result send.Result) {
			a.places.ended(id)
			a.noteAnswer(id, result)
		},
	}, nil, nil
}

// noteAnswer tells the webhook's breaker what a POST came to. One that we cut
// short says nothing about the receiver.
func (a *Activities) noteAnswer(webhookID string, result send.Result) {
	if !result.Interrupted {
		a.breakers.note(webhookID, result.Outcome)
	}
}

// pace takes the delivery's slot under the webhook's rate limit and waits for it
// if it is near; otherwise it returns when to come back, which is a little
// early: Temporal's timers are late by up to a second, and bunch.
func (a *Activities) pace(ctx context.Context, due models.Due, perSecond int) (time.Duration, error) {
	slot, err := a.store.Pace(ctx, due.Delivery, due.Webhook.ID, perSecond)
	if err != nil {
		return 0, err
	}
	wait := slot.Sub(a.now())
	if wait <= 0 {
		return 0, nil
	}
	if wait > pacePatience {
		return wait - pacePatience, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
