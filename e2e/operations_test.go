package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"posthaste/failpoint"
)

// told is an event of the provider operations as it arrives.
type told struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      struct {
		WebhookID, Name, Provider, Host, Reason, At, DeliveryID, EventID, EventType string
		Attempts, StatusCode                                                        int
	} `json:"data"`
}

// operationsWebhook makes a webhook that is told of the others.
func (sys *system) operationsWebhook(rec *receiver, extra ...string) hook {
	sys.t.Helper()
	return sys.createWebhook(rec.URL+"/ops", append([]string{`"provider":"operations"`}, extra...)...)
}

// toldOf returns what has arrived of a webhook, each signed with the secret, by
// its types in order.
func (rec *receiver) toldOf(webhookID, secret string) (types []string, all []told) {
	rec.t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	require.NoError(rec.t, err)
	for _, a := range rec.all() {
		require.NoError(rec.t, verifier.Verify([]byte(a.body), a.header))
		var event told
		require.NoError(rec.t, json.Unmarshal([]byte(a.body), &event))
		if event.Data.WebhookID == webhookID {
			types, all = append(types, event.Type), append(all, event)
		}
	}
	slices.Sort(types)
	slices.SortFunc(all, func(a, b told) int { return strings.Compare(a.Type, b.Type) })
	return types, all
}

func (rec *receiver) awaitTold(w hook, secret string, want ...string) []told {
	rec.t.Helper()
	var all []told
	require.Eventually(rec.t, func() bool {
		var types []string
		types, all = rec.toldOf(w.ID, secret)
		return slices.Equal(want, types)
	}, 30*time.Second, 50*time.Millisecond, "%s is told %v", w.Name, want)
	return all
}

func TestTenantsAreToldOfTheirWebhooks(t *testing.T) {
	t.Parallel()
	for _, postgres := range []bool{false, true} {
		t.Run(fmt.Sprintf("postgres=%v", postgres), func(t *testing.T) {
			t.Parallel()
			sys := up(t, settings{postgres: postgres, env: []string{"POSTHASTE_BROKEN_AFTER=1s"}})
			ops := newReceiver(t, nil)
			own := sys.operationsWebhook(ops)
			other := newReceiver(t, nil)
			sys.as(t, "globex").operationsWebhook(other)

			began := time.Now().Add(-time.Second)
			gone := sys.createWebhook(newReceiver(t, status(410)).URL, `"name":"gone"`)
			broken := sys.createWebhook(newReceiver(t, status(500)).URL, `"name":"broken"`, `"retry":{"mode":"schedule","delaysSeconds":[2,3600]}`)
			failed := sys.createWebhook(newReceiver(t, status(503)).URL, `"name":"failed"`, `"retry":{"mode":"never"}`)
			paused := sys.createWebhook(newReceiver(t, nil).URL+"/secret-path?key=1", `"name":"paused"`)
			event := sys.enqueue(paid)
			code, a := sys.call("PATCH", "/api/webhooks/"+paused.ID, `{"isActive":false}`)
			require.Equal(t, http.StatusOK, code, a.raw)

			all := slices.Concat(
				ops.awaitTold(gone, own.Secret, "delivery.exhausted", "webhook.gone"),
				ops.awaitTold(broken, own.Secret, "webhook.broken"),
				ops.awaitTold(failed, own.Secret, "delivery.exhausted"),
				ops.awaitTold(paused, own.Secret, "webhook.disabled"),
			)
			for i, w := range []hook{gone, gone, broken, failed, paused} {
				data := all[i].Data
				require.Equal(t, []string{w.Name, "standard"}, []string{data.Name, data.Provider})
				require.Regexp(t, `^127\.0\.0\.1:\d+$`, data.Host)
				at, err := time.Parse(time.RFC3339, data.At)
				require.NoError(t, err)
				require.WithinRange(t, at, began, time.Now())
				require.Equal(t, all[i].Timestamp, data.At)
			}
			require.Equal(t, "the receiver answered 410 Gone", all[1].Data.Reason)
			require.Contains(t, all[2].Data.Reason, "nothing but failures")
			last := all[3].Data
			require.Equal(t, []any{"server_error", event.ID, "order.paid", 1, 503}, []any{last.Reason, last.EventID, last.EventType, last.Attempts, last.StatusCode})
			require.NotEmpty(t, last.DeliveryID)
			for _, a := range ops.all() {
				require.NotContains(t, a.body, "secret-path")
			}
			require.Empty(t, other.all(), "another tenant")
		})
	}
}

// Nobody but Posthaste tells.
func TestNobodyForgesWhatTenantsAreTold(t *testing.T) {
	t.Parallel()
	sys, ops := up(t, settings{}), newReceiver(t, nil)
	w := sys.operationsWebhook(ops)
	const forged = `{"provider":"operations","type":"webhook.gone","data":{"webhookId":"x"}}`
	code, a := sys.call("POST", "/api/events", forged)
	require.Equal(t, http.StatusBadRequest, code, a.raw)
	require.Contains(t, a.Errors["provider"], "made by Posthaste")
	code, a = sys.call("POST", "/api/events/batch", `{"events":[`+forged+`]}`)
	require.Equal(t, http.StatusAccepted, code, a.raw)
	require.Contains(t, a.raw, "made by Posthaste")
	code, a = sys.call("POST", "/api/webhooks/"+w.ID+"/test", `{"event":"webhook.gone"}`)
	require.Equal(t, http.StatusAccepted, code, a.raw)
	ops.await(1, 10*time.Second)
	require.Len(t, ops.all(), 1, "the sample alone")
}

// An operations webhook that fails is not told of itself, and neither is
// another.
func TestOperationsWebhooksTellNothingOfThemselves(t *testing.T) {
	t.Parallel()
	sys := up(t, settings{})
	ops, failing := newReceiver(t, nil), newReceiver(t, statuses(500, 410))
	own := sys.operationsWebhook(ops)
	sys.operationsWebhook(failing, `"retry":{"mode":"schedule","delaysSeconds":[1]}`)
	w := sys.createWebhook(newReceiver(t, status(500)).URL, `"name":"first"`, `"retry":{"mode":"never"}`)
	sys.enqueue(paid)
	ops.awaitTold(w, own.Secret, "delivery.exhausted")
	failing.await(2, 20*time.Second)
	second := sys.createWebhook(newReceiver(t, nil).URL, `"name":"second"`)
	code, a := sys.call("PATCH", "/api/webhooks/"+second.ID, `{"isActive":false}`) // the last thing to tell
	require.Equal(t, http.StatusOK, code, a.raw)
	ops.awaitTold(second, own.Secret, "webhook.disabled")
	require.Len(t, ops.all(), 2)
	require.Len(t, failing.all(), 2, "gone by now")
}

// What is recorded is told, although the process dies at once.
func TestWhatIsToldOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	binary, err := fragile()
	require.NoError(t, err)
	for _, point := range []crashPoint{
		{at: failpoint.AfterCommit}, {at: failpoint.AfterRecordFast}, {at: failpoint.AfterRecordDurable, durable: true},
	} {
		t.Run(point.name(), func(t *testing.T) {
			t.Parallel()
			sys, ops := install(t, settings{}), newReceiver(t, nil)
			p := sys.startBinary(binary, "all", fmt.Sprintf("POSTHASTE_FAILPOINTS=%s=kill@1", point.at)).awaitReady()
			own := sys.operationsWebhook(ops)
			extra := []string{`"retry":{"mode":"never"}`}
			if point.durable {
				extra = append(extra, `"maxPerSecond":1000`)
			}
			w := sys.createWebhook(newReceiver(t, status(410)).URL, extra...)
			_, _ = sys.tryEnqueue(paid)
			select {
			case <-p.done:
			case <-time.After(20 * time.Second):
				t.Fatalf("the process did not come to %s", point.name())
			}
			sys.start("all").awaitReady()
			ops.awaitTold(w, own.Secret, "delivery.exhausted", "webhook.gone")
			seen := map[string]bool{}
			for _, a := range ops.all() {
				require.False(t, seen[a.header.Get("webhook-id")], "once")
				seen[a.header.Get("webhook-id")] = true
			}
		})
	}
}
