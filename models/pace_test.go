package models_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// stoppedClock opens a ledger in which no time passes but by the hand of the test.
func stoppedClock(t *testing.T, run func(t *testing.T, w world, at *time.Time)) {
	t.Helper()
	onBothURLs(t, func(t *testing.T, url string) {
		at := now()
		clock := func() time.Time { return at }
		run(t, world{t, modelstest.OpenWith(t, models.Options{URL: url, Now: clock})}, &at)
	})
}

func (w world) pace(d models.Delivery, perSecond int) time.Time {
	w.t.Helper()
	slot, err := w.store.Pace(w.t.Context(), d, d.WebhookID, perSecond)
	require.NoError(w.t, err)
	return slot
}

func TestPaceGivesEveryDeliveryItsSlot(t *testing.T) {
	stoppedClock(t, func(t *testing.T, w world, at *time.Time) {
		start := *at
		hook := w.webhook("acme", func(h *models.Webhook) { h.MaxPerSecond = 4 })
		var slots []time.Duration
		var first models.Delivery
		for i := range 3 {
			d := w.deliveryTo(hook)
			if i == 0 {
				first = d
			}
			slots = append(slots, w.pace(d, 4).Sub(start))
		}
		require.Equal(t, []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond}, slots)

		require.Equal(t, start, w.pace(first, 4), "a delivery that has a slot keeps it")
		kept, _ := w.reload(first)
		require.Equal(t, start, *kept.SlotAt)
		due, err := w.store.DueDelivery(t.Context(), "acme", first.ID)
		require.NoError(t, err)
		require.Equal(t, kept.SlotAt, due.Delivery.SlotAt)
		require.Equal(t, 4, due.Webhook.MaxPerSecond)

		*at = start.Add(time.Hour)
		require.Equal(t, *at, w.pace(w.deliveryTo(hook), 4), "time that passed unused is not saved up")
		require.Equal(t, at.Add(250*time.Millisecond), w.pace(w.deliveryTo(hook), 4))

		other := w.webhook("acme")
		require.Equal(t, *at, w.pace(w.deliveryTo(other), 4), "each webhook has slots of its own")
	})
}

// A line that was too slow ends with its limit: nobody waits minutes for a slot
// that was given out under the old one.
func TestAnotherLimitBeginsAnotherLine(t *testing.T) {
	stoppedClock(t, func(t *testing.T, w world, at *time.Time) {
		hook := w.webhook("acme", func(h *models.Webhook) { h.MaxPerSecond = 1 })
		var waiting []models.Delivery
		for range 20 {
			waiting = append(waiting, w.deliveryTo(hook))
			w.pace(waiting[len(waiting)-1], 1)
		}
		last := waiting[len(waiting)-1]
		change := func(alter func(*models.Webhook)) {
			t.Helper()
			_, err := w.store.UpdateWebhook(t.Context(), byTest, "acme", hook.ID, func(h *models.Webhook) error { alter(h); return nil })
			require.NoError(t, err)
		}
		change(func(h *models.Webhook) { h.Name = "Renamed" })
		require.Equal(t, at.Add(19*time.Second), w.pace(last, 1), "its slot")
		require.Equal(t, at.Add(20*time.Second), w.pace(w.deliveryTo(hook), 1), "the line goes on")

		change(func(h *models.Webhook) { h.MaxPerSecond = 100 })
		require.Equal(t, *at, w.pace(w.deliveryTo(hook), 100), "a new one")
		require.Equal(t, at.Add(10*time.Millisecond), w.pace(last, 100), "one that was in the old line")
		require.Equal(t, at.Add(10*time.Millisecond), w.pace(last, 100), "it keeps that one")
		require.Equal(t, at.Add(20*time.Millisecond), w.pace(waiting[10], 100))
		require.Equal(t, *at, w.pace(waiting[0], 100), "its time had come")

		change(func(h *models.Webhook) { h.Status = models.StatusPaused })
		require.Equal(t, at.Add(30*time.Millisecond), w.pace(w.deliveryTo(hook), 100), "the line stands")
		change(func(h *models.Webhook) { h.Status = models.StatusActive })
		require.Equal(t, *at, w.pace(w.deliveryTo(hook), 100))
		change(func(h *models.Webhook) { h.Status = models.StatusActive })
		require.Equal(t, at.Add(10*time.Millisecond), w.pace(w.deliveryTo(hook), 100), "it was active before")
	})
}

// A slot is for one attempt: the next one takes a new slot.
func TestSlotEndsWithItsAttempt(t *testing.T) {
	stoppedClock(t, func(t *testing.T, w world, at *time.Time) {
		hook := w.webhook("acme")
		d := w.deliveryTo(hook)
		w.pace(d, 1)
		d, _ = w.reload(d)
		w.record(d, models.StepFailRetry)
		d, _ = w.reload(d)
		require.Nil(t, d.SlotAt)
		require.Equal(t, at.Add(time.Second), w.pace(d, 1))
		d, _ = w.reload(d)
		w.record(d, models.StepFailFinal)

		require.NoError(t, w.store.Exec("UPDATE deliveries SET slot_at = updated_at WHERE id = ?", d.ID))
		again, err := w.store.Reopen(t.Context(), "acme", d.ID, "resend/1")
		require.NoError(t, err)
		require.Nil(t, again.SlotAt)
		again, _ = w.reload(d)
		require.Nil(t, again.SlotAt)
	})
}

// Many processes that ask at once still get slots that lie apart.
func TestPaceTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		const many = 20
		type answer struct {
			slot time.Time
			err  error
		}
		answers := make(chan answer, many)
		for range many {
			d := w.deliveryTo(hook)
			go func() {
				slot, err := w.store.Pace(t.Context(), d, hook.ID, 1)
				answers <- answer{slot, err}
			}()
		}
		var slots []time.Time
		for range many {
			got := <-answers
			require.NoError(t, got.err)
			slots = append(slots, got.slot)
		}
		slices.SortFunc(slots, time.Time.Compare)
		for i := 1; i < many; i++ {
			require.GreaterOrEqual(t, slots[i].Sub(slots[i-1]), time.Second)
		}
	})
}

func TestPaceRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, d := w.delivery("acme")
		pace := func(change func(*models.Delivery), webhookID string, perSecond int) error {
			asked := d
			change(&asked)
			_, err := w.store.Pace(t.Context(), asked, webhookID, perSecond)
			return err
		}
		same := func(*models.Delivery) {}
		requireCode(t, errs.Internal, pace(same, hook.ID, 0))
		requireCode(t, errs.NotFound, pace(same, w.webhook("acme").ID, 1))
		requireCode(t, errs.NotFound, pace(func(d *models.Delivery) { d.Tenant = "zeta" }, hook.ID, 1))
		requireCode(t, errs.NotFound, pace(func(d *models.Delivery) { d.ID = models.NewID(now()) }, hook.ID, 1))
		requireCode(t, errs.NotFound, pace(func(d *models.Delivery) { d.ID = "\x00" }, hook.ID, 1))
		requireCode(t, errs.Conflict, pace(func(d *models.Delivery) { d.Attempts = 1 }, hook.ID, 1))
		requireCode(t, errs.Conflict, pace(func(d *models.Delivery) { d.State = models.StateSending }, hook.ID, 1))
		require.Zero(t, w.count("SELECT COUNT(*) FROM webhooks WHERE paced_until IS NOT NULL"), "no slot is lost to a refusal")
		require.NoError(t, pace(same, hook.ID, 1))
	})
}
