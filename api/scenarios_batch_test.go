package api

import (
	"fmt"
	"strings"
	"testing"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/workflows"

	"github.com/stretchr/testify/require"
)

// keyedEvent is an event of a batch with a key of its own.
func keyedEvent(key, order string) string {
	return fmt.Sprintf(`{"type":"order.paid","data":{"orderId":"%s"},"idempotencyKey":"%s"}`, order, key)
}

func batchOf(events ...string) string { return `{"events":[` + strings.Join(events, ",") + `]}` }

// told is what an answer says of each event of a batch, in short.
func told(t *testing.T, got answer) []string {
	t.Helper()
	var short []string
	results, _ := got.list(t)
	for _, result := range results {
		switch {
		case result["status"] == "refused":
			short = append(short, fmt.Sprint(result["code"]))
		case result["duplicate"] == true:
			short = append(short, "duplicate")
		default:
			short = append(short, "new")
		}
	}
	return short
}

func becomes(want ...string) func(*testing.T, *world, answer) {
	return func(t *testing.T, _ *world, got answer) {
		t.Helper()
		require.Equal(t, want, told(t, got))
	}
}

// batchKeyScenarios: an event's own key stands for it in whatever request it comes.
func batchKeyScenarios() []scenario {
	url := "/api/events/batch"
	return []scenario{
		{
			name: "events with keys of their own", method: "POST", url: url, status: 202,
			body: batchOf(keyedEvent("order-1042", "1042"), keyedEvent("order-1043", "1043"), orderPaid),
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				require.Equal(t, []string{"new", "new", "new"}, told(t, got))
				first, _ := got.list(t)
				require.Empty(t, w.starter.events[2].BodyHash, "the others have none")
				alone := w.send(t, "POST", "/api/events", orderPaid, map[string]string{"Idempotency-Key": "order-1042"})
				require.Equal(t, first[0]["id"], alone.data(t)["id"], "the key stands for the same event alone")
				require.Equal(t, w.starter.events[0].BodyHash, w.starter.events[3].BodyHash)
				other, _ := w.send(t, "POST", url, batchOf(orderPaid, keyedEvent("order-1043", "1043")), nil).list(t)
				require.Equal(t, first[1]["id"], other[1]["id"], "and in another batch, in another place")
			},
		},
		{
			name: "events with keys of their own in a batch with a key", method: "POST", url: url, status: 202,
			body: batchOf(keyedEvent("order-1042", "1042"), orderPaid), headers: map[string]string{"Idempotency-Key": "batch-1"},
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				first, _ := got.list(t)
				again, _ := w.send(t, "POST", url, batchOf(keyedEvent("order-1042", "1042"), orderPaid), map[string]string{"Idempotency-Key": "batch-2"}).list(t)
				require.Equal(t, first[0]["id"], again[0]["id"], "its own key goes first")
				require.NotEqual(t, first[1]["id"], again[1]["id"], "the other's is the batch's and its place")
			},
		},
		{
			name: "a key of null is none", method: "POST", url: url, status: 202,
			body: batchOf(`{"type":"a","data":{},"idempotencyKey":null}`),
			after: func(t *testing.T, w *world, _ answer) {
				t.Helper()
				require.Empty(t, onlyEvent(t, w).BodyHash)
			},
		},
		{
			name: "one key twice in a batch", method: "POST", url: url, status: 202,
			body: batchOf(keyedEvent("order-1", "1"), keyedEvent("order-1", "2"), keyedEvent("order-2", "2"), keyedEvent("order-1", "1")),
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				require.Equal(t, []string{"new", "CONFLICT", "new", "duplicate"}, told(t, got))
				require.Len(t, w.starter.events, 2)
				results, _ := got.list(t)
				require.Equal(t, results[0]["id"], results[3]["id"])
			},
		},
		{
			name: "one key twice in a batch that cannot be taken", method: "POST", url: url, status: 202,
			body: batchOf(keyedEvent("order-1", "1"), keyedEvent("order-1", "1"), keyedEvent("order-1", "2"), orderPaid),
			arrange: func(_ *testing.T, w *world) {
				w.starter.deliver = func(e webhook.Event) (workflows.Accepted, error) {
					if e.BodyHash != "" {
						return workflows.Accepted{}, errs.New(errs.Unavailable, "busy")
					}
					return workflows.Accepted{}, nil
				}
			},
			after: becomes("UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE", "new"),
		},
		{
			name: "keys that the ledger knows", method: "POST", url: url, status: 202, arrange: knownKey(orderPaid),
			body: batchOf(keyedEvent("order-7", "7"), keyedEvent("order-1042", "1042"), orderPaid, keyedEvent("order-1042", "1042")),
			after: func(t *testing.T, w *world, got answer) {
				t.Helper()
				require.Equal(t, []string{"new", "duplicate", "new", "duplicate"}, told(t, got))
				require.Len(t, w.starter.events, 2, "Temporal gets what is new")
			},
		},
		{
			name: "a key of the ledger's after another event with it", method: "POST", url: url, status: 202, arrange: knownKey(orderPaid),
			body: batchOf(keyedEvent("order-1042", "7"), keyedEvent("order-1042", "1042")), after: becomes("CONFLICT", "duplicate"),
		},
		{
			name: "a key that the ledger knows from another event, in a batch", method: "POST", url: url, status: 202, arrange: knownKey(orderPaid),
			body: batchOf(keyedEvent("order-7", "7"), keyedEvent("order-1042", "7")), after: becomes("new", "CONFLICT"),
		},
		{
			name: "keys that are none", method: "POST", url: url, status: 202,
			body: batchOf(orderPaid, `{"type":"a","data":{},"idempotencyKey":""}`, keyedEvent("a b", "1"), keyedEvent("ä", "1"),
				`{"type":"a","data":{},"idempotencyKey":7}`, keyedEvent(strings.Repeat("k", 256), "1"), keyedEvent(strings.Repeat("k", 255), "1")),
			want:  []string{`"errors":{"idempotencyKey":"must be one value of 1 to 255 visible ASCII characters"}`},
			after: becomes("new", "VALIDATION_ERROR", "VALIDATION_ERROR", "VALIDATION_ERROR", "VALIDATION_ERROR", "VALIDATION_ERROR", "new"),
		},
		{
			name: "a key in the body of an event sent alone", method: "POST", url: "/api/events", status: 400,
			body: keyedEvent("order-1042", "1042"), want: []string{`"idempotencyKey":"belongs in the header Idempotency-Key"`},
		},
	}
}
