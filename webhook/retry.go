package webhook

import (
	"fmt"
	"math"
	"time"
)

// RetryMode is the shape of a retry policy.
type RetryMode string

// The three modes.
const (
	RetryNever       RetryMode = "never"       // one attempt, whatever comes back
	RetryExponential RetryMode = "exponential" // waits grow by Factor from InitialSeconds to MaxSeconds
	RetrySchedule    RetryMode = "schedule"    // waits are listed
)

// CrashMode says what happens to a delivery whose worker died in the middle of
// the POST.
type CrashMode string

// The two crash modes.
const (
	CrashResend  CrashMode = "resend"  // POST again: at least once; the default
	CrashUnknown CrashMode = "unknown" // record unknown, never POST again: at most once
)

// Limits of a policy. A delivery may wait at most MaxWaitSeconds for its next
// attempt and have at most MaxAttempts of them.
const (
	MaxWaitSeconds = 7 * 24 * 3600
	MaxAttempts    = 50
)

// Jitter is the share by which a wait is spread, up and down, so that
// deliveries which failed together do not come back together.
const Jitter = 0.2

// RetryPolicy says how often and when a failed delivery is tried again.
type RetryPolicy struct {
	Mode           RetryMode `json:"mode" yaml:"mode"`
	InitialSeconds int       `json:"initialSeconds,omitempty" yaml:"initialSeconds"`
	Factor         float64   `json:"factor,omitempty" yaml:"factor"`
	MaxSeconds     int       `json:"maxSeconds,omitempty" yaml:"maxSeconds"`
	MaxAttempts    int       `json:"maxAttempts,omitempty" yaml:"maxAttempts"`
	DelaysSeconds  []int     `json:"delaysSeconds,omitempty" yaml:"delaysSeconds"`
	OnCrash        CrashMode `json:"onCrash,omitempty" yaml:"onCrash"`
}

// Attempts returns how many attempts a delivery gets in all, the first one
// included.
func (p RetryPolicy) Attempts() int {
	switch p.Mode {
	case RetryExponential:
		return p.MaxAttempts
	case RetrySchedule:
		return len(p.DelaysSeconds) + 1
	case RetryNever:
		return 1
	}
	return 1
}

// Delay returns how long to wait after the given number of failed attempts
// (1 = after the first) and whether there is another attempt at all. Spread, in
// [0,1), picks the place within the jitter; 0.5 gives the wait itself.
//
// With initial 5, factor 2, max 3600: 5 s, 10 s, 20 s, ... 3600 s.
func (p RetryPolicy) Delay(failed int, spread float64) (time.Duration, bool) {
	if failed < 1 || failed >= p.Attempts() {
		return 0, false
	}
	seconds := p.waitSeconds(failed) * (1 + Jitter*(2*spread-1))
	return time.Duration(seconds * float64(time.Second)), true
}

// Wait is Delay with the receiver's Retry-After honoured inside the policy's
// window: the wait grows to what was asked for, up to the sum of the waits that
// remain, and never shrinks. So a Retry-After can postpone attempts but never
// cost one, and a delivery ends when its policy says.
func (p RetryPolicy) Wait(failed int, spread float64, asked time.Duration) (time.Duration, bool) {
	delay, more := p.Delay(failed, spread)
	if !more {
		return 0, false
	}
	return max(delay, min(asked, p.remaining(failed))), true
}

// remaining returns the sum of the waits after the given number of failures.
func (p RetryPolicy) remaining(failed int) time.Duration {
	seconds := 0.0
	for ; failed < p.Attempts(); failed++ {
		seconds += p.waitSeconds(failed)
	}
	return time.Duration(seconds * float64(time.Second))
}

func (p RetryPolicy) waitSeconds(failed int) float64 {
	if p.Mode == RetrySchedule {
		return float64(p.DelaysSeconds[failed-1])
	}
	return math.Min(float64(p.InitialSeconds)*math.Pow(p.Factor, float64(failed-1)), float64(p.MaxSeconds))
}

// Validate returns what is wrong with the policy by field name ("mode",
// "delaysSeconds[2]"); nothing when it is sound.
func (p RetryPolicy) Validate() map[string]string {
	faults := map[string]string{}
	switch p.Mode {
	case RetryNever:
		p.refuseExponential(faults)
		p.refuseSchedule(faults)
	case RetryExponential:
		p.refuseSchedule(faults)
		p.checkExponential(faults)
	case RetrySchedule:
		p.refuseExponential(faults)
		p.checkSchedule(faults)
	default:
		faults["mode"] = "must be never, exponential or schedule"
	}
	switch p.OnCrash {
	case "", CrashResend, CrashUnknown:
	default:
		faults["onCrash"] = "must be resend or unknown"
	}
	return faults
}

func (p RetryPolicy) checkExponential(faults map[string]string) {
	if p.InitialSeconds < 1 || p.InitialSeconds > MaxWaitSeconds {
		faults["initialSeconds"] = fmt.Sprintf("must be between 1 and %d", MaxWaitSeconds)
	}
	if math.IsNaN(p.Factor) || p.Factor < 1 || p.Factor > 10 {
		faults["factor"] = "must be between 1 and 10"
	}
	if p.MaxSeconds < p.InitialSeconds || p.MaxSeconds > MaxWaitSeconds {
		faults["maxSeconds"] = fmt.Sprintf("must be between initialSeconds and %d", MaxWaitSeconds)
	}
	if p.MaxAttempts < 1 || p.MaxAttempts > MaxAttempts {
		faults["maxAttempts"] = fmt.Sprintf("must be between 1 and %d", MaxAttempts)
	}
}

func (p RetryPolicy) checkSchedule(faults map[string]string) {
	if len(p.DelaysSeconds) == 0 || len(p.DelaysSeconds) >= MaxAttempts {
		faults["delaysSeconds"] = fmt.Sprintf("must list between 1 and %d waits", MaxAttempts-1)
	}
	for i, seconds := range p.DelaysSeconds {
		if seconds < 1 || seconds > MaxWaitSeconds {
			faults[fmt.Sprintf("delaysSeconds[%d]", i)] = fmt.Sprintf("must be between 1 and %d", MaxWaitSeconds)
		}
	}
}

func (p RetryPolicy) refuseExponential(faults map[string]string) {
	for field, given := range map[string]bool{
		"initialSeconds": p.InitialSeconds != 0, "factor": p.Factor != 0,
		"maxSeconds": p.MaxSeconds != 0, "maxAttempts": p.MaxAttempts != 0,
	} {
		if given {
			faults[field] = fmt.Sprintf("has no meaning in mode %s", p.Mode)
		}
	}
}

func (p RetryPolicy) refuseSchedule(faults map[string]string) {
	if len(p.DelaysSeconds) > 0 {
		faults["delaysSeconds"] = fmt.Sprintf("has no meaning in mode %s", p.Mode)
	}
}
