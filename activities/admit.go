package activities

import (
	"context"
	"fmt"
	"sync"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook/send"
)

// pacePatience is how long a delivery waits here for its slot under a webhook's
// rate limit. A longer wait is Temporal's, at the price of two writes.
const pacePatience = time.Second

// quickPosts is how many POSTs of a webhook have to end within fastPatience for
// those that find no place meanwhile to have another turn: a hundred a second, which
// is more than the durable lane brings. What waits for slower ones in the fast lane
// keeps calls of its tenant from its other webhooks. Of a tenant that has all its
// places in use as many end at any rate, where none takes longer than a webhook may
// in this lane.
const quickPosts = 500

// permit is the right to make one POST, and to leave it unrecorded for a moment.
// Sent tells what came of a POST that was made; in the fast lane it gives the
// webhook's place back, because the database's time is not the receiver's.
// Release ends it, in any case: what is not on record yet would be sent again if
// this process died, so that must stay bounded, too.
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
	id := due.Webhook.ID
	fit := func() bool { return a.fitness.fit(id) }
	left := deferred(due.Delivery, 0, "its webhook is not fit for the fast lane now")
	why := DeferredUnfit
	if fit() {
		began, ended := a.now(), a.fitness.ended(id)
		places, full := room{a.fast, a.fastTenants, DeferredFull}.take(ctx, due.Webhook, fit)
		a.meter.WaitedFast(a.now().Sub(began))
		if full == "" {
			return permit{release: places.leave, sent: func(result send.Result) {
				places.leaveWebhook()
				a.noteAnswer(id, result)
			}}, nil, nil
		}
		why = full
		left.again = fit() && (full == DeferredTenant || a.fitness.ended(id)-ended >= quickPosts)
	}
	a.meter.Deferred(LaneFast, why)
	return permit{}, &left, nil
}

// placesTaken are a delivery's places in a lane. Each may be left twice.
type placesTaken struct{ leaveWebhook, leaveTenant func() }

func (p placesTaken) leave() { p.leaveWebhook(); p.leaveTenant() }

// room is what a lane has for POSTs in flight.
type room struct {
	webhooks, tenants *slots
	full              Deferral // what the lane calls a webhook that has all its places in use
}

// take takes a place of the webhook and one of the tenant, or says whose are all
// in use: a tenant with a hundred webhooks that hang has no more of a lane than
// one with a few. Who waits for the webhook holds nothing of the tenant's.
func (r room) take(ctx context.Context, w models.Webhook, worth func() bool) (placesTaken, Deferral) {
	leaveWebhook, ok := r.webhooks.take(ctx, w.ID, worth)
	if !ok {
		return placesTaken{}, r.full
	}
	leaveTenant, ok := r.tenants.take(ctx, w.Tenant, worth)
	if !ok {
		leaveWebhook()
		return placesTaken{}, DeferredTenant
	}
	return placesTaken{sync.OnceFunc(leaveWebhook), sync.OnceFunc(leaveTenant)}, ""
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
	places, full := room{a.durable, a.durableTenants, DeferredShare}.take(ctx, due.Webhook, nil)
	if full != "" {
		return away(full, a.places.next(id, 0), "its webhook, or its tenant, has its share of the durable lane in flight")
	}
	if limit := due.Webhook.MaxPerSecond; limit > 0 && !asked {
		wait, err := a.pace(ctx, due, limit)
		switch {
		case errs.Is(err, errs.NotFound):
			places.leave()
			gone := deleted(due.Delivery.ID)
			return permit{}, &gone, nil
		case err != nil:
			places.leave()
			return permit{}, nil, fmt.Errorf("take a slot of webhook %s: %w", id, err)
		case wait > 0:
			places.leave()
			return away(DeferredRateLimit, min(wait, longestDeferral), fmt.Sprintf("its webhook takes %d a second; its turn comes", limit))
		}
	}
	if a.fitness.hangs(id) {
		a.breakers.trip(id)
	}
	if a.fitness.crowded(due.Webhook.Tenant, id) && !asked {
		places.leave()
		return away(DeferredShare, a.silentPlace(due.Webhook.Tenant, id, turnStep), "its webhook has answered none of the POSTs that are under way")
	}
	probe, wait := a.breakers.allow(id)
	if wait > 0 && !asked {
		places.leave()
		return away(DeferredBreaker, a.silentPlace(due.Webhook.Tenant, id, wait), "its webhook does not answer; waits for a probe to be answered")
	}
	return permit{
		release: func() {
			if probe {
				a.breakers.probed(id)
			}
			places.leave()
		},
		sent: func(result send.Result) {
			a.places.ended(id)
			a.noteAnswer(id, result)
		},
	}, nil, nil
}

// silentPlace is the place of a delivery in the line of its webhook, which does
// not answer, and in that of its tenant, some of whose webhooks do not.
func (a *Activities) silentPlace(tenant, webhookID string, atLeast time.Duration) time.Duration {
	return max(a.places.next(webhookID, atLeast), a.silentTenants.next(tenant, 0))
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
	wait := slot.Sub(a.store.Now())
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
