package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	visit "go.temporal.io/api/proxy"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"posthaste/keyset"
	"posthaste/workflows"
)

// payloadsOf returns every payload of a message, but for the search attributes,
// which stay readable on purpose.
func payloadsOf(t *testing.T, message proto.Message) []*commonpb.Payload {
	t.Helper()
	var all []*commonpb.Payload
	require.NoError(t, visit.VisitPayloads(t.Context(), message, visit.VisitPayloadsOptions{
		SkipSearchAttributes: true,
		Visitor: func(_ *visit.VisitPayloadsContext, payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
			all = append(all, payloads...)
			return payloads, nil
		},
	}))
	return all
}

// withoutAttributes is a message as text, less its search attributes.
func withoutAttributes(t *testing.T, message proto.Message) string {
	t.Helper()
	text, err := protojson.Marshal(message)
	require.NoError(t, err)
	var tree any
	require.NoError(t, json.Unmarshal(text, &tree))
	prune(tree, "searchAttributes")
	text, err = json.Marshal(tree)
	require.NoError(t, err)
	return string(text)
}

func prune(tree any, name string) {
	switch tree := tree.(type) {
	case map[string]any:
		delete(tree, name)
		for _, member := range tree {
			prune(member, name)
		}
	case []any:
		for _, element := range tree {
			prune(element, name)
		}
	}
}

// TestTemporalSeesNothingOfAnEvent drives every kind of payload through Temporal
// and looks for it as somebody without the key, and then as an operator.
func TestTemporalSeesNothingOfAnEvent(t *testing.T) {
	t.Parallel()
	const ui = "http://127.0.0.1:18233"
	sys := up(t, settings{env: []string{"POSTHASTE_TEMPORAL_UI_URL=" + ui}})
	rec := newReceiver(t, status(500))
	sys.createWebhook(rec.URL, `"name":"canary-name"`, `"events":["order.paid"]`, `"retry":{"mode":"schedule","delaysSeconds":[3600]}`)
	event := sys.enqueue(`{"type":"order.paid","data":{"canary":"canary-data"}}`)
	delivery := sys.awaitStates(event.ID, 10*time.Second, "retrying")[0]
	sys.awaitWaiting(event.ID, 1)
	id := workflows.EventWorkflowID(sys.tenant, event.ID)
	secrets := []string{"canary", rec.Listener.Addr().String(), "order.paid", "server_error"}

	stranger := sys.strangersClient()
	described, err := stranger.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	looked := []proto.Message{described}
	require.Len(t, described.GetPendingActivities(), 1)
	require.Equal(t, "Encoded failure", described.GetPendingActivities()[0].GetLastFailure().GetMessage())

	code, a := sys.call("POST", "/api/deliveries/"+delivery.ID+"/retry", "") // a signal, and a cancelled activity
	require.Equal(t, http.StatusAccepted, code, a.raw)
	rec.await(2, 10*time.Second)
	for _, event := range events(t, stranger, id) {
		looked = append(looked, event)
	}
	var sealed []*commonpb.Payload
	for _, message := range looked {
		text := withoutAttributes(t, message)
		for _, secret := range secrets {
			require.NotContains(t, text, secret)
		}
		for _, payload := range payloadsOf(t, message) {
			if string(payload.GetData()) == `"ACTIVITY_ID_NOT_STARTED"` {
				continue // Temporal's own words for an activity cancelled while it waits
			}
			require.Equal(t, "binary/encrypted", string(payload.GetMetadata()["encoding"]), "%s", text)
			require.Equal(t, "posthaste/1", string(payload.GetMetadata()["sealed-by"]))
			for _, secret := range secrets {
				require.NotContains(t, string(payload.GetData()), secret)
			}
			sealed = append(sealed, payload)
		}
	}
	require.Greater(t, len(sealed), 6, "input, summaries, markers, signal, failure")
	require.NoError(t, visit.VisitFailures(t.Context(), described, visit.VisitFailuresOptions{
		Visitor: func(_ *visit.VisitFailuresContext, failure *failurepb.Failure) error {
			require.Equal(t, "Encoded failure", failure.GetMessage())
			require.Empty(t, failure.GetStackTrace())
			return nil
		},
	}))
	sys.searchAttributesArePlain(t, stranger, id)

	body, err := protojson.Marshal(&commonpb.Payloads{Payloads: sealed})
	require.NoError(t, err)
	admin := strings.TrimSpace(run(t, sys.env, "token", "--tenant", "operators", "--admin"))
	t.Run("an operator reads it", func(t *testing.T) {
		response := sys.decode(t, nil, body, "Authorization", "Bearer "+admin)
		require.Equal(t, http.StatusOK, response.status, response.body)
		var opened commonpb.Payloads
		require.NoError(t, protojson.Unmarshal([]byte(response.body), &opened))
		require.Len(t, opened.GetPayloads(), len(sealed))
		var text strings.Builder
		for _, payload := range opened.GetPayloads() {
			text.Write(payload.GetData())
		}
		for _, secret := range append(secrets, "canary-data", "canary-name") {
			require.Contains(t, text.String(), secret)
		}
	})
	t.Run("others do not", func(t *testing.T) {
		for header, want := range map[string]int{"": 401, "Bearer " + sys.token: 403, "Bearer nonsense": 401} {
			response := sys.decode(t, nil, body, "Authorization", header)
			require.Equal(t, want, response.status, response.body)
			require.NotContains(t, response.body, "canary")
		}
	})
	t.Run("the Temporal CLI shows it", func(t *testing.T) {
		text := sys.show(t, id, "--codec-endpoint", sys.api+"/api/temporal/codec", "--codec-auth", "Bearer "+admin)
		require.Contains(t, text, "canary-data")
		require.Contains(t, text, "order.paid · tenant acme")
		require.NotContains(t, sys.show(t, id), "canary")
	})
	t.Run("Web UI shows it to a browser that signed in", func(t *testing.T) { sys.browse(t, ui, admin, body) })
}

// searchAttributesArePlain: Temporal has to compare them.
func (sys *system) searchAttributesArePlain(t *testing.T, c client.Client, id string) {
	t.Helper()
	described, err := c.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	fields := described.GetWorkflowExecutionInfo().GetSearchAttributes().GetIndexedFields()
	require.Equal(t, "order.paid", text(t, fields["PosthasteEventType"]))
}

// show is what `temporal workflow show` tells: the data of all payloads.
func (sys *system) show(t *testing.T, id string, flags ...string) string {
	t.Helper()
	cli, err := filepath.Abs("../bin/temporal")
	require.NoError(t, err)
	command := exec.Command(cli, append([]string{
		"workflow", "show", "--address", sys.server.address, "--namespace", sys.namespace, "--workflow-id", id, "--output", "json",
	}, flags...)...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	output, err := command.Output()
	require.NoError(t, err, "%s", stderr.String())
	var history historypb.History
	require.NoError(t, protojson.Unmarshal(output, &history))
	var text strings.Builder
	for _, payload := range payloadsOf(t, &history) {
		text.Write(payload.GetData())
	}
	return text.String()
}

type decoded struct {
	status int
	header http.Header
	body   string
}

func (sys *system) decode(t *testing.T, jar http.CookieJar, body []byte, headers ...string) decoded {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sys.api+"/api/temporal/codec/decode", bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Namespace", sys.namespace)
	return fetch(t, jar, request, headers...)
}

func fetch(t *testing.T, jar http.CookieJar, request *http.Request, headers ...string) decoded {
	t.Helper()
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] != "" {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := (&http.Client{Jar: jar}).Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return decoded{response.StatusCode, response.Header, string(text)}
}

// browse goes the way of a browser: page, form, cookie, preflight, request.
func (sys *system) browse(t *testing.T, ui, token string, body []byte) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	page := sys.api + "/api/temporal/codec"
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page+"/sign-in", strings.NewReader(url.Values{"token": {token}}.Encode()))
	require.NoError(t, err)
	signedIn := fetch(t, jar, request, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusOK, signedIn.status, "back on the page")
	require.Contains(t, signedIn.body, "token of operators")

	request, err = http.NewRequestWithContext(t.Context(), http.MethodOptions, page+"/decode", nil)
	require.NoError(t, err)
	asked := fetch(t, nil, request, "Origin", ui, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-namespace")
	require.Equal(t, http.StatusNoContent, asked.status)
	require.Equal(t, ui, asked.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", asked.header.Get("Access-Control-Allow-Credentials"))

	shown := sys.decode(t, jar, body, "Origin", ui, "Sec-Fetch-Site", "same-site")
	require.Equal(t, http.StatusOK, shown.status, shown.body)
	require.Equal(t, ui, shown.header.Get("Access-Control-Allow-Origin"))
	elsewhere := sys.decode(t, jar, body, "Origin", "http://127.0.0.1:9999", "Sec-Fetch-Site", "same-site")
	require.Equal(t, http.StatusForbidden, elsewhere.status)
	require.Empty(t, elsewhere.header.Get("Access-Control-Allow-Origin"))

	root, err := url.Parse(sys.api + "/api/webhooks")
	require.NoError(t, err)
	require.Empty(t, jar.Cookies(root), "the cookie is for the endpoint alone")
}

// TestARepeatedKeyIsKnownBySealedMemos: duplicates are told apart by the
// memo while the ledger cannot be asked.
func TestARepeatedKeyIsKnownBySealedMemos(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{})
	sys.start("api").awaitReady() // nothing reaches the ledger
	enqueue := func(amount string) int {
		code, _ := sys.call("POST", "/api/events", `{"type":"order.paid","data":{"amount":`+amount+`}}`, "Idempotency-Key", "once")
		return code
	}
	require.Equal(t, http.StatusAccepted, enqueue("1"))
	require.Equal(t, http.StatusOK, enqueue("1"))
	require.Equal(t, http.StatusConflict, enqueue("2"))
}

// TestAWorkflowWaitsForAProcessWithItsKey: what a process cannot open is not
// lost.
func TestAWorkflowWaitsForAProcessWithItsKey(t *testing.T) {
	t.Parallel()
	sys, rec := install(t, settings{}), newReceiver(t, nil)
	sys.start("api").awaitReady()
	other, err := keyset.Generate()
	require.NoError(t, err)
	probes := fmt.Sprintf("127.0.0.1:%d", freePort())
	stranger := sys.start("worker", "POSTHASTE_ENCRYPTION_KEYSET="+other, "POSTHASTE_HTTP_ADDR="+probes)
	sys.await("the other worker", 20*time.Second, func() bool { // it would not start beside secrets that it cannot open
		response, err := http.Get("http://" + probes + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	sys.createWebhook(rec.URL)
	event := sys.enqueue(paid)
	id, c := workflows.EventWorkflowID(sys.tenant, event.ID), sys.temporalClient()
	sys.await("a failed task", 20*time.Second, func() bool {
		described, err := c.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		return described.GetPendingWorkflowTask().GetAttempt() > 1
	})
	stranger.kill()
	require.Empty(t, rec.all())
	sys.start("worker", "POSTHASTE_HTTP_ADDR=127.0.0.1:0")
	rec.await(1, 30*time.Second)
	sys.awaitStates(event.ID, 10*time.Second, "delivered")
}
