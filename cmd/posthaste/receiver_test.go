package main

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

const demoSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func TestReceiver(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)
	tests := []struct {
		name, method, body, secret string
		status                     int
		want                       string
	}{
		{"verified", "POST", `{"type":"order.paid","timestamp":"2026-05-30T10:00:00.000Z","data":{"orderId":1042}}`, demoSecret, 204,
			"10:00:00 received order.paid {\"orderId\":1042} verified\n"},
		{"another secret", "POST", `{"type":"order.paid","data":{}}`, "whsec_YW5vdGhlcg==", 401,
			"10:00:00 received order.paid {} NOT VERIFIED: no matching signature found\n"},
		{"terminal tricks", "POST", `{"type":"a\u001b[2Jb","data":"` + "\u202e" + `"}`, demoSecret, 204,
			"10:00:00 received a [2Jb \" \" verified\n"},
		{"long data", "POST", `{"type":"a","data":"` + strings.Repeat("ü", 500) + `"}`, demoSecret, 204,
			"10:00:00 received a \"" + strings.Repeat("ü", 99) + "… verified\n"},
		{"no JSON", "POST", `contact[id]=1`, demoSecret, 204, "10:00:00 received something else contact[id]=1 verified\n"},
		{"a browser", "GET", "", demoSecret, 405, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			receiver, err := newReceiver(demoSecret, &out, func() time.Time { return now })
			require.NoError(t, err)
			request := httptest.NewRequestWithContext(t.Context(), tt.method, "/webhooks", strings.NewReader(tt.body))
			sign(t, request, tt.secret, tt.body)
			response := httptest.NewRecorder()
			receiver.ServeHTTP(response, request)
			require.Equal(t, tt.status, response.Code)
			require.Equal(t, tt.want, out.String())
		})
	}
}

// sign signs with the real clock: the library verifies against it.
func sign(t *testing.T, request *http.Request, secret, body string) {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	signed := time.Now()
	signature, err := signer.Sign("evt_1", signed, []byte(body))
	require.NoError(t, err)
	request.Header.Set("webhook-id", "evt_1")
	request.Header.Set("webhook-timestamp", strconv.FormatInt(signed.Unix(), 10))
	request.Header.Set("webhook-signature", signature)
}

func TestReceiverRefusesAnUnsignedOrEndlessBody(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	receiver, err := newReceiver(demoSecret, &out, time.Now)
	require.NoError(t, err)

	unsigned := httptest.NewRecorder()
	receiver.ServeHTTP(unsigned, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader("{}")))
	require.Equal(t, http.StatusUnauthorized, unsigned.Code)
	require.Contains(t, out.String(), "NOT VERIFIED: missing required headers")

	endless := httptest.NewRecorder()
	receiver.ServeHTTP(endless, httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(strings.Repeat("a", receiverMaxBody+1))))
	require.Equal(t, http.StatusBadRequest, endless.Code)
}
