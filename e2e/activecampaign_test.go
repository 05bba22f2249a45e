package e2e

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestACT(t *testing.T) {
	t.Parallel()
	accept(t, "activecampaign",
		acceptance{"ACT01_EveryKeyOfThe27Tables", act01},
		acceptance{"ACT02_PHPReadsEveryForm", act02},
		acceptance{"ACT03_OneSource", act03},
		acceptance{"ACT04_EightCombinationsOfTwoEventsAndFourSources", act04},
		acceptance{"ACT05_WhateverTheReceiverDoesIsOneAttempt", act05},
		acceptance{"ACT07_GoneIsInactiveAndStillListed", act07},
		acceptance{"ACT08_GoneForGoodUntilDeletedAndRecreated", act08},
		acceptance{"ACT09_BulkImportIsSuppressedAndOnRecord", act09},
		acceptance{"ACT10_SentByCampaignTrigger", act10},
		acceptance{"ACT11_UnsubscribeNamesItsLists", act11},
		acceptance{"ACT12_ListIsZeroOrTheIDs", act12},
		acceptance{"ACT13_PHPReadsTheListOfListAddAsArray", act13},
		acceptance{"ACT14_DealUpdateNamesTheChangedFields", act14},
		acceptance{"ACT15_RemovalFromAnAccountIsEmptyNames", act15},
		acceptance{"ACT16_DueDatesAsPrinted", act16},
		acceptance{"ACT17_NamesOfTheDeveloperPages", act17},
		acceptance{"ACT18_CustomObjectsAreJSON", act18},
		acceptance{"ACT19_ListFilter", act19},
		acceptance{"ACT20_CreateNeedsEvents", act20},
		acceptance{"ACT21_NothingIsSigned", act21},
	)
}

const (
	contactData  = `{"contact":{"id":"42","email":"robin+news@example.com","first_name":"Robin & Co","tags":["a","b c"]}}`
	campaignData = `{"campaign":{"id":"218"},"contact":{"id":"42","email":"robin@example.com"}}`
)

// formOf reads a form body.
func formOf(t *testing.T, a arrival) url.Values {
	t.Helper()
	require.Equal(t, "application/x-www-form-urlencoded; charset=utf-8", a.header.Get("Content-Type"))
	form, err := url.ParseQuery(a.body)
	require.NoError(t, err, a.body)
	return form
}

// phpReceiver answers what PHP itself made of the request.
const phpReceiver = `<?php
header('Content-Type: application/json');
echo json_encode(['method' => $_SERVER['REQUEST_METHOD'], 'contentType' => $_SERVER['CONTENT_TYPE'] ?? '', 'post' => (object) $_POST]);
`

// startPHP runs PHP's own web server and returns its URL.
func startPHP(sys *system) string {
	t := sys.t
	if _, err := exec.LookPath("php"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("POSTHASTE_TEST_REQUIRE"), ","), "php") {
			t.Fatal("php is required and missing")
		}
		t.Skip("php is missing")
	}
	router := filepath.Join(t.TempDir(), "receiver.php")
	require.NoError(t, os.WriteFile(router, []byte(phpReceiver), 0o600))
	address := fmt.Sprintf("127.0.0.1:%d", freePort())
	php := exec.Command("php", "-S", address, router)
	require.NoError(t, php.Start())
	t.Cleanup(func() { _ = php.Process.Kill(); _ = php.Wait() })
	sys.await("PHP", 20*time.Second, func() bool {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		_ = connection.Close()
		return true
	})
	return "http://" + address
}

// seenByPHP is what PHP made of one request.
type seenByPHP struct {
	Method, ContentType string
	Post                map[string]any
}

// answerOfPHP reads a delivered attempt's answer.
func answerOfPHP(t *testing.T, attempt seenAttempt) seenByPHP {
	t.Helper()
	require.True(t, attempt.Success, "%s: %s", attempt.Event, attempt.Reason)
	var seen seenByPHP
	require.NoError(t, json.Unmarshal([]byte(attempt.Body), &seen), attempt.Body)
	return seen
}

// act02 has PHP's own web server receive a sample of every event, and reads from
// the history what it found in $_POST.
func act02(sys *system) {
	t := sys.t
	code, a := sys.call("GET", "/api/webhooks/events?detail=true", "")
	require.Equal(t, http.StatusOK, code, a.raw)
	samples := map[string]map[string]any{}
	for _, entry := range into[[]struct {
		Type   string
		Sample map[string]any
	}](t, a) {
		samples[entry.Type] = entry.Sample
	}
	require.Len(t, samples, 33)

	w := sys.createWebhook(startPHP(sys))
	code, a = sys.call("POST", "/api/webhooks/"+w.ID+"/test", "")
	require.Equal(t, http.StatusAccepted, code, a.raw)
	sys.await("all samples", 60*time.Second, func() bool { return len(sys.history(w.ID)) == len(samples) })
	contacts := 0
	for _, attempt := range sys.history(w.ID) {
		seen := answerOfPHP(t, attempt)
		require.Equal(t, "POST", seen.Method)
		if strings.HasPrefix(attempt.Event, "custom_object_") {
			require.Equal(t, "application/json", seen.ContentType)
			continue
		}
		require.Equal(t, "application/x-www-form-urlencoded; charset=utf-8", seen.ContentType)
		require.Equal(t, attempt.Event, seen.Post["type"])
		if contact, ok := samples[attempt.Event]["contact"].(map[string]any); ok {
			contacts++
			require.Equal(t, contact["email"], seen.Post["contact"].(map[string]any)["email"], attempt.Event)
		}
	}
	require.GreaterOrEqual(t, contacts, 20, "samples with a contact")
}

func act03(sys *system) {
	rec := newReceiver(sys.t, nil)
	w := sys.createWebhook(rec.URL, `"sources":["api"]`)
	sys.awaitUnwanted(sys.emit("update", contactData, `"source":"admin"`).ID)
	require.Empty(sys.t, rec.all())
	event := sys.emit("update", contactData, `"source":"api"`)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID))
	require.Len(sys.t, rec.all(), 1)
	require.Len(sys.t, sys.history(w.ID), 1)
}

func act04(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL, `"sources":["public","system"]`, `"events":["subscribe","open"]`)
	for _, eventType := range []string{"subscribe", "open"} {
		for _, source := range []string{"public", "admin", "api", "system"} {
			event := sys.emit(eventType, campaignData, fmt.Sprintf(`"source":%q`, source), `"attributes":{"listIds":["3"]}`)
			if source == "public" || source == "system" {
				require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID), "%s by %s", eventType, source)
				continue
			}
			sys.awaitUnwanted(event.ID)
			require.Empty(sys.t, sys.awaitDone(event.ID), "%s by %s", eventType, source)
		}
	}
	var got []string
	for _, a := range rec.all() {
		form := formOf(sys.t, a)
		got = append(got, form.Get("type")+" "+form.Get("initiated_from"))
	}
	require.ElementsMatch(sys.t, []string{"subscribe public", "subscribe system", "open public", "open system"}, got)
}

func act05(sys *system) {
	tooMany := func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	tests := []struct {
		name       string
		answer     func(int, http.ResponseWriter, *http.Request)
		url        string
		wantStatus *int
		wantReason string
	}{
		{name: "500", answer: status(500), wantStatus: new(500), wantReason: "server_error"},
		{name: "404", answer: status(404), wantStatus: new(404), wantReason: "client_error"},
		{name: "429", answer: tooMany, wantStatus: new(429), wantReason: "throttled"},
		{name: "timeout", answer: hang, wantReason: "timeout"},
		{name: "refused", url: "http://127.0.0.1:1/", wantReason: "connection_refused"}, // nothing listens there
	}
	for i, test := range tests {
		sys.t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sys := sys.as(t, fmt.Sprintf("%s-%d", sys.tenant, i))
			rec := newReceiver(t, test.answer)
			w := sys.createWebhook(cmp.Or(test.url, rec.URL), `"timeoutSeconds":1`)
			event := sys.emit("update", contactData)
			require.Equal(t, map[string]int{"failed": 1}, sys.awaitDone(event.ID), "and nothing waits")
			history := sys.history(w.ID)
			require.Len(t, history, 1)
			require.Equal(t, test.wantStatus, history[0].StatusCode)
			require.Equal(t, test.wantReason, history[0].Reason)
			require.False(t, history[0].Success)
			if test.url == "" {
				require.Len(t, rec.all(), 1)
			}
			require.Equal(t, "active", sys.webhook(w.ID).Status)
		})
	}
}

// TestACT06_WorkerKilledInThePost: never retried does not mean lost.
func TestACT06_WorkerKilledInThePost(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{env: []string{"POSTHASTE_PROVIDER=activecampaign"}})
	rec := newReceiver(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			hang(n, w, r) // no answer before the worker is gone
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	first := sys.start("all").awaitReady()
	w := sys.createWebhook(rec.URL)
	event := sys.emit("update", contactData, `"source":"admin"`)
	rec.await(1, 20*time.Second)
	first.kill()

	sys.start("all").awaitReady()
	got := rec.await(2, 30*time.Second)
	require.Equal(t, got[0].body, got[1].body)
	require.NotEmpty(t, got[0].header.Get("X-Delivery-Id"))
	require.Equal(t, got[0].header.Get("X-Delivery-Id"), got[1].header.Get("X-Delivery-Id"))
	require.Equal(t, map[string]int{"failed": 1}, sys.awaitDone(event.ID))
	require.Len(t, rec.all(), 2, "the answer is a result, no reason to try again")
	require.Len(t, sys.history(w.ID), 1)
}

// loseToGone has a webhook answered with 410.
func loseToGone(sys *system, rec *receiver) hook {
	sys.t.Helper()
	w := sys.createWebhook(rec.URL)
	require.Equal(sys.t, map[string]int{"failed": 1}, sys.awaitDone(sys.emit("update", contactData).ID))
	require.Equal(sys.t, "gone", sys.webhook(w.ID).Status)
	return w
}

func act07(sys *system) {
	rec := newReceiver(sys.t, status(410))
	w := loseToGone(sys, rec)
	history := sys.history(w.ID)
	require.Len(sys.t, history, 1)
	require.Equal(sys.t, 410, *history[0].StatusCode)
	require.False(sys.t, sys.webhook(w.ID).IsActive)
	_, a := sys.call("GET", "/api/webhooks", "")
	listed := into[[]hook](sys.t, a)
	require.Len(sys.t, listed, 1)
	require.Equal(sys.t, w.ID, listed[0].ID)
	require.Equal(sys.t, "gone", listed[0].Status)

	event := sys.emit("update", contactData)
	require.Equal(sys.t, map[string]int{"skipped": 1}, sys.awaitDone(event.ID))
	require.Len(sys.t, rec.all(), 1)
	require.Len(sys.t, sys.history(w.ID), 1)
}

func act08(sys *system) {
	rec := newReceiver(sys.t, statuses(410, 200))
	w := loseToGone(sys, rec)
	code, a := sys.call("PATCH", "/api/webhooks/"+w.ID, `{"isActive":true}`)
	require.Equal(sys.t, http.StatusConflict, code, a.raw)
	require.Equal(sys.t, "CONFLICT", a.Code)
	code, a = sys.call("PATCH", "/api/webhooks/"+w.ID, `{"name":"Another name"}`)
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	require.Equal(sys.t, "gone", sys.webhook(w.ID).Status)
	code, a = sys.call("POST", "/api/webhooks/"+w.ID+"/test", "")
	require.Equal(sys.t, http.StatusConflict, code, a.raw)
	require.Equal(sys.t, map[string]int{"skipped": 1}, sys.awaitDone(sys.emit("update", contactData).ID))
	require.Len(sys.t, rec.all(), 1)

	code, a = sys.call("DELETE", "/api/webhooks/"+w.ID, "")
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	again := sys.createWebhook(rec.URL)
	require.NotEqual(sys.t, w.ID, again.ID)
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(sys.emit("update", contactData).ID))
	require.Len(sys.t, rec.all(), 2)
}

func act09(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL)
	event := sys.emit("subscribe", contactData, `"attributes":{"bulk":true,"listIds":["3"]}`)
	require.Equal(sys.t, map[string]int{"suppressed": 1}, sys.awaitDone(event.ID))
	require.Equal(sys.t, "bulk_import", sys.event(event.ID).Deliveries[0].Reason)
	require.Empty(sys.t, rec.all())
	for _, other := range []string{"update", "unsubscribe"} { // only subscribe stands still
		event := sys.emit(other, contactData, `"attributes":{"bulk":true,"listIds":["3"]}`)
		require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID), other)
	}
}

func act10(sys *system) {
	system, others := newReceiver(sys.t, nil), newReceiver(sys.t, nil)
	sys.createWebhook(system.URL, `"sources":["system"]`)
	sys.createWebhook(others.URL, `"sources":["public","admin","api"]`)
	send := func(trigger, source string) map[string]int {
		event := sys.emit("sent", campaignData, fmt.Sprintf(`"source":%q`, source),
			fmt.Sprintf(`"attributes":{"listIds":["3"],"campaignTrigger":%q}`, trigger))
		return sys.awaitDone(event.ID)
	}
	for i, source := range []string{"system", "admin"} { // whatever the producer calls it
		require.Equal(sys.t, map[string]int{"delivered": 1}, send("automation", source))
		require.Len(sys.t, system.all(), i+1)
		require.Equal(sys.t, "system", formOf(sys.t, system.all()[i]).Get("initiated_from"))
		require.Equal(sys.t, map[string]int{"suppressed": 1}, send("autoresponder", source))
	}
	require.Len(sys.t, system.all(), 2)
	require.Empty(sys.t, others.all())
	require.Equal(sys.t, map[string]int{"delivered": 1}, send("manual", "admin"))
	require.Len(sys.t, system.all(), 2)
	require.Len(sys.t, others.all(), 1)
}

func act17(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL, `"events":["contact_tag_added","contact_tag_removed","deal_task_complete"]`)
	const contact = `"contact":{"id":"42","email":"robin@example.com"}`
	for i, test := range []struct{ eventType, data, wantKey, want string }{
		{"contact_tag_added", `{` + contact + `,"tag":"VIP"}`, "tag", "VIP"},
		{"contact_tag_removed", `{` + contact + `,"tag":"prospect"}`, "tag", "prospect"},
		{
			"deal_task_complete", `{` + contact + `,"deal":{"id":"87"},"task":{"id":"6","donedate":"2026-05-30 04:59:58"}}`,
			"task[donedate]", "2026-05-30 04:59:58",
		},
	} {
		event := sys.emit(test.eventType, test.data, `"source":"admin"`)
		require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID), test.eventType)
		form := formOf(sys.t, rec.all()[i])
		require.Equal(sys.t, []string{test.eventType}, form["type"])
		require.Equal(sys.t, []string{test.want}, form[test.wantKey], test.eventType)
		require.Equal(sys.t, []string{"robin@example.com"}, form["contact[email]"])
	}
}

func act18(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL)
	const (
		created = `"createdTimestamp":"2023-11-13T21:45:11.935Z"`
		updated = `"updatedTimestamp":"2023-11-14T08:00:00.000Z"`
		fields  = `"fields":[{"id":"total","value":5,"oldValue":4},{"id":"name","value":"<a> & b"}]`
		head    = `"id":"r1","schemaId":"s1"`
		related = `"relationships":{"primary-contact":["14"]}`
	)
	tests := []struct{ eventType, data, want string }{
		{
			"custom_object_create", `{` + head + `,"externalId":"x-1",` + fields + `,` + related + `,` + created + `,` + updated + `}`,
			`{"eventType":"create",` + head + `,"externalId":"x-1","fields":[{"id":"total","value":5},{"id":"name","value":"<a> & b"}],` +
				related + `,` + created + `,` + updated + `}`,
		},
		{
			"custom_object_update", `{` + head + `,` + fields + `,` + related + `,` + created + `,` + updated + `}`,
			`{"eventType":"update",` + head + `,` + fields + `,` + related + `,` + created + `,` + updated + `}`,
		},
		{
			"custom_object_delete", `{` + head + `,` + fields + `,` + related + `,` + created + `,` + updated + `}`,
			`{"eventType":"delete",` + head + `,"fields":[],"relationships":[],` + created + `,` + updated + `}`,
		},
	}
	for i, test := range tests {
		event := sys.emit(test.eventType, test.data, `"source":"api"`)
		require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID), test.eventType)
		got := rec.all()[i]
		require.Equal(sys.t, test.want, got.body)
		require.Equal(sys.t, "application/json", got.header.Get("Content-Type"))
	}
}

func act19(sys *system) {
	rec := newReceiver(sys.t, nil)
	sys.createWebhook(rec.URL, `"filters":{"listId":"5"}`)
	sys.awaitUnwanted(sys.emit("open", campaignData, `"attributes":{"listIds":["6"]}`).ID)
	for i, event := range []accepted{
		sys.emit("deal_add", `{"deal":{"id":"87"}}`, `"attributes":{"listIds":["6"]}`),
		sys.emit("open", campaignData, `"attributes":{"listIds":["4","5"]}`),
	} {
		require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(event.ID), i)
	}
	types := []string{}
	for _, a := range rec.all() {
		types = append(types, formOf(sys.t, a).Get("type"))
	}
	require.ElementsMatch(sys.t, []string{"deal_add", "open"}, types)
}

// act20 is written for ActiveCampaign's own POST /api/3/webhooks, with its 422
// and field_missing. Posthaste has one API for all providers, so here the same
// is asked of POST /api/webhooks in that API's words.
func act20(sys *system) {
	const path = "/api/webhooks"
	code, a := sys.call("POST", path, `{"name":"CRM","url":"http://127.0.0.1:9/","sources":["public"]}`)
	require.Equal(sys.t, http.StatusBadRequest, code, a.raw)
	require.False(sys.t, a.Success)
	require.Equal(sys.t, "VALIDATION_ERROR", a.Code)
	require.Equal(sys.t, []string{"events"}, slices.Collect(maps.Keys(a.Errors)))

	code, a = sys.call("POST", path, `{"name":"CRM","url":"http://127.0.0.1:9/","events":["subscribe"],"sources":["public"]}`)
	require.Equal(sys.t, http.StatusCreated, code, a.raw)
	var made struct {
		ID      any
		Name    string
		Events  []string
		Sources []string
	}
	require.NoError(sys.t, json.Unmarshal(a.Data, &made))
	require.IsType(sys.t, "", made.ID)
	require.NotEmpty(sys.t, made.ID)
	require.Equal(sys.t, "CRM", made.Name)
	require.Equal(sys.t, []string{"subscribe"}, made.Events)
	require.Equal(sys.t, []string{"public"}, made.Sources)
}

// act21 looks at the headers of every event type.
func act21(sys *system) {
	rec := newReceiver(sys.t, nil)
	w := sys.createWebhook(rec.URL)
	code, a := sys.call("POST", "/api/webhooks/"+w.ID+"/test", "")
	require.Equal(sys.t, http.StatusAccepted, code, a.raw)
	event := sys.emit("update", contactData)
	for _, got := range rec.await(34, 30*time.Second) {
		names := slices.Sorted(maps.Keys(got.header))
		require.Equal(sys.t, []string{"Content-Length", "Content-Type", "User-Agent", "X-Delivery-Id"}, names)
	}
	sys.awaitStates(event.ID, 20*time.Second, "delivered")
}
