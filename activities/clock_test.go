package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"posthaste/activities"
	"posthaste/models"
	"posthaste/webhook"
)

// off is the same bench with a worker whose own clock is wrong. The ledger's is
// right.
func (b *bench) off(by time.Duration) *bench {
	b.t.Helper()
	other := &bench{t: b.t, store: b.store, url: b.url}
	other.work(func(d *activities.Deps) { d.Now = func() time.Time { return time.Now().Add(by) } })
	return other
}

// TestRetriesGoByTheClockOfTheLedger: what a worker planned whose clock is hours
// off is due in an hour, by whichever worker, and a slot under a rate limit is
// near that is near.
func TestRetriesGoByTheClockOfTheLedger(t *testing.T) {
	t.Parallel()
	right := newBench(t, answers(500))
	right.webhook(hourly, func(w *models.Webhook) { w.MaxPerSecond = 1000 })
	const planned, jitter = time.Hour, time.Duration(webhook.Jitter * float64(time.Hour))
	for _, by := range []time.Duration{3 * time.Hour, -3 * time.Hour} {
		wrong := right.off(by)
		for _, workers := range [][2]*bench{{wrong, right}, {right, wrong}, {wrong, wrong}} {
			p := right.one()
			waits := []time.Duration{workers[0].wait(p), workers[1].wait(p)}
			delivery, attempts := right.ledger(p)
			require.Len(t, attempts, 1, "nobody came early")
			require.WithinDuration(t, time.Now().Add(planned), *delivery.NextAttemptAt, jitter+time.Minute)
			for _, wait := range waits {
				require.InDelta(t, planned, wait, float64(jitter+time.Minute))
			}
		}
	}
}

// wait has the durable lane deliver, which does not end it, and returns how long
// Temporal is to wait.
func (b *bench) wait(p activities.Planned) time.Duration {
	b.t.Helper()
	_, err := b.deliver(p, activities.LaneDurable, false)
	var failure *temporal.ApplicationError
	require.ErrorAs(b.t, err, &failure)
	return failure.NextRetryDelay()
}
