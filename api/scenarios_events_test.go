package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/workflows"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

const orderPaid = `{"type":"order.paid","data":{"orderId":"1042"}}`

// onlyEvent is the one event that Temporal was given.
func onlyEvent(t *testing.T, w *world) webhook.Event {
	t.Helper()
	require.Len(t, w.starter.events, 1)
	return w.starter.events[0]
}

func eventScenarios() []scenario {
	keyed := map[string]string{"Idempotency-Key": "order-1042"}
	return []scenario{
		{
			name: "enqueue an event", method: "POST", url: "/api/events", body: orderPaid, status: 202,
			want: []string{`"status":"accepted","duplicate":false`},
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				e := onlyEvent(t, w)
				require.Equal(t, e.ID, got.data(t)["id"])
				require.Equal(t, "/api/events/"+e.ID, got.header.Get("Location"))
				require.Equal(t, uuid.Version(7), uuid.MustParse(e.ID).Version())
				require.Equal(t, webhook.Event{
					ID: e.ID, Tenant: w.tenant, Provider: "standard", Type: "order.paid", Source: webhook.SourceSystem,
					Data: webhook.JSON(`{"orderId":"1042"}`), OccurredAt: testNow, AcceptedAt: testNow,
				}, e)
			},
		},
		{
			name: "enqueue with everything", method: "POST", url: "/api/events", status: 202,
			body: `{"type":"order.paid","provider":"standard","source":"api","data":{"b":1,"2":"<&\u2028>","a":1.50},
				"occurredAt":"2026-05-30T12:00:00.123456+02:00",
				"attributes":{"campaignId":"9","listIds":["1","2"],"schemaId":"3","bulk":true,"campaignTrigger":"manual","initiatedBy":"me"}}`,
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				e := onlyEvent(t, w)
				require.Equal(t, webhook.JSON("{\"2\":\"<&\u2028>\",\"b\":1,\"a\":1.5}"), e.Data, "as JSON.stringify prints it")
				require.Equal(t, time.Date(2026, 5, 30, 10, 0, 0, 123e6, time.UTC), e.OccurredAt)
				require.Equal(t, webhook.SourceAPI, e.Source)
				require.Equal(t, webhook.Attributes{CampaignID: "9", ListIDs: []string{"1", "2"}, SchemaID: "3", Bulk: true, CampaignTrigger: "manual", InitiatedBy: "me"}, e.Attributes)
			},
		},
		{
			name: "enqueue custom data", method: "POST", url: "/api/events", status: 202, arrange: goneForGood,
			body: `{"type":"order.paid","provider":"strict","data":{},"customData":{ "k": "v" }}`,
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Equal(t, webhook.JSON(`{"k":"v"}`), onlyEvent(t, w).CustomData)
			},
		},
		{name: "enqueue data of 64 levels", method: "POST", url: "/api/events", body: `{"type":"a","data":` + nested(64) + `}`, status: 202},
		{name: "enqueue the largest event", method: "POST", url: "/api/events", body: eventOfSize(DefaultMaxEventBytes), status: 202},
		{
			name: "a key makes an id that can be made again", method: "POST", url: "/api/events", body: orderPaid, headers: keyed, status: 202,
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				first := onlyEvent(t, w)
				require.Len(t, first.BodyHash, 64)
				again := w.send(t, "POST", "/api/events", "{ \"data\": {\"orderId\" : \"1042\"},\n \"provider\":\"standard\", \"type\":\"order.paid\" }", keyed)
				require.Equal(t, 202, again.status)
				require.Equal(t, first.ID, again.data(t)["id"], "spacing, order and spelled-out defaults make no difference")
				require.Equal(t, first.BodyHash, w.starter.events[1].BodyHash)
				other := w.send(t, "POST", "/api/events", `{"type":"order.paid","data":{"orderId":"1043"}}`, keyed)
				require.Equal(t, first.ID, other.data(t)["id"])
				require.NotEqual(t, first.BodyHash, w.starter.events[2].BodyHash, "what tells them apart")
				require.NotEqual(t, got.data(t)["id"], w.send(t, "POST", "/api/events", orderPaid, map[string]string{"Idempotency-Key": "order-1043"}).data(t)["id"])
			},
		},
		{
			name: "a key that Temporal knows", method: "POST", url: "/api/events", body: orderPaid, headers: keyed, status: 200,
			arrange: func(_ *testing.T, w *world) {
				w.starter.deliver = func(webhook.Event) (workflows.Accepted, error) { return workflows.Accepted{Duplicate: true}, nil }
			},
			want: []string{`"duplicate":true`},
		},
		{
			name: "a key that the ledger knows", method: "POST", url: "/api/events", body: orderPaid, headers: keyed, status: 200,
			arrange: knownKey(orderPaid), want: []string{`"id":"{keyed}"`, `"duplicate":true`},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Empty(t, w.starter.accepted(), "Temporal is not asked")
			},
		},
		{
			name: "a key that the ledger knows from another event", method: "POST", url: "/api/events", headers: keyed, status: 409,
			body: `{"type":"order.paid","data":{"orderId":"7"}}`, arrange: knownKey(orderPaid), want: []string{`"code":"CONFLICT"`},
		},
		{
			name: "a key that Temporal knows from another event", method: "POST", url: "/api/events", body: orderPaid, headers: keyed, status: 409,
			arrange: refuseStarts(workflows.KeyReused()),
		},
		{
			name: "Temporal is down", method: "POST", url: "/api/events", body: orderPaid, status: 503,
			arrange: refuseStarts(&errs.Error{Code: errs.Unavailable, Message: "The event could not be accepted", RetryAfter: 7 * time.Second, Cause: errors.New("dial tcp 10.1.2.3")}),
			want:    []string{`"code":"UNAVAILABLE"`}, header: map[string]string{"Retry-After": "7"}, mustNot: []string{"10.1.2.3"},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Contains(t, w.logs.String(), "10.1.2.3", "the cause is in the log")
			},
		},
		{
			name: "a fault of ours", method: "POST", url: "/api/events", body: orderPaid, status: 500,
			arrange: refuseStarts(errors.New("nil map")), want: []string{`"code":"INTERNAL_ERROR"`}, mustNot: []string{"nil map"},
		},
	}
}

// nested is an object of that many levels.
func nested(levels int) string {
	return strings.Repeat(`{"a":`, levels-1) + `{}` + strings.Repeat(`}`, levels-1)
}

// eventOfSize is a good event of exactly that many bytes.
func eventOfSize(size int) string {
	frame := `{"type":"a","data":{"x":""}}`
	return strings.Replace(frame, `""`, `"`+strings.Repeat("x", size-len(frame))+`"`, 1)
}

func refuseStarts(err error) func(*testing.T, *world) {
	return func(_ *testing.T, w *world) { w.starter.refuse = err }
}

// knownKey enqueues the body under the key of the scenario and puts the event
// into the ledger, as its workflow would.
func knownKey(body string) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		got := w.send(t, "POST", "/api/events", body, map[string]string{"Idempotency-Key": "order-1042"})
		require.Equal(t, 202, got.status)
		e := w.starter.events[0]
		_, err := w.store.Resolve(t.Context(), models.ResolveInput{
			Events: []models.Event{{
				Tenant: e.Tenant, ID: e.ID, Provider: e.Provider, Type: e.Type, Source: string(e.Source), Data: e.Data,
				OccurredAt: e.OccurredAt, AcceptedAt: e.AcceptedAt, BodyHash: e.BodyHash, WorkflowID: "event/x", RunID: "run",
			}},
			Match: func(models.Event, []models.Webhook) []models.Match { return nil },
		})
		require.NoError(t, err)
		w.starter.events = nil
		w.ids["keyed"] = e.ID
		w.ids["fingerprint"] = w.fingerprint(t)
	}
}

func eventRefusals() []scenario {
	list := []scenario{
		{name: "enqueue more than fits", method: "POST", url: "/api/events", body: eventOfSize(DefaultMaxEventBytes + 1), status: 413, want: []string{`"code":"PAYLOAD_TOO_LARGE"`, "262144"}},
		{name: "enqueue nothing", method: "POST", url: "/api/events", status: 400, want: []string{"JSON object"}},
		{name: "enqueue without saying what it is", method: "POST", url: "/api/events", body: orderPaid, headers: map[string]string{"Content-Type": "-"}, status: 415},
		{name: "enqueue with a key of spaces", method: "POST", url: "/api/events", body: orderPaid, headers: map[string]string{"Idempotency-Key": "a b"}, status: 400, want: []string{`"errors":{"Idempotency-Key":`}},
		{name: "enqueue with an empty key", method: "POST", url: "/api/events", body: orderPaid, headers: map[string]string{"Idempotency-Key": ""}, status: 400, want: []string{`"errors":{"Idempotency-Key":`}},
		{name: "enqueue with a key of too many", method: "POST", url: "/api/events", body: orderPaid, headers: map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}, status: 400},
	}
	for _, bad := range []struct{ name, body, want string }{
		{"no type", `{"data":{}}`, `"type":"is required"`},
		{"no data", `{"type":"a"}`, `"data":"is required"`},
		{"data of null", `{"type":"a","data":null}`, `"data":"is required"`},
		{"data that is no object", `{"type":"a","data":[1]}`, `"errors":{"data":`},
		{"an unknown type", `{"type":"message.lost","provider":"actiwapi","data":{}}`, `"errors":{"type":`},
		{"a type with a space", `{"type":"a b","data":{}}`, `"errors":{"type":`},
		{"a type of a number", `{"type":5,"data":{}}`, `"type":"must be a string"`},
		{"an unknown provider", `{"type":"a","provider":"nobody","data":{}}`, `"errors":{"provider":"must be one of standard, `},
		{"an unknown source", `{"type":"a","source":"moon","data":{}}`, `"errors":{"source":`},
		{"an unknown field", `{"type":"a","data":{},"tenant":"other"}`, `"tenant":"is not a known field"`},
		{"an unknown attribute", `{"type":"a","data":{},"attributes":{"list":"1"}}`, `"attributes.list":"is not a known field"`},
		{"an attribute of the wrong type", `{"type":"a","data":{},"attributes":{"bulk":"yes"}}`, `"attributes.bulk":"must be true or false"`},
		{"a list id of the wrong type", `{"type":"a","data":{},"attributes":{"listIds":["1",2]}}`, `"attributes.listIds[1]":"must be a string"`},
		{"a time without a zone", `{"type":"a","data":{},"occurredAt":"2026-05-30T10:00:00"}`, `"errors":{"occurredAt":`},
		{"a time before all times", `{"type":"a","data":{},"occurredAt":"0001-01-01T00:00:00Z"}`, `"errors":{"occurredAt":`},
		{"a number that JavaScript cannot hold", `{"type":"a","data":{"items":[{"id":9007199254740993}]}}`, `"data.items[0].id":`},
		{"data that nests too deep", `{"type":"a","data":` + nested(65) + `}`, `"data`},
		{"data that nests far too deep", `{"type":"a","data":` + strings.Repeat(`[`, 100_000) + `}`, `"data":"nests deeper than 64 levels"`},
		{"custom data where there is none", `{"type":"a","data":{},"customData":{"a":"b"}}`, `"errors":{"customData":`},
		{"custom data that is no object", `{"type":"a","data":{},"customData":"x"}`, `"errors":{"customData":`},
		{"something after its end", `{"type":"a","data":{}}x`, "not valid JSON"},
		{"invalid UTF-8", "{\"type\":\"a\",\"data\":{\"x\":\"\xc3\"}}", "not valid UTF-8"},
		{"a list of events", `[` + orderPaid + `]`, "must be a JSON object"},
		{"a field twice", `{"type":"a","type":"b","data":{}}`, `"type":"is given twice"`},
		{"several faults at once", `{"type":1,"data":2,"extra":3}`, `"errors":{"data":`},
	} {
		list = append(list, scenario{
			name: "enqueue with " + bad.name, method: "POST", url: "/api/events", status: 400,
			body: bad.body, want: []string{`"code":"VALIDATION_ERROR"`, bad.want},
		})
	}
	return list
}

func batchScenarios() []scenario {
	url := "/api/events/batch"
	return []scenario{
		{
			name: "a bad event is refused alone, in its place", method: "POST", url: url, status: 202,
			body: `{"events":[` + orderPaid + `,{"type":"x y","data":{}},7,` + eventOfSize(DefaultMaxEventBytes+1) + `,` + orderPaid + `]}`,
			want: []string{`"status":"refused","code":"VALIDATION_ERROR","message":"Validation failed","errors":{"type":`, `"code":"PAYLOAD_TOO_LARGE"`},
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				require.Len(t, w.starter.events, 2)
				results, _ := got.list(t)
				var statuses []string
				for _, result := range results {
					statuses = append(statuses, fmt.Sprint(result["status"]))
				}
				require.Equal(t, []string{"accepted", "refused", "refused", "refused", "accepted"}, statuses)
			},
		},
		{
			name: "what is no event is refused alone", method: "POST", url: url, status: 202,
			body: `{"events":[null,` + orderPaid + `,1,[],"x",{},` + deepEvent(maxDepth+1) + `,` + deepEvent(5000) + `,` + deepEvent(maxDepth) + `]}`,
			want: []string{`"message":"An event must be a JSON object"`, `"errors":{"data":"nests deeper than 64 levels"}`},
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				require.Len(t, w.starter.events, 2)
				results, _ := got.list(t)
				for i, result := range results {
					require.Equal(t, i == 1 || i == 8, result["status"] == "accepted", "%d: %v", i, result)
				}
			},
		},
		{
			name: "a key of a batch is a key for each event", method: "POST", url: url, status: 202,
			body: `{"events":[` + orderPaid + `,` + orderPaid + `]}`, headers: map[string]string{"Idempotency-Key": "batch-1"},
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				first, _ := got.list(t)
				again, _ := w.send(t, "POST", url, `{"events":[`+orderPaid+`,`+orderPaid+`]}`, map[string]string{"Idempotency-Key": "batch-1"}).list(t)
				require.Equal(t, first[0]["id"], again[0]["id"])
				require.Equal(t, first[1]["id"], again[1]["id"])
				require.NotEqual(t, first[0]["id"], first[1]["id"])
			},
		},
		{
			name: "a batch of which a part cannot be taken", method: "POST", url: url, status: 202,
			body: `{"events":[` + orderPaid + `,{"type":"user.created","data":{}}]}`,
			arrange: func(_ *testing.T, w *world) {
				w.starter.deliver = func(e webhook.Event) (workflows.Accepted, error) {
					if e.Type == "user.created" {
						return workflows.Accepted{}, errs.New(errs.Unavailable, "busy")
					}
					return workflows.Accepted{}, nil
				}
			},
			want: []string{`"status":"accepted"`, `"status":"refused","code":"UNAVAILABLE","message":"busy"`},
		},
		{
			name: "a batch of which nothing can be taken", method: "POST", url: url, status: 503, body: `{"events":[` + orderPaid + `]}`,
			arrange: refuseStarts(errs.New(errs.Unavailable, "busy")), header: map[string]string{"Retry-After": "2"},
		},
		{
			name: "a batch hides faults of ours", method: "POST", url: url, status: 202, body: `{"events":[` + orderPaid + `]}`,
			arrange: refuseStarts(errors.New("nil map")), want: []string{`"code":"INTERNAL_ERROR"`}, mustNot: []string{"nil map"},
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Contains(t, w.logs.String(), "nil map")
			},
		},
		{name: "a batch of nothing", method: "POST", url: url, status: 400, body: `{"events":[]}`, want: []string{`"errors":{"events":`}},
		{name: "a batch without events", method: "POST", url: url, status: 400, body: `{}`, want: []string{`"events":"is required"`}},
		{name: "a batch that is no list", method: "POST", url: url, status: 400, body: `{"events":{}}`, want: []string{`"events":"must be a list"`}},
		{name: "a batch of too many", method: "POST", url: url, status: 400, body: `{"events":[` + strings.Repeat(`{},`, 1000) + `{}]}`, want: []string{`"errors":{"events":`}},
		{name: "a batch of nulls", method: "POST", url: url, status: 202, body: `{"events":[null]}`, want: []string{`"status":"refused"`}},
		{name: "a batch that nobody reads", method: "POST", url: url, status: 400, body: `{"events":[` + deepEvent(maxBatchDepth) + `]}`, want: []string{`"errors":{"events":`}},
		{name: "a batch that is too large", method: "POST", url: url, status: 413, body: `{"events":["` + strings.Repeat("x", maxBatchBytes) + `"]}`},
	}
}

// deepEvent is an event whose data nests so deep.
func deepEvent(levels int) string {
	return `{"type":"order.paid","data":` + strings.Repeat(`{"a":`, levels-1) + `{}` + strings.Repeat(`}`, levels-1) + `}`
}

func readingScenarios() []scenario {
	return []scenario{
		{
			name: "list events", url: "/api/events", status: 200, mustNot: []string{"{other.event}", `"data":{`},
			want: []string{`"id":"{event}"`, `"occurredAt":"2026-05-30T10:00:01.000Z"`, `"nextCursor":null`},
		},
		{name: "list events of a type", url: "/api/events?type=user.created", status: 200, want: []string{`"data":[]`}},
		{name: "list events of a time", url: "/api/events?since=2026-05-30T10:00:02Z&until=2026-05-30T10:00:03Z&provider=standard", status: 200, mustNot: []string{"{event}"}, want: []string{`"acceptedAt":"2026-05-30T10:00:02.000Z"`}},
		{name: "list events by pages", url: "/api/events?limit=1", status: 200, after: followPages("/api/events?limit=1", 2)},
		{name: "list events since the year 0", url: "/api/events?since=0001-01-01T00:00:00%2B14:00", status: 400, want: []string{`"errors":{"since":`}},
		{name: "list events since no time", url: "/api/events?since=yesterday", status: 400, want: []string{`"errors":{"since":`}},
		{name: "list events of a span that ends before it begins", url: "/api/events?since=2026-05-30T10:00:03Z&until=2026-05-30T10:00:02Z", status: 400, want: []string{`"errors":{"until":"must not be before since"`}},
		{name: "list events from a bad cursor", url: "/api/events?cursor=AAAA", status: 400, want: []string{`"errors":{"cursor":`}},
		{
			name: "one event with its deliveries", url: "/api/events/{event}", status: 200, mustNot: []string{"127.0.0.1:8233"},
			want: []string{
				`"data":{"html":"<b>&</b>","line":"` + "\u2028" + `","n":1}`, `"customData":null`, `"attributes":{"listIds":["7"]}`,
				`"workflowId":"event/{tenant}/{event}","temporalUrl":null`,
				`"deliveries":[{"id":"{delivery}"`, `"state":"delivered"`, `"host":"hooks.acme.dev"`, `"pagination":{"limit":100,"nextCursor":null}`,
			},
		},
		{
			name: "one event for an operator", url: "/api/events/{event}", headers: map[string]string{"Authorization": "Bearer {operator}"}, status: 200,
			want: []string{`"temporalUrl":"http://127.0.0.1:8233/namespaces/default/workflows/event%2F{tenant}%2F{event}"`},
		},
		{
			name: "one event by key", url: "/api/events/{event}", headers: map[string]string{"Authorization": "-", "X-API-Key": "{key.text}"}, status: 200,
			want: []string{`"temporalUrl":null`}, mustNot: []string{"127.0.0.1:8233"},
		},
		{name: "deliveries of an event by pages", url: "/api/events/{event}?limit=1", status: 200, after: func(t *testing.T, _ *world, got answer) {
			t.Helper()
			require.Len(t, got.data(t)["deliveries"], 1)
		}},
		{name: "deliveries of an event from a bad cursor", url: "/api/events/{event}?cursor=x", status: 400, want: []string{`"errors":{"cursor":`}},
		{name: "deliveries of an event, too many", url: "/api/events/{event}?limit=1000", status: 400, want: []string{`"errors":{"limit":`}},
		{name: "no such event", url: "/api/events/{missing}", status: 404},
		{name: "an event id that is none", url: "/api/events/evt_1", status: 404},
	}
}

func historyScenarios() []scenario {
	history := "/api/webhooks/{webhook}/history"
	return []scenario{
		{
			name: "history", url: history, status: 200, mustNot: []string{seededSecret, seededCredential},
			want: []string{
				`"id":"{attempt}","event":"order.paid","eventId":"{event}","deliveryId":"{delivery}","attempt":1,"statusCode":200,"success":true,"reason":null,"deliveredAt":"2026-05-30T10:00:00.001Z","durationMs":12,"responseBody":"fine ` + "\uFFFD" + `","responseTruncated":false,"test":false`,
				`"statusCode":503,"success":false,"reason":"server_error"`,
			},
		},
		{name: "history of failures", url: history + "?success=false", status: 200, mustNot: []string{"{attempt}"}, want: []string{`"statusCode":503`}},
		{name: "history of successes of an event type", url: history + "?success=true&event=order.paid", status: 200, mustNot: []string{`"statusCode":503`}, want: []string{"{attempt}"}},
		{name: "history of another event type", url: history + "?event=user.created", status: 200, want: []string{`"data":[]`}},
		{name: "history of another time", url: history + "?since=2026-05-31T00:00:00Z", status: 200, want: []string{`"data":[]`}},
		{name: "history since before the ids begin", url: history + "?since=1960-05-30T10:00:00Z", status: 200, want: []string{"{attempt}", `"statusCode":503`}},
		{name: "history since the epoch", url: history + "?since=1970-01-01T00:00:00Z&until=9999-12-31T23:59:59Z", status: 200, want: []string{"{attempt}", `"statusCode":503`}},
		{name: "history until before the ids begin", url: history + "?until=1960-05-30T10:00:00Z", status: 200, want: []string{`"data":[]`}},
		{name: "history since the last year", url: history + "?since=9999-01-01T00:00:00Z", status: 200, want: []string{`"data":[]`}},
		{name: "history since the year 0", url: history + "?since=0000-01-01T00:00:00Z", status: 400, want: []string{`"errors":{"since":"must be an RFC 3339 time`}},
		{name: "history until the year 10000", url: history + "?until=9999-12-31T23:59:59-14:00", status: 400, want: []string{`"errors":{"until":"must be an RFC 3339 time`}},
		{name: "history by pages", url: history + "?limit=1", status: 200, after: followPages(history+"?limit=1", 2)},
		{name: "history from a bad cursor", url: history + "?cursor=eyJ", status: 400, want: []string{`"errors":{"cursor":`}},
		{name: "history of neither", url: history + "?success=maybe", status: 400, want: []string{`"errors":{"success":`}},
		{name: "history of a span that ends before it begins", url: history + "?since=2026-05-30T10:00:03Z&until=2026-05-30T10:00:02Z", status: 400, want: []string{`"errors":{"until":`}},
		{name: "history until no time", url: history + "?until=1", status: 400, want: []string{`"errors":{"until":`}},
		{name: "history of nobody's", url: "/api/webhooks/{missing}/history", status: 404},
		{
			name: "an attempt without an answer", url: history, status: 200, want: []string{`"statusCode":null,"success":false,"reason":"timeout"`, `"responseBody":""`},
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				delivery := w.addEvent(t, w.tenant, 3)
				attempt := &models.Attempt{ID: models.NewID(testNow), StartedAt: testNow, Reason: "timeout"}
				require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: delivery, Step: models.StepFailFinal, Reason: "timeout", Attempt: attempt}))
			},
		},
	}
}

func sampleScenarios() []scenario {
	url := "/api/webhooks/{webhook}/test"
	types := func(want ...string) func(*testing.T, *world, answer) {
		return func(t *testing.T, w *world, got answer) {
			t.Helper()
			var sent []string
			shown, ok := got.data(t)["deliveries"].([]any)
			require.True(t, ok)
			for i, e := range w.starter.tests {
				sent = append(sent, e.Type)
				require.True(t, e.Test)
				require.Equal(t, w.ids["webhook"], e.WebhookID)
				require.Equal(t, w.tenant, e.Tenant)
				require.NotEmpty(t, e.Data)
				require.Equal(t, map[string]any{
					"id": models.DeliveryID(e.AcceptedAt, e.ID, e.WebhookID), "eventId": e.ID, "event": e.Type,
				}, shown[i])
			}
			require.Equal(t, want, sent)
		}
	}
	return []scenario{
		{name: "test with every subscribed event", method: "POST", url: url, status: 202, after: types("order.paid", "order.refunded")},
		{name: "test with one event", method: "POST", url: url, body: `{"event":"order.refunded"}`, status: 202, after: types("order.refunded")},
		{name: "test of a catalogue", method: "POST", url: url, status: 202, arrange: actiwapiWebhook, after: types("message.sent", "message.received")},
		{
			name: "test of a webhook that wants everything of a catalogue", method: "POST", url: url, status: 202,
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				w.ids["webhook"] = w.addWebhook(t, w.tenant, models.Webhook{Provider: "actiwapi", Events: []string{"*"}}).ID
			},
			after: types("message.received", "message.sent", "session.connected", "session.disconnected", "campaign.completed"),
		},
		{
			name: "test of a webhook that wants everything", method: "POST", url: url, status: 202,
			arrange: func(t *testing.T, w *world) {
				t.Helper()
				w.ids["webhook"] = w.addWebhook(t, w.tenant, models.Webhook{Events: []string{"*"}}).ID
			},
			after: types("test.ping"),
		},
		{
			name: "samples of a webhook with sources and a list", method: "POST", url: url, status: 202, after: samplesPass(10, webhook.SourceAPI),
			arrange: webhookOf(models.Webhook{Provider: "activecampaign", Sources: []string{"api"}, Filters: models.Filters{ListID: "99"}}),
		},
		{
			name: "samples of a webhook whose sources hold theirs", method: "POST", url: url, status: 202, after: samplesPass(10, "public", "admin", "api", "system"),
			arrange: webhookOf(models.Webhook{Provider: "activecampaign", Sources: []string{"api", "system", "admin", "public"}, Filters: models.Filters{ListID: "5"}}),
		},
		{
			name: "samples of a webhook with a schema", method: "POST", url: url, status: 202, after: samplesPass(3),
			arrange: webhookOf(models.Webhook{Provider: "activecampaign", Sources: []string{"admin", "api"}, Filters: models.Filters{SchemaID: "other"}}),
		},
		{
			name: "samples of a webhook with a campaign", method: "POST", url: url, status: 202, after: samplesPass(18, webhook.SourceSystem),
			arrange: webhookOf(models.Webhook{Provider: "aktify", Filters: models.Filters{CampaignID: "other"}}),
		},
		{name: "test reaches a paused webhook", method: "POST", url: url, status: 202, arrange: setSeededStatus(models.StatusPaused, ""), after: types("order.paid", "order.refunded")},
		{name: "test of what is gone", method: "POST", url: url, status: 409, arrange: setSeededStatus(models.StatusGone, "answered 410"), want: []string{"gone (answered 410)"}},
		{name: "test with an event it does not want", method: "POST", url: url, body: `{"event":"user.created"}`, status: 400, want: []string{`"errors":{"event":`}},
		{name: "test with an unknown field", method: "POST", url: url, body: `{"events":["a"]}`, status: 400, want: []string{`"events":"is not a known field"`}},
		{name: "test of nobody's", method: "POST", url: "/api/webhooks/{missing}/test", status: 404},
		{name: "test while Temporal is down", method: "POST", url: url, status: 503, arrange: refuseStarts(errs.New(errs.Unavailable, "down"))},
	}
}

// webhookOf makes {webhook} one that wants every event of its provider.
func webhookOf(hook models.Webhook) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		hook := hook
		hook.Events = []string{"*"}
		w.ids["webhook"] = w.addWebhook(t, w.tenant, hook).ID
	}
}

// samplesPass proves that the samples, were they no tests, would be delivered to
// the webhook, and counts those that its filters are about. Given sources are all
// that the samples have.
func samplesPass(filtered int, sources ...webhook.Source) func(*testing.T, *world, answer) {
	return func(t *testing.T, w *world, _ answer) {
		t.Helper()
		stored, err := w.store.Webhook(t.Context(), w.tenant, w.ids["webhook"])
		require.NoError(t, err)
		target, err := subscriptionOf(&stored)
		require.NoError(t, err)
		profile, err := w.deps.Providers.Profile(target.Provider)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(w.starter.tests), filtered)
		seen, passed := []webhook.Source{}, 0
		for _, sample := range w.starter.tests {
			sample.Test = false
			require.Equal(t, provider.Decision{Verdict: provider.Deliver}, profile.Match(sample, target), "%s %+v", sample.Type, sample)
			if !slices.Contains(seen, sample.Source) {
				seen = append(seen, sample.Source)
			}
			without := sample
			without.Attributes = webhook.Attributes{}
			if profile.Match(without, target).Verdict == provider.Ignore {
				passed++
			}
		}
		require.Equal(t, filtered, passed)
		if len(sources) > 0 {
			require.ElementsMatch(t, sources, seen)
		}
	}
}

// addLongAttempts makes more attempts of the waiting delivery, that were answered
// with a long page each.
func addLongAttempts(count int) func(*testing.T, *world) {
	return func(t *testing.T, w *world) {
		t.Helper()
		for i := range count {
			delivery, _, err := w.store.Delivery(t.Context(), w.tenant, w.ids["waiting"])
			require.NoError(t, err)
			at, status := testNow.Add(time.Duration(i+1)*time.Second), http.StatusBadGateway
			require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: delivery, Step: models.StepFailRetry, Attempt: &models.Attempt{
				ID: models.NewID(at), StatusCode: &status, StartedAt: at, RequestURL: "https://hooks.acme.dev/in",
				ResponseBody: []byte("<html>" + strings.Repeat("x", 200<<10)),
			}}))
		}
		w.ids["fingerprint"] = w.fingerprint(t)
	}
}

// omitted tells of which attempts headers and bodies are left out.
func omitted(t *testing.T, got answer) (list []bool) {
	t.Helper()
	for _, one := range got.data(t)["attempts"].([]any) {
		attempt := one.(map[string]any)
		list = append(list, attempt["omitted"].(bool))
		body := attempt["response"].(map[string]any)["body"]
		require.Equal(t, attempt["omitted"], body == "")
	}
	return list
}

func deliveryScenarios() []scenario {
	retry := func(s scenario) scenario {
		s.method = http.MethodPost
		if s.url == "" {
			s.url = "/api/deliveries/{delivery}/retry"
		}
		return s
	}
	sending := func(t *testing.T, w *world) {
		t.Helper()
		delivery := w.addEvent(t, w.tenant, 3)
		err := w.store.Claim(t.Context(), delivery, 0)
		require.NoError(t, err)
		w.ids["delivery"] = delivery.ID
		w.ids["fingerprint"] = w.fingerprint(t)
	}
	lost := func(held time.Duration) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			delivery := w.addEvent(t, w.tenant, 3)
			require.NoError(t, w.store.Claim(t.Context(), delivery, held))
			w.ids["delivery"], w.starter.dead = delivery.ID, true
			w.ids["fingerprint"] = w.fingerprint(t)
		}
	}
	stands := func(t *testing.T, w *world, state models.State, reason string) {
		t.Helper()
		found, _, err := w.store.Delivery(t.Context(), w.tenant, w.ids["delivery"])
		require.NoError(t, err)
		require.Equal(t, []any{state, reason}, []any{found.State, found.Reason})
	}
	return []scenario{
		{
			name: "one delivery with its attempts", url: "/api/deliveries/{delivery}", status: 200, mustNot: []string{seededSecret, seededCredential},
			want: []string{
				`"state":"delivered","attemptCount":1,"nextAttemptAt":null,"statusCode":200,"reason":null`, `"webhookName":"CRM"`,
				`"request":{"url":"https://hooks.acme.dev/in","headers":[{"name":"Content-Type","value":"application/json"},{"name":"webhook-id","value":"{event}"},{"name":"X-Api-Key","value":"[hidden]"}],"body":"{\"type\":\"order.paid\"}"}`,
				`"response":{"headers":[{"name":"Server","value":"teapot"}],"body":"fine ` + "\uFFFD" + `","truncated":false}`,
			},
		},
		{name: "a delivery that waits", url: "/api/deliveries/{waiting}", status: 200, want: []string{`"state":"retrying"`, `"nextAttemptAt":"2026-05-30T11:00:00.000Z"`, `"settledAt":null`, `"detail":"the receiver answered 503"`}},
		{name: "no such delivery", url: "/api/deliveries/{missing}", status: 404},
		{
			name: "a delivery with more than there is room for", url: "/api/deliveries/{waiting}", status: 200, arrange: addLongAttempts(4),
			want: []string{`"attempt":1,`, `"attempt":5,`}, after: func(t *testing.T, _ *world, got answer) {
				t.Helper()
				require.Equal(t, []bool{true, true, true, false, false}, omitted(t, got))
				require.Less(t, len(got.body), 1<<20+16<<10)
			},
		},
		{
			name: "an attempt that there was no room for", url: "/api/deliveries/{waiting}?attempt=3", status: 200, arrange: addLongAttempts(4),
			want: []string{`"attemptCount":5`, `"attempt":3,`, `"body":"<html>`}, mustNot: []string{`"attempt":2,`, `"attempt":5,`}, after: func(t *testing.T, _ *world, got answer) {
				t.Helper()
				require.Equal(t, []bool{false}, omitted(t, got))
			},
		},
		{name: "an attempt that was not made", url: "/api/deliveries/{delivery}?attempt=2", status: 404, want: []string{"no such attempt"}},
		{name: "an attempt of a neighbour", url: "/api/deliveries/{other.delivery}?attempt=1", status: 404},
		{name: "an attempt that has no number", url: "/api/deliveries/{delivery}?attempt=0", status: 400, want: []string{`"errors":{"attempt":"must be a whole number from 1 on"}`}},
		retry(scenario{name: "send a settled delivery again", status: 202, want: []string{`"status":"accepted"`}, after: func(t *testing.T, w *world, _ answer) {
			t.Helper()
			require.Equal(t, []string{w.ids["delivery"]}, w.starter.resends)
			require.Empty(t, w.starter.retries)
		}}),
		retry(scenario{name: "retry a waiting delivery now", url: "/api/deliveries/{waiting}/retry", status: 202, after: func(t *testing.T, w *world, _ answer) {
			t.Helper()
			require.Len(t, w.starter.retries, 1)
			require.Regexp(t, "^event/"+w.tenant+"/[0-9a-f-]{36} "+w.ids["waiting"]+"$", w.starter.retries[0])
			require.Empty(t, w.starter.resends)
		}}),
		retry(scenario{name: "retry what has just settled", url: "/api/deliveries/{waiting}/retry", status: 409, arrange: refuseStarts(errs.New(errs.Conflict, "no longer waiting"))}),
		retry(scenario{name: "retry what is being sent", status: 409, arrange: sending, want: []string{"being sent"}}),
		retry(scenario{name: "retry what its workflow has lost", status: 202, arrange: lost(0), after: func(t *testing.T, w *world, _ answer) {
			t.Helper()
			require.Equal(t, []string{w.ids["delivery"]}, w.starter.resends)
			stands(t, w, models.StateUnknown, "worker_lost")
		}}),
		retry(scenario{name: "retry what a worker still sends", status: 409, arrange: lost(time.Minute), want: []string{"being sent"}, after: func(t *testing.T, w *world, _ answer) {
			t.Helper()
			require.Empty(t, w.starter.resends)
			stands(t, w, models.StateSending, "")
		}}),
		retry(scenario{name: "retry what may be lost while Temporal is down", status: 503, arrange: func(t *testing.T, w *world) {
			t.Helper()
			lost(0)(t, w)
			refuseStarts(errs.New(errs.Unavailable, "down"))(t, w)
		}, after: func(t *testing.T, w *world, _ answer) {
			t.Helper()
			stands(t, w, models.StateSending, "")
		}}),
		retry(scenario{name: "retry to a paused webhook", status: 409, arrange: setSeededStatus(models.StatusPaused, ""), want: []string{"webhook is paused"}}),
		retry(scenario{name: "retry to a broken webhook", status: 409, arrange: setSeededStatus(models.StatusBroken, "5 attempts in a row failed"), want: []string{"broken (5 attempts in a row failed)"}}),
		retry(scenario{name: "retry with an unknown field", status: 400, body: `{"now":true}`}),
		retry(scenario{name: "retry nobody's", url: "/api/deliveries/{missing}/retry", status: 404}),
		retry(scenario{name: "retry while Temporal is down", status: 503, arrange: refuseStarts(errs.New(errs.Unavailable, "down"))}),
	}
}
