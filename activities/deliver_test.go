package activities_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"posthaste/activities"
	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/webhook/send"
)

// bench is the activities on a real store and a real receiver.
type bench struct {
	t       *testing.T
	store   *models.Store
	effects *activities.Activities
	options worker.Options
	url     string
	arrived atomic.Int64
	meter   tally
}

// a names activities by method.
var a *activities.Activities

func newBench(t *testing.T, answer http.HandlerFunc, change ...func(*activities.Deps)) *bench {
	t.Helper()
	b := &bench{t: t, store: modelstest.Open(t, modelstest.SQLite)}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.arrived.Add(1)
		answer(w, r)
	}))
	t.Cleanup(receiver.Close)
	b.url = receiver.URL
	b.work(change...)
	return b
}

// work gives the bench a worker of its own.
func (b *bench) work(change ...func(*activities.Deps)) {
	b.t.Helper()
	providers, err := provider.Load("")
	require.NoError(b.t, err)
	sender := send.New(send.Options{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	b.t.Cleanup(sender.Close)
	deps := activities.Deps{
		Store: b.store, Providers: providers, Sender: sender, Meter: &b.meter, UserAgent: "Posthaste/test", FastSlots: 1000, DurableSlots: 20,
		Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	}
	for _, c := range change {
		c(&deps)
	}
	b.effects, err = activities.New(deps)
	require.NoError(b.t, err)
}

// run has the worker run one activity. Each has an environment of its own: the SDK's
// keeps its activities in a map that two of them at once would both write.
func (b *bench) run(activity, input any) (converter.EncodedValue, error) {
	b.t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(b.options)
	env.RegisterActivity(b.effects)
	return env.ExecuteActivity(activity, input)
}

func answers(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// byTest is who changes webhooks in tests.
var byTest = models.Actor{Kind: models.ActorToken, Name: "ann"}

// webhook makes a webhook for every event of the standard provider.
func (b *bench) webhook(retry string, change ...func(*models.Webhook)) models.Webhook {
	b.t.Helper()
	w := models.Webhook{
		Tenant: "acme", Provider: "standard", Name: "CRM", URL: b.url, Events: []string{"*"},
		Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Retry: json.RawMessage(retry),
	}
	for _, c := range change {
		c(&w)
	}
	require.NoError(b.t, b.store.CreateWebhook(b.t.Context(), byTest, &w))
	return w
}

const once, hourly = `{"mode":"never"}`, `{"mode":"schedule","delaysSeconds":[3600,3600]}`

// resolve enqueues one event and returns its plan.
func (b *bench) resolve(change ...func(*activities.Event)) activities.Resolved {
	b.t.Helper()
	now := time.Now().UTC().Truncate(time.Millisecond)
	event := activities.Event{
		ID: uuid.Must(uuid.NewV7()).String(), Tenant: "acme", Provider: "standard", Type: "order.paid",
		Source: webhook.SourceSystem, Data: webhook.JSON(`{"total":5}`), OccurredAt: now, AcceptedAt: now,
	}
	for _, c := range change {
		c(&event)
	}
	value, err := b.run(a.ResolveSubscriptions, activities.ResolveInput{Events: []activities.Event{event}})
	require.NoError(b.t, err)
	var result activities.ResolveResult
	require.NoError(b.t, value.Get(&result))
	require.Len(b.t, result.Events, 1)
	return result.Events[0]
}

// one resolves an event that exactly one webhook wants.
func (b *bench) one() activities.Planned {
	b.t.Helper()
	resolved := b.resolve()
	require.Len(b.t, resolved.Deliveries, 1)
	return resolved.Deliveries[0]
}

func (b *bench) deliver(p activities.Planned, lane activities.Lane, now bool) (activities.Attempted, error) {
	b.t.Helper()
	value, err := b.run(a.Deliver, activities.DeliverInput{
		Tenant: "acme", Lane: lane, Now: now,
		Deliveries: []activities.DeliveryRef{{EventID: p.EventID, DeliveryID: p.DeliveryID}},
	})
	if err != nil {
		return activities.Attempted{}, err
	}
	var result activities.DeliverResult
	require.NoError(b.t, value.Get(&result))
	require.Len(b.t, result.Deliveries, 1)
	return result.Deliveries[0], nil
}

func (b *bench) ledger(p activities.Planned) (models.Delivery, []models.Attempt) {
	b.t.Helper()
	delivery, attempts, err := b.store.Delivery(b.t.Context(), "acme", p.DeliveryID)
	require.NoError(b.t, err)
	return delivery, attempts
}

func TestDeliveredOnceHoweverOftenItIsRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	b.webhook(once)
	p := b.one()
	require.Equal(t, activities.LaneFast, p.Lane)
	for range 3 {
		got, err := b.deliver(p, activities.LaneFast, false)
		require.NoError(t, err)
		require.Equal(t, models.StateDelivered, got.State)
		require.Equal(t, 1, got.Attempts)
	}
	require.EqualValues(t, 1, b.arrived.Load())
	_, attempts := b.ledger(p)
	require.Len(t, attempts, 1)
	require.Equal(t, `{"type":"order.paid"`, string(attempts[0].RequestBody[:20]))
}

func TestFailedFastAttemptIsRecordedAsRetrying(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(500))
	b.webhook(hourly)
	p := b.one()
	got, err := b.deliver(p, activities.LaneFast, false)
	require.NoError(t, err, "a receiver's failure is a value")
	require.Equal(t, models.StateRetrying, got.State)
	require.Equal(t, 500, got.StatusCode)
	delivery, _ := b.ledger(p)
	require.InDelta(t, time.Hour, time.Until(*delivery.NextAttemptAt), float64(13*time.Minute))

	t.Run("and the webhook's next event takes the durable lane", func(t *testing.T) {
		require.Equal(t, activities.LaneDurable, b.one().Lane)
	})
}

func TestDurableLaneAsksTemporalToWait(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(500))
	b.webhook(hourly)
	p := b.one()

	_, err := b.deliver(p, activities.LaneDurable, false)
	failed := application(t, err)
	require.Equal(t, activities.ErrorRetry, failed.Type())
	require.InDelta(t, time.Hour, failed.NextRetryDelay(), float64(13*time.Minute))
	require.Equal(t, temporal.ApplicationErrorCategoryBenign, failed.Category())
	require.Contains(t, failed.Error(), "500 Internal Server Error")

	t.Run("before its time nothing is sent", func(t *testing.T) {
		_, err := b.deliver(p, activities.LaneDurable, false)
		require.Equal(t, activities.ErrorDeferred, application(t, err).Type())
		require.EqualValues(t, 1, b.arrived.Load())
	})
	t.Run("unless a person asks", func(t *testing.T) {
		_, err := b.deliver(p, activities.LaneDurable, true)
		require.Equal(t, activities.ErrorRetry, application(t, err).Type())
		require.EqualValues(t, 2, b.arrived.Load())
	})
	t.Run("and the last attempt is an outcome, not an error", func(t *testing.T) {
		got, err := b.deliver(p, activities.LaneDurable, true)
		require.NoError(t, err)
		require.Equal(t, models.StateFailed, got.State)
		require.Equal(t, 3, got.Attempts)
	})
}

func application(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	var failed *temporal.ApplicationError
	require.ErrorAs(t, err, &failed)
	return failed
}

func TestDurableLaneSendsAwayWhatIsOverTheWebhooksShare(t *testing.T) {
	t.Parallel()
	hang, inside := make(chan struct{}), make(chan struct{}, 2)
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		inside <- struct{}{}
		<-hang
		w.WriteHeader(http.StatusNoContent)
	})
	b.webhook(once)
	plans := []activities.Planned{b.one(), b.one(), b.one()}
	var group sync.WaitGroup
	for _, p := range plans[:2] {
		group.Go(func() {
			got, err := b.deliver(p, activities.LaneDurable, false)
			require.NoError(t, err)
			require.Equal(t, models.StateDelivered, got.State)
		})
		<-inside
	}
	_, err := b.deliver(plans[2], activities.LaneDurable, false)
	away := application(t, err)
	require.Equal(t, activities.ErrorDeferred, away.Type())
	require.InDelta(t, time.Second, away.NextRetryDelay(), float64(250*time.Millisecond))
	delivery, attempts := b.ledger(plans[2])
	require.Equal(t, models.StatePending, delivery.State)
	require.Empty(t, attempts, "a deferral is no attempt")
	close(hang)
	group.Wait()
}

func TestWebhookThatNoLongerWantsItIsSkipped(t *testing.T) {
	t.Parallel()
	for _, status := range []string{models.StatusPaused, models.StatusGone, models.StatusBroken} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, answers(204))
			w := b.webhook(once)
			p := b.one()
			_, err := b.store.UpdateWebhook(t.Context(), byTest, "acme", w.ID, func(w *models.Webhook) error { w.Status = status; return nil })
			require.NoError(t, err)
			got, err := b.deliver(p, activities.LaneFast, false)
			require.NoError(t, err)
			require.Equal(t, models.StateSkipped, got.State)
			require.Equal(t, "webhook_"+status, string(got.Reason))
			require.Zero(t, b.arrived.Load())
		})
	}
}

func TestDeletedWebhookSettlesItsDeliveries(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	w := b.webhook(once)
	p := b.one()
	require.NoError(t, b.store.DeleteWebhook(t.Context(), byTest, "acme", w.ID))
	got, err := b.deliver(p, activities.LaneDurable, false)
	require.NoError(t, err)
	require.Equal(t, models.StateCancelled, got.State)
	require.Zero(t, b.arrived.Load())
}

func TestGoneSwitchesTheWebhookOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(410))
	w := b.webhook(hourly)
	got, err := b.deliver(b.one(), activities.LaneFast, false)
	require.NoError(t, err)
	require.Equal(t, models.StateFailed, got.State)
	w, err = b.store.Webhook(t.Context(), "acme", w.ID)
	require.NoError(t, err)
	require.Equal(t, models.StatusGone, w.Status)
	require.Equal(t, "the receiver answered 410 Gone", w.StatusReason)

	t.Run("and later events are on record as skipped", func(t *testing.T) {
		require.Equal(t, models.StateSkipped, b.one().State)
	})
}

func TestTestSendReachesAPausedWebhook(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	w := b.webhook(once, func(w *models.Webhook) { w.Status = models.StatusPaused })
	resolved := b.resolve(func(e *activities.Event) { e.Test, e.WebhookID = true, w.ID })
	got, err := b.deliver(resolved.Deliveries[0], activities.LaneFast, false)
	require.NoError(t, err)
	require.Equal(t, models.StateDelivered, got.State)
}

func TestTestSendsChangeNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(410))
	w := b.webhook(hourly)
	resolved := b.resolve(func(e *activities.Event) { e.Test, e.WebhookID = true, w.ID })
	got, err := b.deliver(resolved.Deliveries[0], activities.LaneFast, false)
	require.NoError(t, err)
	require.Equal(t, models.StateFailed, got.State, "a test is tried once")
	w, err = b.store.Webhook(t.Context(), "acme", w.ID)
	require.NoError(t, err)
	require.Equal(t, models.StatusActive, w.Status)
	require.Zero(t, w.FailedInARow)
}

func TestAtMostOnceIsNeverPostedTwice(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	b.webhook(`{"mode":"never","onCrash":"unknown"}`)
	p := b.one()
	delivery, _ := b.ledger(p)
	require.NoError(t, b.store.Claim(t.Context(), delivery, 0)) // as a worker does that dies right after
	got, err := b.deliver(p, activities.LaneDurable, false)
	require.NoError(t, err)
	require.Equal(t, models.StateUnknown, got.State)
	require.Equal(t, webhook.ReasonWorkerLost, got.Reason)
	require.Zero(t, b.arrived.Load())

	t.Run("not even when its webhook was paused meanwhile", func(t *testing.T) {
		p := b.one()
		delivery, _ := b.ledger(p)
		require.NoError(t, b.store.Claim(t.Context(), delivery, 0))
		pause := func(w *models.Webhook) error { w.Status = models.StatusPaused; return nil }
		_, err := b.store.UpdateWebhook(t.Context(), byTest, "acme", delivery.WebhookID, pause)
		require.NoError(t, err)
		got, err := b.deliver(p, activities.LaneDurable, false)
		require.NoError(t, err)
		require.Equal(t, models.StateUnknown, got.State)
		resume := func(w *models.Webhook) error { w.Status = models.StatusActive; return nil }
		_, err = b.store.UpdateWebhook(t.Context(), byTest, "acme", delivery.WebhookID, resume)
		require.NoError(t, err)
		require.Zero(t, b.arrived.Load())
	})
	t.Run("and otherwise delivers as any other", func(t *testing.T) {
		got, err := b.deliver(b.one(), activities.LaneFast, false)
		require.NoError(t, err)
		require.Equal(t, models.StateDelivered, got.State)
	})
}

func TestSecondRunOfAnEventIsADuplicate(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	b := newBench(t, answers(204), func(d *activities.Deps) { d.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	b.webhook(once)
	now := time.Now().UTC().Truncate(time.Millisecond)
	row := models.Event{
		Tenant: "acme", ID: uuid.Must(uuid.NewV7()).String(), Provider: "standard", Type: "order.paid", Source: "system",
		Data: []byte(`{}`), OccurredAt: now, AcceptedAt: now, WorkflowID: "event/acme/x", RunID: "an earlier run",
	}
	_, err := b.store.Resolve(t.Context(), models.ResolveInput{
		Events: []models.Event{row}, Match: func(models.Event, []models.Webhook) []models.Match { return nil },
	})
	require.NoError(t, err)
	for _, hash := range []string{"", "that of another content"} {
		require.Empty(t, log.String())
		resolved := b.resolve(func(e *activities.Event) { e.ID, e.BodyHash = row.ID, hash })
		require.True(t, resolved.Duplicate)
		require.Empty(t, resolved.Deliveries)
	}
	require.Contains(t, log.String(), "level=WARN")
	require.Contains(t, log.String(), "event="+row.ID)
}

func TestWhatThisProcessDoesNotKnowYetWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	for _, event := range []activities.Event{
		{ID: uuid.NewString(), Tenant: "acme", Provider: "nobody", Type: "x"},
		{ID: uuid.NewString(), Tenant: "acme", Provider: "akol", Type: "call.invented"},
	} {
		_, err := b.run(a.ResolveSubscriptions, activities.ResolveInput{Events: []activities.Event{event}})
		require.False(t, application(t, err).NonRetryable(), "a process that knows it will come: %v", err)
	}
	b.webhook(once, func(w *models.Webhook) { w.Provider = "akol" })
	resolved := b.resolve(func(e *activities.Event) { e.Provider, e.Type = "akol", "call.ended" })
	require.Len(t, resolved.Deliveries, 1, "one that it knows")
}

func TestADeliveredOneStaysSoWhenSendingItAgainIsCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	b.webhook(once)
	p := b.one()
	_, err := b.deliver(p, activities.LaneFast, false)
	require.NoError(t, err)
	_, err = b.store.Reopen(t.Context(), "acme", p.DeliveryID, "resend/1")
	require.NoError(t, err)
	_, err = b.run(a.CancelDeliveries, activities.CancelInput{Tenant: "acme", DeliveryIDs: []string{p.DeliveryID}})
	require.NoError(t, err)
	for _, lane := range []activities.Lane{activities.LaneFast, activities.LaneDurable} { // an attempt that comes too late
		attempted, err := b.deliver(p, lane, true)
		require.NoError(t, err)
		require.Equal(t, models.StateDelivered, attempted.State)
	}
	require.EqualValues(t, 1, b.arrived.Load())
}

func TestReopenIsOneRequestPerWorkflow(t *testing.T) {
	t.Parallel()
	b := newBench(t, answers(204))
	b.webhook(once)
	p := b.one()
	_, err := b.deliver(p, activities.LaneFast, false)
	require.NoError(t, err)
	reopen := func(workflowID string) (models.Delivery, error) {
		return b.store.Reopen(t.Context(), "acme", p.DeliveryID, workflowID)
	}
	delivery, err := reopen("resend/1")
	require.NoError(t, err)
	require.Equal(t, models.StatePending, delivery.State)
	delivery, err = reopen("resend/1") // the same workflow, run again after a crash
	require.NoError(t, err)
	require.Equal(t, models.StatePending, delivery.State)
	_, err = reopen("resend/2")
	require.True(t, errs.Is(err, errs.Conflict))
}
