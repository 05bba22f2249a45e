package activities

import (
	"context"
	"fmt"
	"log/slog"
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
		if err := a.store.Claim(ctx, t.due.Delivery, holdFor); err != nil {
			if errs.Is(err, errs.NotFound) { // with its webhook, since it was read
				return deleted(t.due.Delivery.ID), nil
			}
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
		result = a.send(ctx, t, &request)
		permit.sent(result)
	}
	if result.Interrupted {
		return stands(t.due.Delivery), fmt.Errorf("the attempt was cut on our side: %s", result.Outcome.Detail)
	}
	a.meter.Attempted(t.due.Webhook.Provider, result.Outcome.Kind, result.Duration)
	verdict := a.judge(t, result)
	a.logAttempt(ctx, t, result, verdict)
	failpoint.Here(failpoint.AfterPost)
	return a.settle(ctx, t, sent{request, result, verdict})
}

// send makes the POST. It ends by its own timeout alone: that Temporal cannot be
// reached, or that a person wants the next attempt now, is no reason to cut it. The
// receiver may have acted on it, and we would not know.
func (a *Activities) send(ctx context.Context, t *try, request *send.Request) (result send.Result) {
	end := a.fitness.begin(t.due.Webhook.Tenant, t.due.Webhook.ID)
	defer func() { end(result.Outcome) }() // also of a panic, or the webhook would look busy for ever
	return a.traced(context.WithoutCancel(ctx), t, request)
}

// sent is what one POST was, what came of it, and what follows.
type sent struct {
	request send.Request
	result  send.Result
	verdict verdict
}

// judge decides what an outcome means for the delivery.
func (a *Activities) judge(t *try, result send.Result) verdict {
	return decide(decision{
		outcome: result.Outcome, policy: t.policy, gone: t.profile.Gone(),
		failed: t.due.Delivery.Attempts - t.due.Delivery.RoundStart + 1,
		test:   t.due.Delivery.Test, now: a.store.Now(), spread: a.spread(),
	})
}

// settle records what a POST came to: the ledger's next step.
func (a *Activities) settle(ctx context.Context, t *try, s sent) (standing, error) {
	request, result, verdict := s.request, s.result, s.verdict
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
		after.next = verdict.next.Sub(a.store.Now())
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

// logAttempt writes the one line that tells all about an attempt. It holds no
// URL, header or body: those are in the ledger.
func (a *Activities) logAttempt(ctx context.Context, t *try, result send.Result, next verdict) {
	line := []slog.Attr{
		slog.String("tenant", t.due.Delivery.Tenant), slog.String("provider", t.due.Webhook.Provider),
		slog.String("event", t.due.Delivery.EventID), slog.String("type", t.due.Delivery.EventType),
		slog.String("webhook", t.due.Webhook.ID), slog.String("host", t.due.Delivery.Host),
		slog.String("delivery", t.due.Delivery.ID), slog.Int("attempt", t.due.Delivery.Attempts+1),
		slog.String("lane", string(t.lane)),
		slog.String("outcome", string(result.Outcome.Kind)), slog.Int("status", result.Outcome.StatusCode),
		slog.String("reason", string(result.Outcome.Reason)), slog.Int64("ms", result.Duration.Milliseconds()),
		slog.Bool("test", t.due.Delivery.Test),
	}
	if next.next != nil {
		line = append(line, slog.Time("nextAttemptAt", *next.next))
	}
	a.logger.LogAttrs(ctx, slog.LevelInfo, "attempt", line...)
}
