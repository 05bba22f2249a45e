package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	in := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	schedule := webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{10, 100}}
	never := webhook.RetryPolicy{Mode: webhook.RetryNever}
	outcome := func(kind webhook.OutcomeKind) webhook.Outcome { return webhook.Outcome{Kind: kind} }
	asks := func(after time.Duration) webhook.Outcome {
		return webhook.Outcome{Kind: webhook.Retry, RetryAfter: after}
	}

	for _, tc := range []struct {
		name string
		give decision
		want verdict
	}{
		{"delivered", decision{outcome: outcome(webhook.Delivered), policy: schedule, failed: 1}, verdict{step: models.StepDeliver}},
		{"first failure", decision{outcome: outcome(webhook.Retry), policy: schedule, failed: 1}, verdict{step: models.StepFailRetry, next: in(10 * time.Second)}},
		{"second failure", decision{outcome: outcome(webhook.Retry), policy: schedule, failed: 2}, verdict{step: models.StepFailRetry, next: in(100 * time.Second)}},
		{"last failure", decision{outcome: outcome(webhook.Retry), policy: schedule, failed: 3}, verdict{step: models.StepFailFinal}},
		{"never", decision{outcome: outcome(webhook.Retry), policy: never, failed: 1}, verdict{step: models.StepFailFinal}},
		{"rejected", decision{outcome: outcome(webhook.Rejected), policy: schedule, failed: 1}, verdict{step: models.StepFailFinal}},
		{"Retry-After longer than the wait", decision{outcome: asks(time.Minute), policy: schedule, failed: 1}, verdict{step: models.StepFailRetry, next: in(time.Minute)}},
		{"Retry-After shorter than the wait", decision{outcome: asks(time.Second), policy: schedule, failed: 1}, verdict{step: models.StepFailRetry, next: in(10 * time.Second)}},
		{"Retry-After past the window", decision{outcome: asks(24 * time.Hour), policy: schedule, failed: 1}, verdict{step: models.StepFailRetry, next: in(110 * time.Second)}},
		{"Retry-After under never", decision{outcome: asks(time.Minute), policy: never, failed: 1}, verdict{step: models.StepFailFinal}},
		{
			"410 pauses", decision{outcome: outcome(webhook.Gone), policy: schedule, gone: provider.GonePause, failed: 1},
			verdict{step: models.StepFailFinal, webhookStatus: webhook.StatusGone, statusReason: "the receiver answered 410 Gone"},
		},
		{
			"410 ends for good", decision{outcome: outcome(webhook.Gone), policy: never, gone: provider.GoneFinal, failed: 1},
			verdict{step: models.StepFailFinal, webhookStatus: webhook.StatusGone, statusReason: "the receiver answered 410 Gone"},
		},
		{"410 as a failure", decision{outcome: outcome(webhook.Gone), policy: schedule, gone: provider.GoneFailure, failed: 1}, verdict{step: models.StepFailRetry, next: in(10 * time.Second)}},
		{"410 to a test", decision{outcome: outcome(webhook.Gone), policy: never, gone: provider.GonePause, failed: 1, test: true}, verdict{step: models.StepFailFinal}},
		{"unknown", decision{outcome: outcome(webhook.Unknown), policy: never, failed: 1}, verdict{step: models.StepLose}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.give.now, tc.give.spread = now, 0.5
			require.Equal(t, tc.want, decide(tc.give))
		})
	}
}

func TestJitterSpreadsTheWait(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	policy := webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{100}}
	for spread, want := range map[float64]time.Duration{0: 80 * time.Second, 0.5: 100 * time.Second, 1: 120 * time.Second} {
		got := decide(decision{outcome: webhook.Outcome{Kind: webhook.Retry}, policy: policy, failed: 1, now: now, spread: spread})
		require.InDelta(t, want, got.next.Sub(now), float64(time.Millisecond))
	}
}
