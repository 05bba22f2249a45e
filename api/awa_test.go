package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"posthaste/models"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// The acceptance cases of ActiWAPI that no delivery is needed for. AWA-06, 07
// and 11 are proved end to end.

const (
	actiwapiEvents = `{"success":true,"data":["message.received","message.sent","session.connected","session.disconnected","campaign.completed"]}`
	// actiwapiCreate is the documented request.
	actiwapiCreate = `{"url":"https://api.yourapp.com/webhooks/actiwapi","events":["message.received","session.disconnected"],"secret":"your-signing-secret"}`
)

// onActiWAPI runs a case on both databases, against an API that speaks ActiWAPI
// unless asked otherwise. Its tenant has nothing of it yet.
func onActiWAPI(t *testing.T, run func(t *testing.T, w *world)) {
	t.Helper()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		t.Helper()
		w := newWorld(t, store, "clinic")
		w.deps.DefaultProvider = "actiwapi"
		w.build(t)
		run(t, w)
	})
}

func noToken() map[string]string { return map[string]string{"Authorization": "-"} }

// create makes the documented webhook and returns its id.
func (w *world) create(t *testing.T) string {
	t.Helper()
	got := w.send(t, http.MethodPost, "/api/webhooks", actiwapiCreate, nil)
	require.Equal(t, http.StatusCreated, got.status, got.body)
	return fmt.Sprint(got.data(t)["id"])
}

func TestAWA01_EventTypesNeedNoToken(t *testing.T) {
	t.Parallel()
	onActiWAPI(t, func(t *testing.T, w *world) {
		for _, url := range []string{"/api/webhooks/events", "/api/webhooks/events?provider=actiwapi"} {
			got := w.send(t, http.MethodGet, url, "", noToken())
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, actiwapiEvents, got.body)
			require.Equal(t, "application/json; charset=utf-8", got.header.Get("Content-Type"))
		}
	})
}

func TestAWA02_WebhooksNeedAToken(t *testing.T) {
	t.Parallel()
	onActiWAPI(t, func(t *testing.T, w *world) {
		for _, headers := range []map[string]string{
			noToken(),
			{"Authorization": "Bearer nonsense"},
			{"Authorization": "-", "X-API-Key": "nonsense"},
		} {
			got := w.send(t, http.MethodGet, "/api/webhooks", "", headers)
			require.Equal(t, http.StatusUnauthorized, got.status)
			require.Contains(t, got.body, `{"success":false,"code":"UNAUTHORIZED","message":"`)
			require.NotContains(t, got.body, `"errors"`)
			require.NotContains(t, got.body, `"data"`)
		}
	})
}

func TestAWA03_CreatedAndTheSecretIsNotShownAgain(t *testing.T) {
	t.Parallel()
	onActiWAPI(t, func(t *testing.T, w *world) {
		got := w.send(t, http.MethodPost, "/api/webhooks", actiwapiCreate, nil)
		require.Equal(t, http.StatusCreated, got.status, got.body)
		id := fmt.Sprint(got.data(t)["id"])
		require.Equal(t, id, uuid.MustParse(id).String())
		require.Equal(t, true, got.data(t)["isActive"])
		require.Equal(t, []any{"message.received", "session.disconnected"}, got.data(t)["events"])

		for _, later := range []struct{ method, url, body string }{
			{http.MethodGet, "/api/webhooks", ""},
			{http.MethodGet, "/api/webhooks/" + id, ""},
			{http.MethodPatch, "/api/webhooks/" + id, `{"name":"Other"}`},
			{http.MethodGet, "/api/webhooks/" + id + "/history", ""},
			{http.MethodPost, "/api/webhooks/" + id + "/test", ""},
			{http.MethodPost, "/api/webhooks", actiwapiCreate}, // a duplicate
			{http.MethodPatch, "/api/webhooks/" + id, `{"secret":"x"}`},
			{http.MethodDelete, "/api/webhooks/" + id, ""},
		} {
			got := w.send(t, later.method, later.url, later.body, nil)
			require.NotContains(t, got.body+fmt.Sprint(got.header), "your-signing-secret", "%s %s", later.method, later.url)
		}
		require.NotContains(t, w.logs.String(), "your-signing-secret")
	})
}

func TestAWA04_BadRequestsNameTheField(t *testing.T) {
	t.Parallel()
	onActiWAPI(t, func(t *testing.T, w *world) {
		for _, bad := range []struct{ body, want string }{
			{`{"url":"https://a.dev/x","events":["message.lost"]}`, `"errors":{"events[0]":`},
			{`{"url":"https://a.dev/x","events":["message.sent","order.paid"]}`, `"errors":{"events[1]":`},
			{`{"url":"http://a.dev/x","events":["message.sent"]}`, `"errors":{"url":"must use https"}`},
			{`{"url":"ftp://a.dev/x","events":["message.sent"]}`, `"errors":{"url":`},
			{`{"url":"a.dev","events":["message.sent"]}`, `"errors":{"url":`},
		} {
			got := w.send(t, http.MethodPost, "/api/webhooks", bad.body, nil)
			require.Equal(t, http.StatusBadRequest, got.status, bad.body)
			require.Contains(t, got.body, `{"success":false,"code":"VALIDATION_ERROR","message":"Validation failed","errors":{`)
			require.Contains(t, got.body, bad.want)
		}
		list := w.send(t, http.MethodGet, "/api/webhooks?provider=actiwapi", "", nil)
		require.Contains(t, list.body, `"data":[]`, "nothing was created")
	})
}

func TestAWA05_TenantsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	onActiWAPI(t, func(t *testing.T, w *world) {
		id := w.create(t)
		_, key := w.addKey(t, "other-clinic", nil)
		for _, other := range []map[string]string{
			{"Authorization": "Bearer " + w.token(t, "other-clinic")},
			{"Authorization": "-", "X-API-Key": key},
		} {
			got := w.send(t, http.MethodGet, "/api/webhooks/"+id+"/history", "", other)
			require.Equal(t, http.StatusNotFound, got.status)
			require.Contains(t, got.body, `"success":false,"code":"NOT_FOUND"`)
			list := w.send(t, http.MethodGet, "/api/webhooks", "", other)
			require.Equal(t, http.StatusOK, list.status)
			require.Contains(t, list.body, `"data":[]`)
		}
		require.Contains(t, w.send(t, http.MethodGet, "/api/webhooks", "", nil).body, id, "its owner sees it")
	})
}

func TestAWA08_TheSameWebhookTwiceIsAConflict(t *testing.T) {
	t.Parallel()
	onActiWAPI(t, func(t *testing.T, w *world) {
		id := w.create(t)
		for _, again := range []string{
			actiwapiCreate,
			`{"url":"https://api.yourapp.com/webhooks/actiwapi","events":["session.disconnected","message.received"]}`,
		} {
			got := w.send(t, http.MethodPost, "/api/webhooks", again, nil)
			require.Equal(t, http.StatusConflict, got.status)
			require.Contains(t, got.body, `"success":false,"code":"CONFLICT"`)
		}
		list, _ := w.send(t, http.MethodGet, "/api/webhooks?provider=actiwapi", "", nil).list(t)
		require.Len(t, list, 1)
		require.Equal(t, id, list[0]["id"])
	})
}

func TestAWA09_OverThePlanOrInactive(t *testing.T) {
	t.Parallel()
	onActiWAPI(t, func(t *testing.T, w *world) {
		put := func(body string) {
			t.Helper()
			got := w.send(t, http.MethodPut, "/api/admin/tenants/clinic", body, map[string]string{"Authorization": w.fill("Bearer {admin}")})
			require.Equal(t, http.StatusOK, got.status, got.body)
		}
		refused := func(code string) {
			t.Helper()
			got := w.send(t, http.MethodPost, "/api/webhooks", `{"url":"https://b.dev/x","events":["message.sent"]}`, nil)
			require.Equal(t, http.StatusForbidden, got.status)
			require.Contains(t, got.body, `{"success":false,"code":"`+code+`","message":"`)
		}
		put(`{"status":"active","limits":{"webhooks":2,"eventsPerMinute":60}}`)
		w.create(t) // beside the one that the tenant is seeded with
		refused("LIMIT_EXCEEDED")
		put(`{"status":"inactive","limits":{"webhooks":9,"eventsPerMinute":60}}`)
		refused("SUBSCRIPTION_INACTIVE")
		put(`{"status":"active","limits":{"webhooks":9,"eventsPerMinute":60}}`)
		got := w.send(t, http.MethodPost, "/api/webhooks", `{"url":"https://b.dev/x","events":["message.sent"]}`, nil)
		require.Equal(t, http.StatusCreated, got.status, "what was refused left nothing behind, and nothing stays refused")
	})
}

// broken is a ledger whose list of webhooks fails as no one foresaw.
type broken struct{ *models.Store }

func (broken) Webhooks(context.Context, models.WebhookFilter) (models.Page[models.Webhook], error) {
	return models.Page[models.Webhook]{}, errors.New("index corrupted on db-7.internal")
}

func (broken) Webhook(context.Context, string, string) (models.Webhook, error) {
	var nothing *models.Webhook
	return *nothing, nil //nolint:govet // the panic is the point
}

func TestAWA10_TooManyCallsAndUnexpectedFaults(t *testing.T) {
	t.Parallel()
	onActiWAPI(t, func(t *testing.T, w *world) {
		setTenant(models.TenantActive, models.Limits{EventsPerMinute: 1})(t, w)
		event := `{"type":"message.received","data":{"from":"+15550100","text":"Hi"}}`
		require.Equal(t, http.StatusAccepted, w.send(t, http.MethodPost, "/api/events", event, nil).status)
		got := w.send(t, http.MethodPost, "/api/events", event, nil)
		require.Equal(t, http.StatusTooManyRequests, got.status)
		require.Contains(t, got.body, `{"success":false,"code":"RATE_LIMITED","message":"`)
		require.Equal(t, "60", got.header.Get("Retry-After"))

		w.deps.Store = broken{w.store}
		w.build(t)
		for _, url := range []string{"/api/webhooks", "/api/webhooks/" + w.ids["webhook"]} {
			got := w.send(t, http.MethodGet, url, "", nil)
			require.Equal(t, http.StatusInternalServerError, got.status)
			require.Contains(t, got.body, `{"success":false,"code":"INTERNAL_ERROR","message":"`+internalMessage+`","requestId":"`)
			require.NotContains(t, got.body, "db-7.internal")
			require.NotContains(t, got.body, "nil pointer")
		}
		require.Contains(t, w.logs.String(), "db-7.internal", "the cause is in the log")
	})
}
