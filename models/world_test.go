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

// world makes the rows that tests start from.
type world struct {
	t     testing.TB
	store *models.Store
}

// byTest is who changes webhooks in tests.
var byTest = models.Actor{Kind: models.ActorToken, Name: "ann", RequestID: "req-1"}

// onBoth runs a test on both databases.
func onBoth(t *testing.T, run func(t *testing.T, w world)) {
	t.Helper()
	t.Parallel()
	modelstest.Each(t, func(t *testing.T, store *models.Store) { run(t, world{t, store}) })
}

func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (w world) webhook(tenant string, change ...func(*models.Webhook)) models.Webhook {
	w.t.Helper()
	hook := models.Webhook{
		Tenant: tenant, Provider: "standard", Name: "Orders", URL: "https://" + models.NewID(now()) + ".example:8443/hook",
		Events: []string{"order.paid"}, Secret: "whsec_first", Headers: map[string]string{"X-Team": "blue"},
	}
	for _, c := range change {
		c(&hook)
	}
	require.NoError(w.t, w.store.CreateWebhook(w.t.Context(), byTest, &hook))
	return hook
}

func (w world) event(tenant string, change ...func(*models.Event)) models.Event {
	w.t.Helper()
	at := now()
	e := models.Event{
		Tenant: tenant, ID: models.NewID(at), Provider: "standard", Type: "order.paid", Source: "system",
		Data: []byte(`{"id":1}`), OccurredAt: at, AcceptedAt: at, BodyHash: "hash", RunID: "run-1",
	}
	e.WorkflowID = "event/" + tenant + "/" + e.ID
	for _, c := range change {
		c(&e)
	}
	return e
}

// everyone matches every webhook that is offered.
func everyone(_ models.Event, offered []models.Webhook) []models.Match {
	matches := make([]models.Match, len(offered))
	for i, hook := range offered {
		matches[i] = models.Match{WebhookID: hook.ID, State: models.StatePending}
	}
	return matches
}

func (w world) resolve(events ...models.Event) []models.ResolvedEvent {
	w.t.Helper()
	plans, err := w.store.Resolve(w.t.Context(), models.ResolveInput{Events: events, Match: everyone})
	require.NoError(w.t, err)
	require.Len(w.t, plans, len(events))
	return plans
}

// delivery makes a webhook, an event and the pending delivery between them.
func (w world) delivery(tenant string) (models.Webhook, models.Delivery) {
	w.t.Helper()
	hook := w.webhook(tenant)
	return hook, w.deliveryTo(hook)
}

// deliveryTo makes an event for one webhook and its pending delivery.
func (w world) deliveryTo(hook models.Webhook, change ...func(*models.Event)) models.Delivery {
	w.t.Helper()
	change = append(change, func(e *models.Event) { e.WebhookID = hook.ID })
	plans := w.resolve(w.event(hook.Tenant, change...))
	require.Len(w.t, plans[0].Deliveries, 1)
	return plans[0].Deliveries[0]
}

// in brings a fresh delivery of the webhook into a state.
func (w world) in(state models.State, hook models.Webhook) models.Delivery {
	w.t.Helper()
	d := w.deliveryTo(hook)
	switch state {
	case models.StatePending:
	case models.StateSending:
		require.NoError(w.t, w.store.Claim(w.t.Context(), d, 0))
	case models.StateSuppressed:
		plans, err := w.store.Resolve(w.t.Context(), models.ResolveInput{
			Events: []models.Event{w.event(hook.Tenant, func(e *models.Event) { e.WebhookID = hook.ID })},
			Match: func(models.Event, []models.Webhook) []models.Match {
				return []models.Match{{WebhookID: hook.ID, State: models.StateSuppressed, Reason: "bulk"}}
			},
		})
		require.NoError(w.t, err)
		return plans[0].Deliveries[0]
	case models.StateUnknown:
		d = w.in(models.StateSending, hook)
		require.NoError(w.t, w.store.Record(w.t.Context(), models.Record{Delivery: d, Step: models.StepLose}))
	default:
		i := slices.IndexFunc(models.Transitions(), func(tr models.Transition) bool {
			return tr.From == models.StatePending && tr.To == state
		})
		w.record(d, models.Transitions()[i].Step)
	}
	d, _ = w.reload(d)
	return d
}

// record stores a step with the attempt that goes with it.
func (w world) record(d models.Delivery, step models.Step) {
	w.t.Helper()
	require.NoError(w.t, w.store.Record(w.t.Context(), models.Record{Delivery: d, Step: step, Attempt: attemptOf(step)}))
}

// attemptOf makes the attempt a step needs; nil where it has none.
func attemptOf(step models.Step) *models.Attempt {
	switch step {
	case models.StepDeliver:
		return attempt(200)
	case models.StepFailRetry, models.StepFailFinal:
		return attempt(503)
	case models.StepLose, models.StepClaim, models.StepSkip, models.StepCancel, models.StepReopen,
		models.StepResolvePending, models.StepResolveSkipped, models.StepResolveSuppressed:
	}
	return nil
}

func attempt(status int) *models.Attempt {
	at := now()
	return &models.Attempt{
		ID: models.NewID(at), StatusCode: &status, Success: status < 300, StartedAt: at, DurationMS: 12,
		RequestURL: "https://a.example/hook", RequestBody: []byte(`{"id":1}`), ResponseBody: []byte("ok"),
		RequestHeaders: [][2]string{{"Content-Type", "application/json"}, {"X-Team", "blue"}},
	}
}

func (w world) reload(d models.Delivery) (models.Delivery, []models.Attempt) {
	w.t.Helper()
	again, attempts, err := w.store.Delivery(w.t.Context(), d.Tenant, d.ID)
	require.NoError(w.t, err)
	return again, attempts
}

func (w world) webhookNow(hook models.Webhook) models.Webhook {
	w.t.Helper()
	again, err := w.store.Webhook(w.t.Context(), hook.Tenant, hook.ID)
	require.NoError(w.t, err)
	return again
}

func (w world) count(sql string, args ...any) int {
	w.t.Helper()
	n, err := w.store.Count(sql, args...)
	require.NoError(w.t, err)
	return n
}

func requireCode(t testing.TB, code errs.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, errs.CodeOf(err), "%v", err)
}
