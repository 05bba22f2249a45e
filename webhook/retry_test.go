package webhook_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"posthaste/webhook"
)

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

func TestRetryPolicyDelay(t *testing.T) {
	t.Parallel()
	never := webhook.RetryPolicy{Mode: webhook.RetryNever}
	exponential := webhook.RetryPolicy{Mode: webhook.RetryExponential, InitialSeconds: 5, Factor: 2, MaxSeconds: 3600, MaxAttempts: 14}
	schedule := webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{5, 300, 1800}}
	tests := []struct {
		name   string
		policy webhook.RetryPolicy
		failed int
		spread float64
		want   time.Duration
		again  bool
	}{
		{"never", never, 1, 0.5, 0, false},
		{"unknown mode gets one attempt", webhook.RetryPolicy{Mode: "often"}, 1, 0.5, 0, false},
		{"zero policy gets one attempt", webhook.RetryPolicy{}, 1, 0.5, 0, false},
		{"exponential, first", exponential, 1, 0.5, seconds(5), true},
		{"exponential, second", exponential, 2, 0.5, seconds(10), true},
		{"exponential, tenth", exponential, 10, 0.5, seconds(2560), true},
		{"exponential, at its maximum", exponential, 11, 0.5, seconds(3600), true},
		{"exponential, last wait", exponential, 13, 0.5, seconds(3600), true},
		{"exponential, used up", exponential, 14, 0.5, 0, false},
		{"exponential, beyond", exponential, 99, 0.5, 0, false},
		{"nothing failed yet", exponential, 0, 0.5, 0, false},
		{"negative", exponential, -1, 0.5, 0, false},
		{"schedule, first", schedule, 1, 0.5, seconds(5), true},
		{"schedule, third", schedule, 3, 0.5, seconds(1800), true},
		{"schedule, used up", schedule, 4, 0.5, 0, false},
		{"jitter down", schedule, 2, 0, seconds(240), true},
		{"jitter up", schedule, 2, 0.75, seconds(330), true},
		{"factor 1 stays", webhook.RetryPolicy{Mode: webhook.RetryExponential, InitialSeconds: 7, Factor: 1, MaxSeconds: 7, MaxAttempts: 50}, 49, 0.5, seconds(7), true},
		{"factor 10 does not overflow", webhook.RetryPolicy{Mode: webhook.RetryExponential, InitialSeconds: 604800, Factor: 10, MaxSeconds: 604800, MaxAttempts: 50}, 49, 0.5, seconds(604800), true},
		{"fraction", webhook.RetryPolicy{Mode: webhook.RetryExponential, InitialSeconds: 2, Factor: 1.5, MaxSeconds: 60, MaxAttempts: 5}, 3, 0.5, seconds(4.5), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, again := tt.policy.Delay(tt.failed, tt.spread)
			require.Equal(t, tt.again, again)
			require.InDelta(t, tt.want, got, float64(time.Microsecond))
		})
	}
}

func TestRetryPolicyAttempts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		policy webhook.RetryPolicy
		want   int
	}{
		{"never", webhook.RetryPolicy{Mode: webhook.RetryNever}, 1},
		{"never, whatever else it holds", webhook.RetryPolicy{Mode: webhook.RetryNever, MaxAttempts: 9}, 1},
		{"exponential", webhook.RetryPolicy{Mode: webhook.RetryExponential, MaxAttempts: 4}, 4},
		{"schedule", webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{10, 20}}, 3},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, tt.policy.Attempts(), tt.name)
	}
}

// TestRetryPolicyWait holds Retry-After to the policy's window: it may postpone
// an attempt, but not beyond the waits that remain, and it costs none.
func TestRetryPolicyWait(t *testing.T) {
	t.Parallel()
	schedule := webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{10, 20, 30}}
	exponential := webhook.RetryPolicy{Mode: webhook.RetryExponential, InitialSeconds: 5, Factor: 2, MaxSeconds: 12, MaxAttempts: 4}
	tests := []struct {
		name   string
		policy webhook.RetryPolicy
		failed int
		asked  time.Duration
		want   time.Duration
		more   bool
	}{
		{"nothing asked", schedule, 1, 0, 10 * time.Second, true},
		{"asked for less", schedule, 2, 5 * time.Second, 20 * time.Second, true},
		{"asked for more", schedule, 1, 45 * time.Second, 45 * time.Second, true},
		{"asked for more than all that remains", schedule, 1, time.Hour, 60 * time.Second, true},
		{"... after the second", schedule, 2, time.Hour, 50 * time.Second, true},
		{"... before the last attempt", schedule, 3, time.Hour, 30 * time.Second, true},
		{"used up", schedule, 4, time.Hour, 0, false},
		{"never", webhook.RetryPolicy{Mode: webhook.RetryNever}, 1, time.Hour, 0, false},
		{"exponential", exponential, 1, time.Hour, 27 * time.Second, true},
		{"asked for the past", schedule, 1, -time.Hour, 10 * time.Second, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, more := tt.policy.Wait(tt.failed, 0.5, tt.asked)
			require.Equal(t, tt.more, more)
			require.InDelta(t, tt.want, got, float64(time.Microsecond))
		})
	}
	got, _ := schedule.Wait(3, 0.75, time.Hour)
	require.InDelta(t, 33*time.Second, got, float64(time.Microsecond), "jitter is not cut off")
}

func TestRetryPolicyValidate(t *testing.T) {
	t.Parallel()
	exponential := func(change func(*webhook.RetryPolicy)) webhook.RetryPolicy {
		p := webhook.RetryPolicy{Mode: webhook.RetryExponential, InitialSeconds: 5, Factor: 2, MaxSeconds: 3600, MaxAttempts: 8}
		change(&p)
		return p
	}
	tests := []struct {
		name   string
		policy webhook.RetryPolicy
		want   []string // fields at fault
	}{
		{"never", webhook.RetryPolicy{Mode: webhook.RetryNever, OnCrash: webhook.CrashUnknown}, nil},
		{"exponential", exponential(func(*webhook.RetryPolicy) {}), nil},
		{"exponential, smallest", webhook.RetryPolicy{Mode: webhook.RetryExponential, InitialSeconds: 1, Factor: 1, MaxSeconds: 1, MaxAttempts: 1, OnCrash: webhook.CrashResend}, nil},
		{"exponential, largest", webhook.RetryPolicy{Mode: webhook.RetryExponential, InitialSeconds: webhook.MaxWaitSeconds, Factor: 10, MaxSeconds: webhook.MaxWaitSeconds, MaxAttempts: webhook.MaxAttempts}, nil},
		{"schedule", webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{1, webhook.MaxWaitSeconds}}, nil},
		{"no mode", webhook.RetryPolicy{}, []string{"mode"}},
		{"unknown mode", webhook.RetryPolicy{Mode: "sometimes"}, []string{"mode"}},
		{"crash", webhook.RetryPolicy{Mode: webhook.RetryNever, OnCrash: "panic"}, []string{"onCrash"}},
		{"never with everything", webhook.RetryPolicy{Mode: webhook.RetryNever, InitialSeconds: 1, Factor: 1, MaxSeconds: 1, MaxAttempts: 1, DelaysSeconds: []int{1}},
			[]string{"delaysSeconds", "factor", "initialSeconds", "maxAttempts", "maxSeconds"}},
		{"exponential without anything", webhook.RetryPolicy{Mode: webhook.RetryExponential}, []string{"factor", "initialSeconds", "maxAttempts"}},
		{"initial too long", exponential(func(p *webhook.RetryPolicy) { p.InitialSeconds = webhook.MaxWaitSeconds + 1 }), []string{"initialSeconds", "maxSeconds"}},
		{"factor below 1", exponential(func(p *webhook.RetryPolicy) { p.Factor = 0.5 }), []string{"factor"}},
		{"factor above 10", exponential(func(p *webhook.RetryPolicy) { p.Factor = 11 }), []string{"factor"}},
		{"factor not a number", exponential(func(p *webhook.RetryPolicy) { p.Factor = math.NaN() }), []string{"factor"}},
		{"factor infinite", exponential(func(p *webhook.RetryPolicy) { p.Factor = math.Inf(1) }), []string{"factor"}},
		{"maximum below initial", exponential(func(p *webhook.RetryPolicy) { p.MaxSeconds = 4 }), []string{"maxSeconds"}},
		{"maximum too long", exponential(func(p *webhook.RetryPolicy) { p.MaxSeconds = webhook.MaxWaitSeconds + 1 }), []string{"maxSeconds"}},
		{"too many attempts", exponential(func(p *webhook.RetryPolicy) { p.MaxAttempts = webhook.MaxAttempts + 1 }), []string{"maxAttempts"}},
		{"exponential with a schedule", exponential(func(p *webhook.RetryPolicy) { p.DelaysSeconds = []int{1} }), []string{"delaysSeconds"}},
		{"schedule without waits", webhook.RetryPolicy{Mode: webhook.RetrySchedule}, []string{"delaysSeconds"}},
		{"schedule too long", webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: filled(webhook.MaxAttempts, 1)}, []string{"delaysSeconds"}},
		{"schedule with bad waits", webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{0, 5, -1, webhook.MaxWaitSeconds + 1}},
			[]string{"delaysSeconds[0]", "delaysSeconds[2]", "delaysSeconds[3]"}},
		{"schedule with a factor", webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{1}, Factor: 2, MaxAttempts: 3}, []string{"factor", "maxAttempts"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for field, message := range tt.policy.Validate() {
				require.NotEmpty(t, message)
				got = append(got, field)
			}
			require.ElementsMatch(t, tt.want, got)
		})
	}
}

func filled(length, value int) []int {
	list := make([]int, length)
	for i := range list {
		list[i] = value
	}
	return list
}

// TestValidPolicies holds any policy that Validate lets through to its limits.
func TestValidPolicies(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		policy := webhook.RetryPolicy{
			Mode:           webhook.RetryExponential,
			InitialSeconds: rapid.IntRange(1, webhook.MaxWaitSeconds).Draw(t, "initial"),
			Factor:         rapid.Float64Range(1, 10).Draw(t, "factor"),
			MaxAttempts:    rapid.IntRange(1, webhook.MaxAttempts).Draw(t, "attempts"),
		}
		policy.MaxSeconds = rapid.IntRange(policy.InitialSeconds, webhook.MaxWaitSeconds).Draw(t, "max")
		require.Empty(t, policy.Validate())
		spread := rapid.Float64Range(0, 0.999).Draw(t, "spread")
		before := time.Duration(0)
		for failed := 1; failed < policy.Attempts(); failed++ {
			delay, again := policy.Delay(failed, spread)
			require.True(t, again)
			require.GreaterOrEqual(t, delay, before, "waits never shrink at the same spread")
			require.Positive(t, delay)
			require.LessOrEqual(t, delay, seconds(float64(policy.MaxSeconds)*(1+webhook.Jitter)))
			wait, again := policy.Wait(failed, spread, seconds(rapid.Float64Range(0, 1e6).Draw(t, "asked")))
			require.True(t, again, "Retry-After costs no attempt")
			require.GreaterOrEqual(t, wait, delay, "Retry-After shortens no wait")
			before = delay
		}
		_, again := policy.Delay(policy.Attempts(), spread)
		require.False(t, again)
	})
}

func TestRetryPolicyOnTheWire(t *testing.T) {
	t.Parallel()
	tests := map[string]webhook.RetryPolicy{
		`{"mode":"never"}`: {Mode: webhook.RetryNever},
		`{"mode":"exponential","initialSeconds":5,"factor":2,"maxSeconds":3600,"maxAttempts":8}`: {
			Mode: webhook.RetryExponential, InitialSeconds: 5, Factor: 2, MaxSeconds: 3600, MaxAttempts: 8},
		`{"mode":"schedule","delaysSeconds":[5,300,1800],"onCrash":"unknown"}`: {
			Mode: webhook.RetrySchedule, DelaysSeconds: []int{5, 300, 1800}, OnCrash: webhook.CrashUnknown},
	}
	for want, policy := range tests {
		text, err := json.Marshal(policy)
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		var got webhook.RetryPolicy
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, policy, got)
	}
}
