package activities

import (
	"context"
	"fmt"
	"time"

	"posthaste/errs"
	"posthaste/failpoint"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/webhook/send"
)

// post renders, signs, sends and records. A webhook whose POST must never be
// repeated is claimed first.
func (a *Activities) post(ctx context.Context, t *try, permit permit) (standing, error) {
	if t.policy.OnCrash == webhook.CrashUnknown {
		if err := a.store.Claim(ctx, t.due.Delivery); err != nil {
			return stands(t.due.Delivery), fmt.Errorf("claim: %w", err)
		}
		t.due.Delivery.State = models.StateSending
		failpoint.Here(failpoint.AfterClaim)
	}
	request, err := t.profile.Request(provider.RequestInput{
		Event: t.event, Subscription: t.subscription, DeliveryID: t.due.Delivery.ID,
		Now: a.now(), UserAgent: a.userAgent,
	})
	var result send.Result
	if err != nil {
		result = unrenderable(err, a.now())
	} else {
		failpoint.Here(failpoint.BeforePost)
		end := a.fitness.begin(t.due.Webhook.ID)
		result = a.sender.Send(ctx, request)
		end(result.Outcome.Kind == webhook.Delivered)
		permit.sent(result)
	}
	if result.Interrupted {
		return stands(t.due.Delivery), fmt.Errorf("the attempt was cut on our side: %s", result.Outcome.Detail)
	}
	a.meter.Attempted(t.due.Webhook.Provider, result.Outcome.Kind, result.Duration)
	a.logAttempt(ctx, t, result)
	failpoint.Here(failpoint.AfterPost)
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
		broken := t.profile.Broken()
		record.BrokenAfter, record.BrokenAfterSpan = broken.AfterFailedAttempts, broken.AfterFailingFor
	}
	after, err := a.record(ctx, t.due.Delivery, record)
	after.StatusCode, after.detail = result.Outcome.StatusCode, result.Outcome.Detail
	if verdict.next != nil {
		after.next = verdict.next.Sub(a.now())
	}
	return after, err
}

// record writes a step of the ledger. It does not stop with the attempt's own
// deadline, nor while the database is away: a POST was made, and if its outcome
// were given up the POST would be repeated. It ends when the store is closed.
func (a *Activities) record(ctx context.Context, before models.Delivery, record models.Record) (standing, error) {
	record.Delivery = before
	err := a.store.Record(context.WithoutCancel(ctx), record)
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
