package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"posthaste/workflows"
)

// hook is a webhook as the API answers it.
type hook struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Provider     string   `json:"provider"`
	URL          string   `json:"url"`
	Events       []string `json:"events"`
	Secret       string   `json:"secret"`
	IsActive     bool     `json:"isActive"`
	Status       string   `json:"status"`
	StatusReason string   `json:"statusReason"`
}

// createWebhook makes a webhook for every event at the URL. Extra is more JSON
// members, such as `"retry":{"mode":"never"}`.
func (sys *system) createWebhook(url string, extra ...string) hook {
	sys.t.Helper()
	members := append([]string{fmt.Sprintf(`"url":%q`, url)}, extra...)
	if !strings.Contains(strings.Join(extra, ","), `"events"`) {
		members = append(members, `"events":["*"]`)
	}
	code, a := sys.call("POST", "/api/webhooks", "{"+strings.Join(members, ",")+"}")
	require.Equal(sys.t, http.StatusCreated, code, a.raw)
	return into[hook](sys.t, a)
}

// accepted is the answer to an enqueued event.
type accepted struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Duplicate bool   `json:"duplicate"`
}

// enqueue hands an event over and expects it to be taken.
func (sys *system) enqueue(body string, headers ...string) accepted {
	sys.t.Helper()
	code, a := sys.call("POST", "/api/events", body, headers...)
	require.Equal(sys.t, http.StatusAccepted, code, a.raw)
	return into[accepted](sys.t, a)
}

// emit hands over an event of the default provider, built of its parts. Extra is
// more JSON members, such as `"source":"api"`.
func (sys *system) emit(eventType, data string, extra ...string) accepted {
	sys.t.Helper()
	members := append([]string{fmt.Sprintf(`"type":%q,"data":%s`, eventType, data)}, extra...)
	return sys.enqueue("{" + strings.Join(members, ",") + "}")
}

// webhook reads a webhook.
func (sys *system) webhook(id string) hook {
	sys.t.Helper()
	code, a := sys.call("GET", "/api/webhooks/"+id, "")
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	return into[hook](sys.t, a)
}

// seenEvent is one event with its deliveries, as the API answers it.
type seenEvent struct {
	ID          string         `json:"id"`
	WorkflowID  string         `json:"workflowId"`
	WorkflowURL string         `json:"workflowUrl"`
	Deliveries  []seenDelivery `json:"deliveries"`
}

type seenDelivery struct {
	ID        string        `json:"id"`
	WebhookID string        `json:"webhookId"`
	State     string        `json:"state"`
	Reason    string        `json:"reason"`
	Attempts  int           `json:"attemptCount"`
	SettledAt string        `json:"settledAt"`
	History   []seenAttempt `json:"attempts"`
}

// seenAttempt is one line of a webhook's history.
type seenAttempt struct {
	Event       string `json:"event"`
	EventID     string `json:"eventId"`
	DeliveryID  string `json:"deliveryId"`
	Attempt     int    `json:"attempt"`
	StatusCode  *int   `json:"statusCode"`
	Success     bool   `json:"success"`
	Reason      string `json:"reason"`
	DeliveredAt string `json:"deliveredAt"`
	Body        string `json:"responseBody"`
	Test        bool   `json:"test"`
}

func (sys *system) event(id string) seenEvent {
	sys.t.Helper()
	code, a := sys.call("GET", "/api/events/"+id, "")
	if code == http.StatusNotFound {
		return seenEvent{} // accepted, but its workflow has not written the ledger yet
	}
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	return into[seenEvent](sys.t, a)
}

// awaitStates waits until the event's deliveries are in these states, in any
// order.
func (sys *system) awaitStates(eventID string, within time.Duration, want ...string) []seenDelivery {
	sys.t.Helper()
	var deliveries []seenDelivery
	var got []string
	ok := func() bool {
		deliveries, got = sys.event(eventID).Deliveries, nil
		for _, d := range deliveries {
			got = append(got, d.State)
		}
		return sameWords(want, got)
	}
	deadline := time.Now().Add(within)
	for !ok() {
		require.True(sys.t, time.Now().Before(deadline), "event %s: want states %v, have %v", eventID, want, got)
		<-time.After(25 * time.Millisecond)
	}
	return deliveries
}

// awaitUnwanted waits until the event is on record, and that is for no webhook:
// its deliveries are written together with it.
func (sys *system) awaitUnwanted(eventID string) {
	sys.t.Helper()
	sys.await("the event on record", 20*time.Second, func() bool { return sys.event(eventID).ID == eventID })
	require.Empty(sys.t, sys.event(eventID).Deliveries)
}

// awaitDone waits until the event's workflow has ended: nothing more will come
// of it. It returns how many deliveries settled in each state.
func (sys *system) awaitDone(eventID string) map[string]int {
	sys.t.Helper()
	return sys.awaitResult(workflows.EventWorkflowID(sys.tenant, eventID))
}

// awaitResult waits for the end of a workflow of ours, and returns its counts.
func (sys *system) awaitResult(id string) map[string]int {
	sys.t.Helper()
	ctx, cancel := context.WithTimeout(sys.t.Context(), 30*time.Second)
	defer cancel()
	var result struct{ Deliveries map[string]int }
	require.NoError(sys.t, sys.temporalClient().GetWorkflow(ctx, id, "").Get(ctx, &result), id)
	return result.Deliveries
}

func sameWords(a, b []string) bool {
	counts := map[string]int{}
	for _, word := range a {
		counts[word]++
	}
	for _, word := range b {
		counts[word]--
	}
	for _, n := range counts {
		if n != 0 {
			return false
		}
	}
	return true
}

func (sys *system) history(webhookID string) []seenAttempt {
	sys.t.Helper()
	code, a := sys.call("GET", "/api/webhooks/"+webhookID+"/history?limit=100", "")
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	return into[[]seenAttempt](sys.t, a)
}

const paid = `{"type":"order.paid","data":{"id":"ord_1","total":12.5,"note":"<b>5 & 6</b> \u2028 é"}}`

func TestEventArrivesSignedAndIsOnRecord(t *testing.T) {
	t.Parallel()
	for _, postgres := range []bool{false, true} {
		t.Run(fmt.Sprintf("postgres=%v", postgres), func(t *testing.T) {
			t.Parallel()
			sys, rec := up(t, settings{postgres: postgres}), newReceiver(t, nil)
			w := sys.createWebhook(rec.URL+"/in", `"name":"CRM"`)
			event := sys.enqueue(paid)

			got := rec.await(1, 10*time.Second)[0]
			verifier, err := standardwebhooks.NewWebhook(w.Secret)
			require.NoError(t, err)
			require.NoError(t, verifier.Verify([]byte(got.body), got.header))
			require.Equal(t, event.ID, got.header.Get("webhook-id"))
			require.Regexp(t, `^Posthaste/`, got.header.Get("User-Agent"))
			require.Contains(t, got.body, `"data":{"id":"ord_1","total":12.5,"note":"<b>5 & 6</b> `+"\u2028"+` é"}`)

			sys.awaitStates(event.ID, 10*time.Second, "delivered")
			history := sys.history(w.ID)
			require.Len(t, history, 1)
			require.Equal(t, 204, *history[0].StatusCode)
			require.True(t, history[0].Success)
			require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, history[0].DeliveredAt)
		})
	}
}

func TestFailedAttemptsAreRetriedOnTheWebhooksOwnSchedule(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, statuses(500, 503, 200))
	w := sys.createWebhook(rec.URL, `"retry":{"mode":"schedule","delaysSeconds":[1,2,60]}`)
	event := sys.enqueue(paid)
	got := rec.await(3, 20*time.Second)
	require.GreaterOrEqual(t, got[1].at.Sub(got[0].at), 700*time.Millisecond)
	require.GreaterOrEqual(t, got[2].at.Sub(got[1].at), 1400*time.Millisecond)
	require.Equal(t, got[0].header.Get("webhook-id"), got[2].header.Get("webhook-id"))
	sys.awaitStates(event.ID, 10*time.Second, "delivered")

	history := sys.history(w.ID)
	require.Len(t, history, 3)
	require.Equal(t, []int{3, 2, 1}, []int{history[0].Attempt, history[1].Attempt, history[2].Attempt}, "newest first")
	require.Equal(t, []string{"", "server_error", "server_error"}, []string{history[0].Reason, history[1].Reason, history[2].Reason})
}

func TestNeverMeansOneAttempt(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, status(500))
	w := sys.createWebhook(rec.URL, `"retry":{"mode":"never"}`)
	event := sys.enqueue(paid)
	sys.awaitStates(event.ID, 10*time.Second, "failed")
	require.Len(t, sys.history(w.ID), 1)
	require.Len(t, rec.all(), 1)
}

func TestGoneSwitchesTheWebhookOff(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, status(410))
	w := sys.createWebhook(rec.URL)
	sys.awaitStates(sys.enqueue(paid).ID, 10*time.Second, "failed")
	_, a := sys.call("GET", "/api/webhooks/"+w.ID, "")
	require.Equal(t, "gone", into[hook](t, a).Status)
	sys.awaitStates(sys.enqueue(paid).ID, 10*time.Second, "skipped")
	require.Len(t, rec.all(), 1)
}

func TestSameKeyIsOneEvent(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, nil)
	w := sys.createWebhook(rec.URL)
	first := sys.enqueue(paid, "Idempotency-Key", "k1")
	rec.await(1, 10*time.Second)

	code, a := sys.call("POST", "/api/events", paid, "Idempotency-Key", "k1")
	require.Equal(t, http.StatusOK, code, a.raw)
	again := into[accepted](t, a)
	require.Equal(t, first.ID, again.ID)
	require.True(t, again.Duplicate)

	code, a = sys.call("POST", "/api/events", `{"type":"order.paid","data":{}}`, "Idempotency-Key", "k1")
	require.Equal(t, http.StatusConflict, code, a.raw)
	require.Equal(t, "CONFLICT", a.Code)

	other := sys.tokenFor("other")
	code, a = sys.callAs(other, "POST", "/api/events", paid, "Idempotency-Key", "k1")
	require.Equal(t, http.StatusAccepted, code, "another tenant's key is another key: %s", a.raw)

	sys.awaitStates(first.ID, 10*time.Second, "delivered")
	require.Len(t, sys.history(w.ID), 1)
}

func TestFanOutOverPages(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{postgres: true}), newReceiver(t, nil)
	const webhooks = 230
	for i := range webhooks {
		sys.createWebhook(fmt.Sprintf("%s/%d", rec.URL, i))
	}
	event := sys.enqueue(paid)
	got := rec.await(webhooks, 30*time.Second)
	paths := map[string]int{}
	for _, a := range got {
		paths[a.path]++
	}
	require.Len(t, paths, webhooks, "each webhook once")
	c := sys.temporalClient()
	require.NoError(t, c.GetWorkflow(t.Context(), "event/acme/"+event.ID, "").Get(t.Context(), nil))
}

func TestRetryNowAndSendAgain(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, statuses(500, 200))
	sys.createWebhook(rec.URL, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
	event := sys.enqueue(paid)
	delivery := sys.awaitStates(event.ID, 10*time.Second, "retrying")[0]

	code, a := sys.call("POST", "/api/deliveries/"+delivery.ID+"/retry", "")
	require.Equal(t, http.StatusAccepted, code, a.raw)
	rec.await(2, 10*time.Second)
	sys.awaitStates(event.ID, 10*time.Second, "delivered")

	code, a = sys.call("POST", "/api/deliveries/"+delivery.ID+"/retry", "")
	require.Equal(t, http.StatusAccepted, code, a.raw)
	got := rec.await(3, 10*time.Second)
	require.Equal(t, got[0].header.Get("webhook-id"), got[2].header.Get("webhook-id"))
	sys.await("three attempts on record", 10*time.Second, func() bool {
		_, a := sys.call("GET", "/api/deliveries/"+delivery.ID, "")
		d := into[seenDelivery](t, a)
		return d.State == "delivered" && d.Attempts == 3
	})
}

func TestTestSendReachesTheReceiverAndIsMarked(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, status(500))
	w := sys.createWebhook(rec.URL, `"events":["order.paid","order.shipped"]`)
	code, a := sys.call("POST", "/api/webhooks/"+w.ID+"/test", "")
	require.Equal(t, http.StatusAccepted, code, a.raw)
	rec.await(2, 10*time.Second)
	sys.await("the history", 10*time.Second, func() bool { return len(sys.history(w.ID)) == 2 })
	for _, attempt := range sys.history(w.ID) {
		require.True(t, attempt.Test)
		require.False(t, attempt.Success)
	}
	_, a = sys.call("GET", "/api/webhooks/"+w.ID, "")
	require.Equal(t, "active", into[hook](t, a).Status)
}

func TestPausedWebhookGetsNothingAndMissesStayMissed(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, nil)
	w := sys.createWebhook(rec.URL)
	code, a := sys.call("PATCH", "/api/webhooks/"+w.ID, `{"isActive":false}`)
	require.Equal(t, http.StatusOK, code, a.raw)
	sys.awaitStates(sys.enqueue(paid).ID, 10*time.Second, "skipped")
	code, a = sys.call("PATCH", "/api/webhooks/"+w.ID, `{"isActive":true}`)
	require.Equal(t, http.StatusOK, code, a.raw)
	sys.awaitStates(sys.enqueue(paid).ID, 10*time.Second, "delivered")
	require.Len(t, rec.all(), 1)
}

func TestDeletedWebhookLeavesNothing(t *testing.T) {
	t.Parallel()
	sys, rec := up(t, settings{}), newReceiver(t, status(500))
	w := sys.createWebhook(rec.URL, `"retry":{"mode":"schedule","delaysSeconds":[2]}`)
	event := sys.enqueue(paid)
	sys.awaitStates(event.ID, 10*time.Second, "retrying")
	code, a := sys.call("DELETE", "/api/webhooks/"+w.ID, "")
	require.Less(t, code, 300, a.raw)
	code, _ = sys.call("GET", "/api/webhooks/"+w.ID+"/history", "")
	require.Equal(t, http.StatusNotFound, code)
	c := sys.temporalClient()
	require.NoError(t, c.GetWorkflow(t.Context(), "event/acme/"+event.ID, "").Get(t.Context(), nil),
		"the waiting delivery ends by itself")
	require.Len(t, rec.all(), 1, "a deleted webhook is never sent to")
}
