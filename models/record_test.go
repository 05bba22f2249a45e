package models_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

func TestRecordStoresTheAttempt(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		d := w.deliveryTo(hook, func(e *models.Event) { e.Test = true })
		next := now().Add(5 * time.Second)
		a := attempt(503)
		a.Reason, a.Detail = "server_error", "503 Service Unavailable"
		a.RequestBody = []byte("a=1&b=<>\x00\xff")
		a.ResponseHeaders = [][2]string{{"Retry-After", "5"}, {"Set-Cookie", "a"}, {"Set-Cookie", "b"}}
		a.ResponseBody, a.ResponseTruncated = []byte("\x00\x01\xfe not text"), true
		require.NoError(t, w.store.Record(t.Context(), models.Record{
			Delivery: d, Step: models.StepFailRetry, Attempt: a, NextAttemptAt: &next, Reason: "server_error",
		}))

		after, attempts := w.reload(d)
		want := d
		want.State, want.Attempts, want.NextAttemptAt = models.StateRetrying, 1, &next
		want.LastStatusCode, want.Reason, want.UpdatedAt = a.StatusCode, "server_error", after.UpdatedAt
		require.Equal(t, want, after)
		a.Tenant, a.WebhookID, a.DeliveryID, a.EventID = "acme", hook.ID, d.ID, d.EventID
		a.EventType, a.Number, a.Test = d.EventType, 1, true
		require.Equal(t, []models.Attempt{*a}, attempts)

		silent := &models.Attempt{StartedAt: now(), Reason: "timeout"}
		require.NoError(t, w.store.Record(t.Context(), models.Record{
			Delivery: after, Step: models.StepFailFinal, Attempt: silent, NextAttemptAt: &next, Reason: "timeout",
		}))
		final, attempts := w.reload(d)
		require.Equal(t, models.StateFailed, final.State)
		require.Nil(t, final.NextAttemptAt, "a settled delivery waits for nothing")
		require.Nil(t, final.LastStatusCode, "the last attempt got no answer")
		require.NotNil(t, final.SettledAt)
		require.Equal(t, 2, attempts[1].Number)
		require.NotEmpty(t, attempts[1].ID)
		require.Empty(t, silent.ID, "the caller's attempt is not written to")
	})
}

func TestRecordRefusesAStaleWriter(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		_, d := w.delivery("acme")
		w.record(d, models.StepFailRetry)
		current, _ := w.reload(d)
		stale := map[string]models.Delivery{"as it was before": d}
		early := current
		early.Attempts = 0
		stale["attempts of before"] = early
		late := current
		late.Attempts = 2
		stale["attempts of later"] = late
		other := current
		other.State = models.StatePending
		stale["another state"] = other
		for name, loaded := range stale {
			for _, step := range []models.Step{models.StepDeliver, models.StepClaim, models.StepCancel, models.StepSkip} {
				err := w.store.Record(t.Context(), models.Record{Delivery: loaded, Step: step, Attempt: attemptOf(step)})
				require.Error(t, err, "%s: %s", name, step)
				require.Equal(t, errs.Conflict, errs.CodeOf(err), "%s: %s", name, step)
			}
		}
		after, attempts := w.reload(d)
		require.Equal(t, current, after)
		require.Len(t, attempts, 1)
	})
}

// The commit succeeded but its answer was lost: the caller records once more.
func TestRecordTwiceIsOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, d := w.delivery("acme")
		failed := true
		record := models.Record{Delivery: d, Step: models.StepFailRetry, Attempt: attempt(500), WebhookFailed: &failed}
		for range 3 {
			require.NoError(t, w.store.Record(t.Context(), record))
		}
		after, attempts := w.reload(d)
		require.Equal(t, 1, after.Attempts)
		require.Len(t, attempts, 1)
		require.Equal(t, 1, w.webhookNow(hook).FailedInARow, "counted once")

		record.Attempt = attempt(500) // another POST, made by a worker that knew no better
		requireCode(t, errs.Conflict, w.store.Record(t.Context(), record))
	})
}

func TestRecordOfADeletedWebhook(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, d := w.delivery("acme")
		require.NoError(t, w.store.DeleteWebhook(t.Context(), byTest, "acme", hook.ID))
		failed := true
		for _, step := range []models.Step{models.StepDeliver, models.StepFailRetry, models.StepSkip, models.StepClaim} {
			record := models.Record{Delivery: d, Step: step, Attempt: attemptOf(step)}
			if record.Attempt != nil {
				record.WebhookFailed = &failed
			}
			requireCode(t, errs.NotFound, w.store.Record(t.Context(), record))
		}
		require.Zero(t, w.count("SELECT COUNT(*) FROM attempts"))
		_, err := w.store.DueDelivery(t.Context(), "acme", d.ID)
		requireCode(t, errs.NotFound, err)
	})
}

func TestClaimIsForOne(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		_, d := w.delivery("acme")
		const workers = 8
		claims := make(chan error, workers)
		for range workers {
			go func() { claims <- w.store.Claim(t.Context(), d, 0) }()
		}
		won := 0
		for range workers {
			if err := <-claims; err == nil {
				won++
			} else {
				requireCode(t, errs.Conflict, err)
			}
		}
		require.Equal(t, 1, won)

		claimed, _ := w.reload(d)
		require.Equal(t, models.StateSending, claimed.State)
		lost := &models.Attempt{StartedAt: now(), Reason: "worker_lost"}
		require.NoError(t, w.store.Record(t.Context(), models.Record{
			Delivery: claimed, Step: models.StepLose, Attempt: lost, Reason: "worker_lost",
		}))
		after, attempts := w.reload(d)
		require.Equal(t, []any{models.StateUnknown, "worker_lost", 1}, []any{after.State, after.Reason, len(attempts)})
		requireCode(t, errs.Conflict, w.store.Claim(t.Context(), after, 0))
	})
}

// health runs attempts of one webhook through the ledger; each is a status code.
func (w world) attempts(hook models.Webhook, brokenAfter int, statuses ...int) models.Webhook {
	w.t.Helper()
	for _, status := range statuses {
		failed := status >= 300
		step := models.StepDeliver
		if failed {
			step = models.StepFailFinal
		}
		require.NoError(w.t, w.store.Record(w.t.Context(), models.Record{
			Delivery: w.deliveryTo(hook), Step: step, Attempt: attempt(status),
			WebhookFailed: &failed, BrokenAfter: brokenAfter,
		}))
	}
	return w.webhookNow(hook)
}

func TestWebhookHealth(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		for _, test := range []struct {
			name       string
			give       []int
			after      int
			wantStatus string
			wantFailed int
		}{
			{"all well", []int{200, 204}, 3, models.StatusActive, 0},
			{"failures count", []int{500, 500}, 3, models.StatusActive, 2},
			{"a success resets", []int{500, 500, 200, 500}, 3, models.StatusActive, 1},
			{"broken", []int{500, 500, 500}, 3, models.StatusBroken, 3},
			{"broken stays broken", []int{500, 500, 500, 200}, 3, models.StatusBroken, 0},
			{"never broken", []int{500, 500, 500, 500}, 0, models.StatusActive, 4},
		} {
			hook := w.webhook("acme")
			after := w.attempts(hook, test.after, test.give...)
			require.Equal(t, test.wantStatus, after.Status, test.name)
			require.Equal(t, test.wantFailed, after.FailedInARow, test.name)
			if test.wantStatus == models.StatusBroken {
				require.Equal(t, "3 attempts in a row failed", after.StatusReason)
				require.True(t, after.StatusAt.After(hook.StatusAt))
			} else {
				require.Equal(t, hook.UpdatedAt, after.UpdatedAt, test.name)
			}
		}
	})
}

func TestWebhookGone(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		failed := true
		for _, before := range []string{models.StatusActive, models.StatusPaused, models.StatusBroken} {
			hook := w.webhook("acme", func(h *models.Webhook) { h.Status = before })
			record := models.Record{
				Delivery: w.deliveryTo(hook), Step: models.StepFailFinal, Attempt: attempt(410),
				WebhookFailed: &failed, WebhookStatus: models.StatusGone, StatusReason: "answered 410", BrokenAfter: 1,
			}
			require.NoError(t, w.store.Record(t.Context(), record))
			gone := w.webhookNow(hook)
			require.Equal(t, []any{models.StatusGone, "answered 410", 1}, []any{gone.Status, gone.StatusReason, gone.FailedInARow})

			again := record
			again.Delivery, again.Attempt, again.StatusReason = w.deliveryTo(hook), attempt(410), "answered 410 again"
			require.NoError(t, w.store.Record(t.Context(), again))
			require.Equal(t, gone.StatusAt, w.webhookNow(hook).StatusAt, "it is gone since the first time")
		}
	})
}

// A test send must leave the webhook as it is, and a success of a healthy
// webhook must not write to its row at all: rows of many deliveries would queue
// for it.
func TestWebhookRowIsLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		version := func(id string) []string {
			column := "rowid || ':' || failed_in_a_row"
			if w.store.OnPostgres() {
				column = "xmin::text || ':' || ctid::text"
			}
			list, err := w.store.Texts("SELECT "+column+" FROM webhooks WHERE id = ?", id)
			require.NoError(t, err)
			return list
		}
		hook := w.webhook("acme")
		before := version(hook.ID)
		require.NoError(t, w.store.Record(t.Context(), models.Record{
			Delivery: w.deliveryTo(hook), Step: models.StepFailFinal, Attempt: attempt(500),
			WebhookStatus: models.StatusGone, BrokenAfter: 1,
		}))
		w.attempts(hook, 1, 200, 201)
		require.Equal(t, before, version(hook.ID))
		require.Equal(t, hook, w.webhookNow(hook))
	})
}

// Failures of one webhook that arrive together must all count.
func TestFailuresTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		failed := true
		const many = 40
		var records []models.Record
		for range many {
			records = append(records, models.Record{
				Delivery: w.deliveryTo(hook), Step: models.StepFailFinal, Attempt: attempt(500),
				WebhookFailed: &failed, BrokenAfter: many,
			})
		}
		for _, err := range w.recordAll(records) {
			require.NoError(t, err)
		}
		after := w.webhookNow(hook)
		require.Equal(t, many, after.FailedInARow)
		require.Equal(t, models.StatusBroken, after.Status)
		require.Equal(t, fmt.Sprintf("%d attempts in a row failed", many), after.StatusReason)
	})
}

func TestRecordCleansText(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		_, d := w.delivery("acme")
		a := attempt(500)
		a.Detail, a.Reason, a.RequestURL = "a\x00b\xffc", "x\x00", "https://a.example/\xff"
		require.NoError(t, w.store.Record(t.Context(), models.Record{
			Delivery: d, Step: models.StepFailFinal, Attempt: a, Reason: "bad\x00\xfe",
		}))
		after, attempts := w.reload(d)
		require.Equal(t, "bad\uFFFD\uFFFD", after.Reason)
		require.Equal(t, "a\uFFFDb\uFFFDc", attempts[0].Detail)
	})
}
