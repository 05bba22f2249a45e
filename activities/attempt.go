package activities

import (
	"context"
	"fmt"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/webhook/send"
)

// earlyTolerance is how early an attempt may be: clocks of the Temporal server
// and of a worker differ, and a second wait costs two writes.
const earlyTolerance = 250 * time.Millisecond

// attempt makes one attempt of a delivery if one is due: read the ledger, check
// that the webhook still wants it, render and sign, POST, record. The order is
// the promise: nothing is sent that the ledger calls done, and nothing is called
// done before it is recorded. An error means that we failed; the returned
// standing then is what is known.
func (a *Activities) attempt(ctx context.Context, j job) (standing, error) {
	unknown := standing{Attempted: Attempted{DeliveryID: j.ref.DeliveryID, State: models.StatePending}}
	due, err := a.due(ctx, j)
	if errs.Is(err, errs.NotFound) {
		return deleted(j.ref.DeliveryID), nil
	}
	if err != nil {
		return unknown, fmt.Errorf("read the ledger: %w", err)
	}
	if due.Delivery.State.Settled() {
		return stands(due.Delivery), nil
	}
	if wait := early(due.Delivery, a.now()); wait > 0 && !j.now {
		return deferred(due.Delivery, wait, "waits for its time"), nil
	}
	t, err := a.prepare(due, j)
	if err != nil {
		return stands(due.Delivery), err
	}
	if reason, skip := skipped(due); skip {
		return a.record(ctx, t, models.Record{Step: models.StepSkip, Reason: reason})
	}
	if j.lane == LaneFast {
		release, ok := a.fast.take(ctx, due.Webhook.ID)
		if !ok {
			return deferred(due.Delivery, 0, "its webhook has its share of the fast lane in flight"), nil
		}
		defer release()
	}
	return a.post(ctx, t)
}

// try is one attempt under way: the ledger's rows, and what the provider makes
// of them.
type try struct {
	due          models.Due
	event        webhook.Event
	subscription webhook.Subscription
	profile      *provider.Profile
	policy       webhook.RetryPolicy
}

// due reads the delivery, its webhook and, unless the caller has it, its event.
func (a *Activities) due(ctx context.Context, j job) (models.Due, error) {
	if j.event != nil {
		return a.store.DueDeliveryWithoutEvent(ctx, j.tenant, j.ref.DeliveryID)
	}
	return a.store.DueDelivery(ctx, j.tenant, j.ref.DeliveryID)
}

func (a *Activities) prepare(due models.Due, j job) (*try, error) {
	profile, err := a.providers.Profile(due.Webhook.Provider)
	if err != nil {
		return nil, fmt.Errorf("provider of webhook %s: %w", due.Webhook.ID, err)
	}
	subscription, err := subscriptionOf(&due.Webhook, a.now())
	if err != nil {
		return nil, err
	}
	t := &try{due: due, subscription: subscription, profile: profile, policy: profile.Policy(subscription)}
	if due.Delivery.Test {
		t.policy = webhook.RetryPolicy{Mode: webhook.RetryNever}
	}
	if j.event != nil {
		t.event = *j.event
		return t, nil
	}
	t.event, err = eventOf(due.Event)
	return t, err
}

// post renders, signs, sends and records. A webhook whose POST must never be
// repeated is claimed first; found claimed by a worker that died, the delivery
// is recorded unknown.
func (a *Activities) post(ctx context.Context, t *try) (standing, error) {
	if t.policy.OnCrash == webhook.CrashUnknown {
		if t.due.Delivery.State == models.StateSending {
			return a.record(ctx, t, models.Record{Step: models.StepLose, Reason: string(webhook.ReasonWorkerLost)})
		}
		if err := a.store.Claim(ctx, t.due.Delivery); err != nil {
			return stands(t.due.Delivery), fmt.Errorf("claim: %w", err)
		}
		t.due.Delivery.State = models.StateSending
	}
	request, err := t.profile.Request(provider.RequestInput{
		Event: t.event, Subscription: t.subscription, DeliveryID: t.due.Delivery.ID,
		Now: a.now(), UserAgent: a.userAgent,
	})
	var result send.Result
	if err != nil {
		result = unrenderable(err, a.now())
	} else {
		result = a.sender.Send(ctx, request)
	}
	if result.Interrupted {
		return stands(t.due.Delivery), fmt.Errorf("the attempt was cut on our side: %s", result.Outcome.Detail)
	}
	a.logAttempt(ctx, t, result)
	return a.settle(ctx, t, request, result)
}

// settle turns the outcome into the ledger's next step and records both.
func (a *Activities) settle(ctx context.Context, t *try, request send.Request, result send.Result) (standing, error) {
	verdict := decide(decision{
		outcome: result.Outcome, policy: t.policy, gone: t.profile.Gone(),
		failed: t.due.Delivery.Attempts - t.due.Delivery.RoundStart + 1,
		test:   t.due.Delivery.Test, now: a.now(), spread: a.spread(),
	})
	record := models.Record{
		Step: verdict.step, Attempt: ledgerAttempt(t.due, request, result), NextAttemptAt: verdict.next,
		Reason: string(result.Outcome.Reason), WebhookStatus: string(verdict.webhookStatus),
		StatusReason: verdict.statusReason,
	}
	if !t.due.Delivery.Test {
		failed := result.Outcome.Kind != webhook.Delivered
		record.WebhookFailed = &failed
		record.BrokenAfter = t.profile.Broken().AfterFailedAttempts
	}
	after, err := a.record(ctx, t, record)
	after.StatusCode, after.detail = result.Outcome.StatusCode, result.Outcome.Detail
	if verdict.next != nil {
		after.next = verdict.next.Sub(a.now())
	}
	return after, err
}

// record writes a step of the ledger. It does not stop with the attempt's own
// deadline: a POST was made, and its outcome must not be lost to the same slow
// receiver that used the time up.
func (a *Activities) record(ctx context.Context, t *try, record models.Record) (standing, error) {
	before := t.due.Delivery
	record.Delivery = before
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	err := a.store.Record(ctx, record)
	if errs.Is(err, errs.NotFound) {
		return deleted(before.ID), nil
	}
	if err != nil {
		return stands(before), fmt.Errorf("record %s: %w", record.Step, err)
	}
	state, err := models.Advance(before.State, record.Step)
	after := standing{Attempted: Attempted{
		DeliveryID: before.ID, State: state, Attempts: before.Attempts, Reason: webhook.Reason(record.Reason),
	}}
	if record.Attempt != nil {
		after.Attempts++
	}
	return after, err
}

// recordTimeout bounds the writing of one step.
const recordTimeout = 10 * time.Second

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

// unrenderable is the outcome of an event that this webhook's profile could not
// turn into a request: a failed attempt that everyone can see, and that trying
// again would not mend.
func unrenderable(err error, now time.Time) send.Result {
	return send.Result{
		StartedAt: now,
		Outcome: webhook.Outcome{
			Kind: webhook.Rejected, Reason: webhook.ReasonBadRequest,
			Detail: "the request could not be rendered: " + err.Error(),
		},
	}
}

// logAttempt writes the one line that tells all about an attempt.
func (a *Activities) logAttempt(ctx context.Context, t *try, result send.Result) {
	a.logger.InfoContext(ctx, "attempt",
		"tenant", t.due.Delivery.Tenant, "provider", t.due.Webhook.Provider, "event", t.due.Delivery.EventID,
		"type", t.due.Delivery.EventType, "webhook", t.due.Webhook.ID, "host", t.due.Delivery.Host,
		"delivery", t.due.Delivery.ID, "attempt", t.due.Delivery.Attempts+1,
		"outcome", result.Outcome.Kind, "status", result.Outcome.StatusCode, "reason", result.Outcome.Reason,
		"ms", result.Duration.Milliseconds(), "test", t.due.Delivery.Test)
}
