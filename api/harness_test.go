package api

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"posthaste/models"
	"posthaste/models/modelstest"
	"posthaste/webhook/provider"

	"github.com/stretchr/testify/require"
)

// forEachStore runs a suite over both databases.
func forEachStore(t *testing.T, run func(t *testing.T, store *models.Store)) {
	t.Helper()
	modelstest.Each(t, run)
}

// The secrets that every seeded tenant has, and that no answer may show.
const (
	seededSecret     = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	seededCredential = "seeded-credential-of-a-header"
)

// byTest is who changes webhooks past the API.
var byTest = models.Actor{Kind: models.ActorToken, Name: "seed", RequestID: "req-seed"}

// seed gives the tenant a webhook that received two events, one delivered and
// one waiting for its second attempt, and an API key, and a neighbour who has the
// same. Ids: {webhook} {event} {delivery} {attempt} {waiting} {key} {key.text}, and
// {other.webhook} … of the neighbour. {admin} is a token of an operator, {operator}
// one of an operator in the tenant itself.
func (w *world) seed(t *testing.T) {
	t.Helper()
	for _, who := range []string{"", "other."} {
		tenant := w.tenant
		if who != "" {
			tenant += "-neighbour"
		}
		hook := w.addWebhook(t, tenant, models.Webhook{})
		w.ids[who+"webhook"] = hook.ID
		delivered := w.addEvent(t, tenant, 1)
		waiting := w.addEvent(t, tenant, 2)
		w.ids[who+"event"], w.ids[who+"delivery"] = delivered.EventID, delivered.ID
		w.ids[who+"waiting"] = waiting.ID
		w.ids[who+"attempt"] = w.addAttempt(t, delivered, http.StatusOK)
		w.addAttempt(t, waiting, http.StatusServiceUnavailable)
		w.ids[who+"key"], w.ids[who+"key.text"] = w.addKey(t, tenant, nil)
	}
	admin, err := MintToken(TokenRules{Secret: testSecret}, Grant{Tenant: "operators", Admin: true, TTL: time.Hour}, testNow)
	require.NoError(t, err)
	w.ids["admin"] = admin
	operator, err := MintToken(TokenRules{Secret: testSecret}, Grant{Tenant: w.tenant, Admin: true, TTL: time.Hour}, testNow)
	require.NoError(t, err)
	w.ids["operator"] = operator
	w.ids["tenant"] = w.tenant
	w.ids["missing"] = "0197214e-8a1c-7cc2-9f0e-7a1b5d2c9e44"
	w.ids["fingerprint"] = w.fingerprint(t)
}

// addWebhook stores a webhook, with defaults for what is not given.
func (w *world) addWebhook(t *testing.T, tenant string, hook models.Webhook) models.Webhook {
	t.Helper()
	hook.Tenant = tenant
	if hook.Provider == "" {
		hook.Provider = "standard"
	}
	if hook.URL == "" {
		hook.URL = "https://hooks.acme.dev/in"
	}
	if hook.Events == nil {
		hook.Events = []string{"order.paid", "order.refunded"}
	}
	if hook.Name == "" {
		hook.Name = "CRM"
	}
	if hook.Secret == "" && hook.Provider == "standard" {
		hook.Secret = seededSecret
	}
	if hook.Headers == nil {
		hook.Headers = map[string]string{"X-Api-Key": seededCredential, "X-Team": "blue"}
	}
	require.NoError(t, w.store.CreateWebhook(t.Context(), byTest, &hook))
	return hook
}

// addEvent stores an event and its delivery to the tenant's {webhook}.
func (w *world) addEvent(t *testing.T, tenant string, number int) models.Delivery {
	t.Helper()
	accepted := testNow.Add(time.Duration(number) * time.Second)
	id := models.NewID(accepted)
	plans, err := w.store.Resolve(t.Context(), models.ResolveInput{
		Events: []models.Event{{
			Tenant: tenant, ID: id, Provider: "standard", Type: "order.paid", Source: "system",
			Data: []byte(`{"html":"<b>&</b>","line":"` + "\u2028" + `","n":` + strings.Repeat("1", number) + `}`), Attributes: json.RawMessage(`{"listIds":["7"]}`),
			OccurredAt: accepted, AcceptedAt: accepted, WorkflowID: "event/" + tenant + "/" + id, RunID: "run-" + id,
		}},
		Match: func(_ models.Event, hooks []models.Webhook) []models.Match {
			matches := []models.Match{}
			for _, hook := range hooks {
				matches = append(matches, models.Match{WebhookID: hook.ID, State: models.StatePending, TimeoutSeconds: 30})
			}
			return matches
		},
	})
	require.NoError(t, err)
	require.Len(t, plans[0].Deliveries, 1)
	return plans[0].Deliveries[0]
}

// addAttempt records an attempt that was answered with the status, and returns
// its id.
func (w *world) addAttempt(t *testing.T, delivery models.Delivery, status int) string {
	t.Helper()
	attempt := &models.Attempt{
		ID: models.NewID(testNow), StatusCode: &status, Success: status == http.StatusOK, StartedAt: testNow.Add(1500 * time.Microsecond), DurationMS: 12,
		RequestURL:      "https://hooks.acme.dev/in",
		RequestHeaders:  [][2]string{{"Content-Type", "application/json"}, {"webhook-id", delivery.EventID}, {"X-Api-Key", "[hidden]"}},
		RequestBody:     []byte(`{"type":"order.paid"}`),
		ResponseHeaders: [][2]string{{"Server", "teapot"}}, ResponseBody: []byte("fine \xff"),
	}
	record := models.Record{Delivery: delivery, Step: models.StepDeliver, Attempt: attempt}
	if status != http.StatusOK {
		next := testNow.Add(time.Hour)
		attempt.Reason, attempt.Detail = "server_error", "the receiver answered 503"
		record.Step, record.Reason, record.NextAttemptAt = models.StepFailRetry, "server_error", &next
	}
	require.NoError(t, w.store.Record(t.Context(), record))
	return attempt.ID
}

// addKey stores an API key and returns its id and the key.
func (w *world) addKey(t *testing.T, tenant string, expiresAt *time.Time) (id, text string) {
	t.Helper()
	text, err := newKey(rand.Reader)
	require.NoError(t, err)
	key := models.APIKey{Tenant: tenant, Name: "CI", Hash: keyHash(text), Shown: text[:keyShown], ExpiresAt: expiresAt}
	require.NoError(t, w.store.CreateAPIKey(t.Context(), &key))
	return key.ID, text
}

// setTenant sets the status and limits of the world's tenant.
func setTenant(status string, limits models.Limits) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		set := models.Tenant{ID: w.tenant, Status: status, Limits: limits}
		require.NoError(t, w.store.PutTenant(t.Context(), &set))
	}
}

// setSeededStatus puts the tenant's {webhook} into a status, as a worker would.
func setSeededStatus(status, reason string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		_, err := w.store.UpdateWebhook(t.Context(), byTest, w.tenant, w.ids["webhook"], func(hook *models.Webhook) error {
			hook.Status, hook.StatusReason, hook.FailedInARow, hook.FailingSince = status, reason, 9, new(testNow)
			return nil
		})
		require.NoError(t, err)
		w.ids["fingerprint"] = w.fingerprint(t)
	}
}

// strictProfile is a provider with the rules that none of the shipped ones has
// all at once: 410 is final, failures break a webhook until it is edited, and
// nothing is signed.
const strictProfile = `
name: strict
title: Strict
description: A provider of tests.
docs: https://example.com/docs
payload: {format: json, envelope: {event: $event.type, data: $event.data}}
signing: {scheme: none}
secret: {rule: none}
url: {schemes: [https]}
retry: {modes: [never], default: {mode: never}}
timeout: {defaultSeconds: 30, maxSeconds: 30}
gone: final
broken: {afterFailedAttempts: 5, healedBy: edit}
customData: {maxPairs: 2, maxKeyLength: 8, maxValueLength: 8, overLimit: refuse}
events:
  - type: order.paid
    category: Orders
    description: An order was paid
    sample: {data: {id: "1"}}
  - type: order.refunded
    category: Orders
    description: An order was refunded
    sample: {data: {id: "2"}}
`

// testProviders are the shipped providers and the strict one.
func testProviders(t *testing.T) *provider.Registry {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "strict.yaml"), []byte(strictProfile), 0o600))
	registry, err := provider.Load(dir)
	require.NoError(t, err)
	return registry
}
