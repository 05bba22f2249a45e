package activities

import (
	"time"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// decision is all that what-happens-next depends on.
type decision struct {
	outcome webhook.Outcome
	policy  webhook.RetryPolicy
	gone    provider.GoneRule
	failed  int // attempts of this round, this one included
	test    bool
	now     time.Time
	spread  float64 // in [0,1): the place of the wait within its jitter
}

// verdict is what happens next.
type verdict struct {
	step          models.Step
	next          *time.Time
	webhookStatus webhook.Status // what the webhook becomes; empty = as it is
	statusReason  string
}

// decide turns an outcome into the ledger's next step. It is the one place where
// a failure becomes a retry, an end, or a webhook switched off.
func decide(d decision) verdict {
	switch d.outcome.Kind {
	case webhook.Delivered:
		return verdict{step: models.StepDeliver}
	case webhook.Retry:
		return d.again()
	case webhook.Rejected:
		return verdict{step: models.StepFailFinal}
	case webhook.Gone:
		if d.gone == provider.GoneFailure {
			return d.again()
		}
		end := verdict{step: models.StepFailFinal}
		if !d.test {
			end.webhookStatus, end.statusReason = webhook.StatusGone, "the receiver answered 410 Gone"
		}
		return end
	case webhook.Unknown:
		return verdict{step: models.StepLose}
	}
	return verdict{step: models.StepFailFinal}
}

// again plans the next attempt if the policy has one left.
func (d decision) again() verdict {
	wait, more := d.policy.Wait(d.failed, d.spread, d.outcome.RetryAfter)
	if !more {
		return verdict{step: models.StepFailFinal}
	}
	next := d.now.Add(wait)
	return verdict{step: models.StepFailRetry, next: &next}
}
