package activities

import (
	"context"
	"fmt"
	"time"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// earlyTolerance is how early an attempt may be: clocks of the Temporal server
// and of the ledger differ, and a second wait costs two writes.
const earlyTolerance = 250 * time.Millisecond

// attempt makes one attempt of a delivery if one is due: check that the webhook
// still wants it, render and sign, POST, record. The order is the promise:
// nothing is sent that the ledger calls done, and nothing is called done before
// it is recorded. An error means that we failed; the returned standing then is
// what is known.
func (a *Activities) attempt(ctx context.Context, j job) (standing, error) {
	if j.due == nil {
		return deleted(j.ref.DeliveryID), nil
	}
	due := *j.due
	if due.Delivery.State.Settled() {
		return stands(due.Delivery), nil
	}
	if wait := due.HeldFor; wait > 0 {
		a.meter.Deferred(j.lane, DeferredHeld)
		return deferred(due.Delivery, wait, "another process is sending it, or was until just now"), nil
	}
	if due.Delivery.State == models.StateSending {
		return a.lose(ctx, due)
	}
	if wait := early(due.Delivery, a.store.Now()); wait > 0 && !j.now {
		why := fmt.Sprintf("attempt %d failed (%s); waits for the next", due.Delivery.Attempts, due.Delivery.Reason)
		return deferred(due.Delivery, wait, why), nil
	}
	t, err := a.prepare(due, *j.event)
	if err != nil {
		return stands(due.Delivery), err
	}
	t.lane = j.lane
	if reason, skip := skipped(due); skip {
		return a.record(ctx, due.Delivery, models.Record{Step: models.StepSkip, Reason: reason})
	}
	permit, refusal, err := a.admit(ctx, due, j)
	switch {
	case err != nil:
		return stands(due.Delivery), err
	case refusal != nil:
		return *refusal, nil
	}
	defer permit.release()
	if j.lane == LaneDurable {
		if taken, err := a.take(ctx, due.Delivery); err != nil || !taken {
			return deferred(due.Delivery, holdFor, "another process has it in hand"), err
		}
	}
	defer a.hold(ctx, due.Delivery)()
	defer a.meter.Posting(j.lane)()
	return a.post(ctx, t, permit)
}

// lose records a delivery that is found claimed by a worker that died, whatever
// has become of its webhook since: it may have been sent, and is not sent again.
func (a *Activities) lose(ctx context.Context, due models.Due) (standing, error) {
	a.meter.Attempted(due.Webhook.Provider, webhook.Unknown, 0)
	return a.record(ctx, due.Delivery, models.Record{Step: models.StepLose, Reason: string(webhook.ReasonWorkerLost)})
}

// try is one attempt under way: the ledger's rows, and what the provider makes
// of them.
type try struct {
	due          models.Due
	event        webhook.Event
	subscription webhook.Subscription
	profile      *provider.Profile
	policy       webhook.RetryPolicy
	lane         Lane
}

// prepare finds what the provider makes of the ledger's rows.
func (a *Activities) prepare(due models.Due, event webhook.Event) (*try, error) {
	profile, err := a.profile(due.Webhook.Provider)
	if err != nil {
		return nil, fmt.Errorf("provider of webhook %s: %w", due.Webhook.ID, err)
	}
	subscription, err := subscriptionOf(&due.Webhook, a.store.Now())
	if err != nil {
		return nil, err
	}
	t := &try{due: due, event: event, subscription: subscription, profile: profile, policy: profile.Policy(subscription)}
	if due.Delivery.Test {
		t.policy = webhook.RetryPolicy{Mode: webhook.RetryNever}
	}
	return t, nil
}

// early returns how long a delivery must still wait.
func early(d models.Delivery, now time.Time) time.Duration {
	if d.NextAttemptAt == nil {
		return 0
	}
	if wait := d.NextAttemptAt.Sub(now); wait > earlyTolerance {
		return wait
	}
	return 0
}

// skipped reports whether the webhook no longer wants anything, and why. The
// rule and its words are those of provider.Match: a test is refused only by a
// webhook that is gone.
func skipped(due models.Due) (reason string, skip bool) {
	status := due.Webhook.Status
	if status == models.StatusActive || due.Delivery.Test && status != models.StatusGone {
		return "", false
	}
	return "webhook_" + due.Webhook.Status, true
}

func deferred(d models.Delivery, wait time.Duration, why string) standing {
	s := stands(d)
	s.next, s.deferred, s.detail = wait, true, why
	return s
}

// deleted is the standing of a delivery whose webhook was deleted, and the
// ledger rows with it.
func deleted(deliveryID string) standing {
	return standing{Attempted: Attempted{DeliveryID: deliveryID, State: models.StateCancelled}}
}
