package provider_test

import (
	"net/http"
	"testing"
	"time"

	library "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/provider"
	"posthaste/webhook/send"
	"posthaste/webhook/signing"
)

const testSecret = webhook.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

func input(by, eventType, data string) provider.RequestInput {
	return provider.RequestInput{
		Event: webhook.Event{
			ID: "E", Tenant: "T", Provider: by, Type: eventType, Data: webhook.JSON(data), OccurredAt: goldenTime,
			Attributes: webhook.Attributes{CampaignID: "cmp_1"},
		},
		Subscription: webhook.Subscription{
			ID: "W", Tenant: "T", Provider: by, URL: "https://example.com/", TimeoutSeconds: 3, Secrets: []webhook.Secret{testSecret},
		},
		DeliveryID: "D", Now: goldenTime.Add(time.Second), UserAgent: "Posthaste/1",
	}
}

// TestOneEventTwoVersions: the event that was enqueued once goes out under each
// version's names, whichever of them the producer used.
func TestOneEventTwoVersions(t *testing.T) {
	t.Parallel()
	acme := profile(t, load(t, "testdata/operator"), "acme")
	const v1 = `{"apiVersion":"2021-08-23","type":"dnc.created","data":{"b":"& <\u0001>","phoneNumber":"1","10":[{"phone":2}]}}`
	const v2 = `{"metadata":{"eventType":"dnc.created","campaignId":"cmp_1","tenant":"biz_T","webhook":"whk_W"},"data":{"b":"& <\u0001>","phone":"1","10":[{"phone":2}]}}`
	for _, data := range []string{
		`{"b":"& <\u0001>","phone":"1","10":[{"phone":2}]}`,
		`{"b":"& <\u0001>","phoneNumber":"1","10":[{"phone":2}]}`,
	} {
		for version, want := range map[string]string{"v1": v1, "v2": v2, "": v2} {
			in := input("acme", "dnc.created", data)
			in.Subscription.Version = version
			request, err := acme.Request(in)
			require.NoError(t, err)
			require.Equal(t, want, string(request.Body))
			signer, known := acme.Signer(version)
			require.True(t, known)
			requireVerifies(t, signer, request)
		}
	}
	in := input("acme", "dnc.created", `{"phone":"1","phoneNumber":"2"}`)
	request, err := acme.Request(in)
	require.NoError(t, err)
	require.Contains(t, string(request.Body), `"data":{"phone":"1"}`)
}

func requireVerifies(t *testing.T, signer *signing.Signer, request send.Request) {
	t.Helper()
	verify := signing.VerifyInput{
		Header: toHeader(request).Get, Body: request.Body, Secrets: []webhook.Secret{testSecret},
		Now: goldenTime.Add(time.Second), Tolerance: time.Second,
	}
	require.NoError(t, signer.Verify(verify))
	verify.Body = append(verify.Body[:len(verify.Body):len(verify.Body)], ' ')
	require.True(t, errs.Is(signer.Verify(verify), errs.Unauthorized))
}

// requireBytes compares bodies byte for byte: equal JSON is not enough.
func requireBytes(t *testing.T, want string, got []byte) {
	t.Helper()
	require.Equal(t, want, string(got))
}

func toHeader(request send.Request) http.Header {
	header := http.Header{}
	for _, h := range request.Header {
		header.Add(h.Name, h.Value)
	}
	return header
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	acme := profile(t, load(t, "testdata/operator"), "acme")
	in := input("acme", "record.created", `{"fields":[1]}`)
	in.Subscription.Headers = map[string]string{
		"X-B": "2", "X-A": "1", "X-Acme-Region": "theirs", "x-delivery-id": "theirs", "Acme-Signature": "theirs", "Host": "theirs",
	}
	request, err := acme.Request(in)
	require.NoError(t, err)
	signature := request.Header[4].Value
	require.Equal(t, []send.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "User-Agent", Value: "Posthaste/1"},
		{Name: "X-Acme-Region", Value: "eu-1"},
		{Name: "X-Delivery-Id", Value: "dlv_D"},
		{Name: "Acme-Signature", Value: signature},
		{Name: "X-A", Value: "1"},
		{Name: "X-B", Value: "2"},
	}, request.Header)
	require.Regexp(t, `^t=1780135201000,v2=[0-9a-f]{64}$`, signature)
	requireBytes(t, `{"eventType":"create","fields":[1]}`, request.Body)
	require.Equal(t, "https://example.com/", request.URL)
	require.Equal(t, 3*time.Second, request.Timeout)
}

// TestRetryIsSignedAnew: the body stays, the signed time is the attempt's.
func TestRetryIsSignedAnew(t *testing.T) {
	t.Parallel()
	acme := profile(t, load(t, "testdata/operator"), "acme")
	in := input("acme", "dnc.created", `{"phone":"1"}`)
	first, err := acme.Request(in)
	require.NoError(t, err)
	in.Now = in.Now.Add(time.Minute)
	second, err := acme.Request(in)
	require.NoError(t, err)
	require.Equal(t, first.Body, second.Body)
	require.NotEqual(t, toHeader(first).Get("Acme-Signature"), toHeader(second).Get("Acme-Signature"))
}

func TestStandardRotation(t *testing.T) {
	t.Parallel()
	standard := profile(t, load(t, ""), "standard")
	in := input("standard", "order.paid", `{"a":"<b>"}`)
	in.Subscription.Secrets = []webhook.Secret{"whsec_QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", testSecret}
	request, err := standard.Request(in)
	require.NoError(t, err)
	for _, secret := range in.Subscription.Secrets {
		reference, err := library.NewWebhook(secret.Reveal())
		require.NoError(t, err)
		require.NoError(t, reference.VerifyIgnoringTimestamp(request.Body, toHeader(request)))
	}
	require.Equal(t, "E", toHeader(request).Get("webhook-id"))
	require.Equal(t, "D", toHeader(request).Get("X-Delivery-Id"))

	in.Subscription.Secrets = nil
	_, err = standard.Request(in)
	requireField(t, err, "secret")
}

func TestNoSecretNoSignature(t *testing.T) {
	t.Parallel()
	actiwapi := profile(t, load(t, ""), "actiwapi")
	in := input("actiwapi", "message.sent", `{}`)
	request, err := actiwapi.Request(in)
	require.NoError(t, err)
	require.Regexp(t, `^sha256=[0-9a-f]{64}$`, toHeader(request).Get("X-Webhook-Signature"))
	in.Subscription.Secrets = nil
	request, err = actiwapi.Request(in)
	require.NoError(t, err)
	require.NotContains(t, toHeader(request), "X-Webhook-Signature")
}

func TestRequestRefuses(t *testing.T) {
	t.Parallel()
	acme := profile(t, load(t, "testdata/operator"), "acme")
	for _, edit := range []func(*provider.RequestInput){
		func(in *provider.RequestInput) { in.Subscription.Version = "v3" },
		func(in *provider.RequestInput) { in.Subscription.Version = "v1"; in.Event.Type = "record.created" },
		func(in *provider.RequestInput) { in.Event.Type = "nope" },
		func(in *provider.RequestInput) { in.Event.Data = webhook.JSON(`{"phone`) },
	} {
		in := input("acme", "dnc.created", `{"phone":"1"}`)
		edit(&in)
		_, err := acme.Request(in)
		require.Error(t, err)
	}
}

func requireField(t *testing.T, err error, field string) {
	t.Helper()
	var coded *errs.Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, errs.Invalid, coded.Code)
	require.Contains(t, coded.Fields, field)
}
