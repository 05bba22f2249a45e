package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/provider"
)

const demoSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

var receiverNow = time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)

// newReceiver returns one of a provider at a standing clock.
func newReceiver(t *testing.T, name, secret string, show func(io.Writer, *arrival)) (*receiver, *strings.Builder) {
	t.Helper()
	registry, err := provider.Load("")
	require.NoError(t, err)
	profile, err := registry.Profile(name)
	require.NoError(t, err)
	var out strings.Builder
	return &receiver{
		profile: profile, secret: webhook.Secret(secret), now: func() time.Time { return receiverNow },
		show: func(came *arrival) { show(&out, came) },
	}, &out
}

func post(t *testing.T, r http.Handler, body string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks", strings.NewReader(body))
	for name, values := range header {
		request.Header[name] = values
	}
	response := httptest.NewRecorder()
	r.ServeHTTP(response, request)
	return response
}

// signed signs with the library that customers use.
func signed(t *testing.T, secret, body string, at time.Time) http.Header {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	signature, err := signer.Sign("evt_1", at, []byte(body))
	require.NoError(t, err)
	return http.Header{
		"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {signature},
	}
}

func TestDemoReceiverPrintsOneLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body, secret string
		status             int
		want               string
	}{
		{"verified", `{"type":"order.paid","timestamp":"2026-05-30T10:00:00.000Z","data":{"orderId":1042}}`, demoSecret, 204,
			"10:00:00 received order.paid {\"orderId\":1042} verified\n"},
		{"another secret", `{"type":"order.paid","data":{}}`, "whsec_YW5vdGhlcg==", 401,
			"10:00:00 received order.paid {} NOT VERIFIED: no signature matches\n"},
		{"terminal tricks", `{"type":"a\u001b[2Jb","data":"` + "\u202e" + `"}`, demoSecret, 204,
			"10:00:00 received a [2Jb \" \" verified\n"},
		{"long data", `{"type":"a","data":"` + strings.Repeat("ü", 500) + `"}`, demoSecret, 204,
			"10:00:00 received a \"" + strings.Repeat("ü", 99) + "… verified\n"},
		{"no JSON", `contact[id]=1`, demoSecret, 204, "10:00:00 received something else contact[id]=1 verified\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver, out := newReceiver(t, demoProvider, demoSecret, showBriefly)
			require.Equal(t, tt.status, post(t, receiver, tt.body, signed(t, tt.secret, tt.body, receiverNow)).Code)
			require.Equal(t, tt.want, out.String())
		})
	}
}

func TestReceiverSaysWhyItDoesNotVerify(t *testing.T) {
	t.Parallel()
	const body = `{"type":"a","data":{}}`
	altered := signed(t, demoSecret, body, receiverNow)
	altered.Set("Webhook-Id", "evt_2")
	tests := []struct {
		name, provider, secret string
		header                 http.Header
		status                 int
		want                   string
	}{
		{"unsigned", "standard", demoSecret, nil, 401, "NOT VERIFIED: one of webhook-id, webhook-timestamp and webhook-signature is missing"},
		{"too old", "standard", demoSecret, signed(t, demoSecret, body, receiverNow.Add(-301*time.Second)), 401, "NOT VERIFIED: the signature is too old: 5m1s"},
		{"from the future", "standard", demoSecret, signed(t, demoSecret, body, receiverNow.Add(time.Hour)), 401, "NOT VERIFIED: the signature is 1h0m0s in the future"},
		{"altered", "standard", demoSecret, altered, 401, "NOT VERIFIED: no signature matches"},
		{"no secret of this provider", "standard", "hunter2", signed(t, demoSecret, body, receiverNow), 401, "NOT VERIFIED: secret must begin with"},
		{"no secret", "standard", "", signed(t, demoSecret, body, receiverNow), 204, "not checked: give the webhook's secret with --secret"},
		{"a provider that does not sign", "activecampaign", "", nil, 204, "not checked: ActiveCampaign signs nothing"},
		{"every version is tried", "aktify", "an-aktify-client-secret", http.Header{"Aktify-Signature": {"t=1780135200000,v2=00"}}, 401,
			"v1: the header aktify-signature is not of the form t={t},v1={sig}; v2: no signature matches"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver, out := newReceiver(t, tt.provider, tt.secret, showFully)
			require.Equal(t, tt.status, post(t, receiver, body, tt.header).Code)
			require.Contains(t, out.String(), tt.want)
			require.NotContains(t, out.String(), "hunter2")
		})
	}
}

func TestReceiverShowsAPOSTInFull(t *testing.T) {
	t.Parallel()
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	tests := []struct {
		name, body string
		header     http.Header
		want       string
	}{
		{"JSON keeps its order and its numbers", `{"b":1.50,"a":[{"x":"<é>"}]}`, http.Header{"Content-Type": {"application/json"}},
			"10:00:00  POST 1  /webhooks  from 192.0.2.1\n  Content-Type: application/json\n\n  {\n    \"b\": 1.50,\n    \"a\": [\n      {\n        \"x\": \"<é>\"\n      }\n    ]\n  }\n"},
		{"a form", `type=subscribe&contact%5Bname%5D=Ann+%26+Bo%1b%5B2J&odd=%zz`, form,
			"\n  type = subscribe\n  contact[name] = Ann & Bo [2J\n  odd = %zz\n"},
		{"nothing", ``, nil, "\n  (no body)\n"},
		{"text", "one\ntwo\a", nil, "\n  one\n  two \n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver, out := newReceiver(t, "standard", "", showFully)
			post(t, receiver, tt.body, tt.header)
			require.Contains(t, out.String(), tt.want)
			require.Contains(t, out.String(), "\n  answer 204 No Content\n\n")
		})
	}
}

func TestReceiverShowsAPOSTToAProgram(t *testing.T) {
	t.Parallel()
	const body = `{"type":"a","data":"<1>"}`
	receiver, out := newReceiver(t, "standard", demoSecret, showJSON)
	post(t, receiver, body, signed(t, demoSecret, body, receiverNow))
	post(t, receiver, body, nil)
	receiver.secret = ""
	post(t, receiver, body, nil)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 3)
	yes, no := true, false
	for i, want := range []struct {
		verified *bool
		answer   int
	}{{&yes, 204}, {&no, 401}, {nil, 204}} {
		var got arrivalJSON
		require.NoError(t, json.Unmarshal([]byte(lines[i]), &got))
		require.Equal(t, want.verified, got.Verified)
		require.Equal(t, want.answer, got.Answer)
		require.Equal(t, i+1, got.Number)
		require.Equal(t, body, got.Body)
		require.Equal(t, want.verified == &yes, got.Why == "")
	}
}

func TestReceiverPlaysABadOne(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		bad  behaviour
		want []int
	}{
		{"down", behaviour{status: 503}, []int{503, 503, 503}},
		{"recovers", behaviour{status: 500, first: 2}, []int{500, 500, 204}},
		{"gone", behaviour{status: 410}, []int{410, 410, 410}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver, out := newReceiver(t, "standard", "", showFully)
			receiver.bad = tt.bad
			for _, want := range tt.want {
				require.Equal(t, want, post(t, receiver, "{}", nil).Code)
			}
			require.Contains(t, out.String(), "answer "+strconv.Itoa(tt.want[0]))
		})
	}

	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		receiver, _ := newReceiver(t, "standard", "", showFully)
		receiver.bad.delay = 50 * time.Millisecond
		began := time.Now()
		require.Equal(t, 204, post(t, receiver, "{}", nil).Code)
		require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	})
	t.Run("an end does not wait for a delay", func(t *testing.T) {
		t.Parallel()
		receiver, _ := newReceiver(t, "standard", "", showFully)
		stop := make(chan struct{})
		receiver.bad.delay, receiver.stop = time.Hour, stop
		close(stop)
		post(t, receiver, "{}", nil)
	})
}

func TestReceiverRefusesABrowserAndAnEndlessBody(t *testing.T) {
	t.Parallel()
	receiver, out := newReceiver(t, "standard", demoSecret, showFully)
	browser := httptest.NewRecorder()
	receiver.ServeHTTP(browser, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	require.Equal(t, http.StatusMethodNotAllowed, browser.Code)
	require.Equal(t, http.MethodPost, browser.Header().Get("Allow"))
	require.Equal(t, http.StatusBadRequest, post(t, receiver, strings.Repeat("a", receiverMaxBody+1), nil).Code)
	require.Empty(t, out.String())
}
