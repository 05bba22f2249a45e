package activities_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/activities"
	"posthaste/models"
)

func TestRateLimitSendsAwayUntilTheSlot(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(http.StatusNoContent))
	w := b.webhook(once, func(w *models.Webhook) { w.MaxPerSecond = 1 })
	plans := []activities.Planned{b.one(), b.one(), b.one()}
	for _, p := range plans {
		require.Equal(t, activities.LaneDurable, p.Lane, "a rate limit has no place in the fast lane")
	}
	began := time.Now()
	got, err := b.deliver(plans[0], activities.LaneDurable, false)
	require.NoError(t, err)
	require.Equal(t, models.StateDelivered, got.State)

	// The second slot is less than a second away: it is waited for here.
	got, err = b.deliver(plans[1], activities.LaneDurable, false)
	require.NoError(t, err)
	require.Equal(t, models.StateDelivered, got.State)
	require.GreaterOrEqual(t, time.Since(began), time.Second)

	var slot time.Time
	for range 20 { // others take the next slots
		other, _ := b.ledger(b.one())
		slot, err = b.store.Pace(t.Context(), other, w.ID, 1)
		require.NoError(t, err)
	}
	slot = slot.Add(time.Second)
	last := plans[2]
	for range 2 { // asking again keeps the slot
		before := time.Now()
		_, err = b.deliver(last, activities.LaneDurable, false)
		away := application(t, err)
		require.Equal(t, activities.ErrorDeferred, away.Type())
		early := away.NextRetryDelay() + time.Second // it waits for the last second here
		require.WithinRange(t, slot, before.Add(early), time.Now().Add(early))
	}
	_, attempts := b.ledger(last)
	require.Empty(t, attempts, "a deferral is no attempt")
	require.Equal(t, []string{"durable rate_limit", "durable rate_limit"}, b.meter.deferred)

	got, err = b.deliver(last, activities.LaneDurable, true)
	require.NoError(t, err, "a person's request waits for no slot")
	require.Equal(t, models.StateDelivered, got.State)
}

func TestWebhookThatNeverAnswersIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // net/http notices only then that the sender has gone
		<-r.Context().Done()
	})
	b.webhook(hourly, func(w *models.Webhook) { w.TimeoutSeconds = 1 })
	for range 5 { // this bench's share of the durable lane is two
		var group sync.WaitGroup
		for range 2 {
			p := b.one()
			group.Go(func() {
				_, err := b.deliver(p, activities.LaneDurable, false)
				require.Equal(t, activities.ErrorRetry, application(t, err).Type())
			})
		}
		group.Wait()
	}
	opened, arrived := time.Now(), b.arrived.Load()
	require.EqualValues(t, 10, arrived)

	p := b.one()
	_, err := b.deliver(p, activities.LaneDurable, false)
	away := application(t, err)
	require.Equal(t, activities.ErrorDeferred, away.Type())
	require.InDelta(t, 30*time.Second, away.NextRetryDelay(), float64(2*time.Second+time.Since(opened)))
	require.Equal(t, arrived, b.arrived.Load(), "nothing is sent")
	delivery, attempts := b.ledger(p)
	require.Equal(t, models.StatePending, delivery.State)
	require.Empty(t, attempts, "a deferral is no attempt")
	require.Equal(t, []string{"durable breaker"}, b.meter.deferred)
	require.Equal(t, 1, b.meter.breakers, "one webhook's breaker is open")

	_, err = b.deliver(p, activities.LaneDurable, true)
	require.Equal(t, activities.ErrorRetry, application(t, err).Type(), "a person's request is sent all the same")
	require.Equal(t, arrived+1, b.arrived.Load())
}

func TestWhatAnotherProcessHasInHandIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, state := range []models.State{models.StatePending, models.StateSending} {
		t.Run(string(state), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, answers(http.StatusNoContent))
			b.webhook(`{"mode":"never","onCrash":"unknown"}`)
			p := b.one()
			delivery, _ := b.ledger(p)
			if state == models.StateSending {
				require.NoError(t, b.store.Claim(t.Context(), delivery, 0))
				delivery, _ = b.ledger(p)
			}
			const held = 3 * time.Second
			taken, err := b.store.Hold(t.Context(), delivery, held, false)
			require.NoError(t, err)
			require.True(t, taken)
			for _, asked := range []bool{false, true} { // a person's request does not send it twice either
				_, err := b.deliver(p, activities.LaneDurable, asked)
				away := application(t, err)
				require.Equal(t, activities.ErrorDeferred, away.Type())
				require.LessOrEqual(t, away.NextRetryDelay(), held)
			}
			require.Zero(t, b.arrived.Load())

			require.Eventually(t, func() bool { // the hold of a process that died ends
				got, err := b.deliver(p, activities.LaneDurable, false)
				return err == nil && got.State.Settled()
			}, 20*time.Second, 50*time.Millisecond)
			settled, _ := b.ledger(p)
			require.Equal(t, map[models.State]models.State{
				models.StatePending: models.StateDelivered, models.StateSending: models.StateUnknown,
			}[state], settled.State)
		})
	}
}

func TestALongAttemptSaysThatItIsUnderWay(t *testing.T) {
	t.Parallel()
	answer := make(chan struct{})
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		<-answer
		w.WriteHeader(http.StatusNoContent)
	})
	b.webhook(once)
	p := b.one()
	done := make(chan error, 1)
	go func() { _, err := b.deliver(p, activities.LaneFast, false); done <- err }()
	require.Eventually(t, func() bool {
		delivery, _ := b.ledger(p)
		return delivery.HeldUntil != nil && time.Until(*delivery.HeldUntil) > 5*time.Second
	}, 30*time.Second, 50*time.Millisecond)
	close(answer)
	require.NoError(t, <-done)
	delivery, _ := b.ledger(p)
	require.Equal(t, models.StateDelivered, delivery.State)
	require.Nil(t, delivery.HeldUntil)
}

func TestATaskThatComesLateIsLeftToTheDurableLane(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(http.StatusNoContent))
	b.webhook(once)
	p := b.one()
	input := activities.DeliverInput{
		Tenant: "acme", Lane: activities.LaneFast, Since: time.Now().Add(-10 * time.Second),
		Deliveries: []activities.DeliveryRef{{EventID: p.EventID, DeliveryID: p.DeliveryID}},
	}
	send := func() int {
		value, err := b.run(a.Deliver, input)
		require.NoError(t, err)
		var result activities.DeliverResult
		require.NoError(t, value.Get(&result))
		settled := 0
		for _, attempted := range result.Deliveries {
			require.Zero(t, attempted.StartInSeconds, "this process is not to be asked again")
			if attempted.State.Settled() {
				settled++
			}
		}
		return settled
	}
	require.Zero(t, send())
	require.Zero(t, b.arrived.Load())
	input.Since = time.Now()
	require.Equal(t, 1, send())
	require.EqualValues(t, 1, b.arrived.Load())
}

func TestATenantHasItsShareOfTheLaneWithHoweverManyWebhooks(t *testing.T) {
	t.Parallel()
	inside, answer := make(chan struct{}, 20), make(chan struct{})
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		inside <- struct{}{}
		<-answer
		w.WriteHeader(http.StatusNoContent)
	})
	const share = 10 // half of this bench's durable lane, a fifth of which is one webhook's
	for i := range share/2 + 1 {
		b.webhook(once, func(w *models.Webhook) { w.URL = fmt.Sprintf("%s/%d", b.url, i) })
	}
	var group sync.WaitGroup
	var last activities.Planned
	for range 2 {
		planned := b.resolve().Deliveries
		require.Len(t, planned, share/2+1)
		for _, p := range planned[:share/2] {
			group.Go(func() {
				got, err := b.deliver(p, activities.LaneDurable, false)
				require.NoError(t, err)
				require.Equal(t, models.StateDelivered, got.State)
			})
		}
		last = planned[share/2]
	}
	for range share {
		<-inside
	}
	_, err := b.deliver(last, activities.LaneDurable, false)
	require.Equal(t, activities.ErrorDeferred, application(t, err).Type(), "its webhook has nothing in flight, its tenant has")
	close(answer)
	group.Wait()
	_, err = b.deliver(last, activities.LaneDurable, false)
	require.NoError(t, err)
}
