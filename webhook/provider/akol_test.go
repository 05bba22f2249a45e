package provider_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/webhook"
)

func TestAKO01_CreatedWithASecretOfItsOwn(t *testing.T) {
	t.Parallel()
	akol := on(t, "akol")
	_, faults := akol.create(webhook.Subscription{Name: "CRM Call Logger"}, "call.ended", "transcript.ready")
	require.Empty(t, faults)
	secret, err := akol.GenerateSecret(bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
	require.NoError(t, err)
	require.Regexp(t, `^whsec_[A-Za-z0-9_-]{43}$`, secret.Reveal())

	tests := []struct {
		name string
		give webhook.Subscription
		want map[string]string
	}{
		{"http", webhook.Subscription{URL: "http://receiver.example.com/"}, map[string]string{"url": "must use https"}},
		{"no name", webhook.Subscription{Name: " "}, map[string]string{"name": "is required"}},
		{"a secret", webhook.Subscription{Secrets: []webhook.Secret{ownSecret}}, map[string]string{"secret": "is generated; leave it out"}},
		{"a version", webhook.Subscription{Version: "v1"}, map[string]string{"version": "has no meaning: Akol has no versions"}},
	}
	for _, test := range tests {
		_, faults := akol.create(test.give, "call.ended")
		require.Equal(t, test.want, faults, test.name)
	}
	_, faults = akol.create(webhook.Subscription{}, "call.voicemail")
	require.Contains(t, faults, "events[0]")
}

// TestAKO03_EveryTypeSigned: the header is the bare digest of the body.
func TestAKO03_EveryTypeSigned(t *testing.T) {
	t.Parallel()
	akol := on(t, "akol")
	w := akol.subscribe(webhook.Subscription{}, akol.EventNames()...)
	require.Len(t, w.Events, 14)
	for _, name := range w.Events {
		e := akol.sample(name, "")
		r := akol.request(e, w, goldenTime)
		require.Equal(t, hmacHex(ownSecret, string(r.Body)), header(t, r, "X-Webhook-Signature"), name)
		var body map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(r.Body, &body))
		require.Len(t, body, 5)
		require.Equal(t, string(e.Data), string(body["data"]), name)
		require.JSONEq(t, `"biz_acme"`, string(body["businessId"]))
		require.JSONEq(t, `"whk_webhook-1"`, string(body["webhookId"]))
	}
}

// TestAkolIdsKeepTheirPrefix: a platform whose tenants are biz_... already sends
// them as they are.
func TestAkolIdsKeepTheirPrefix(t *testing.T) {
	t.Parallel()
	akol := on(t, "akol")
	e, w := akol.sample("call.started", ""), akol.subscribe(webhook.Subscription{})
	e.Tenant, w.Tenant = "biz_7", "biz_7"
	require.Contains(t, string(akol.request(e, w, goldenTime).Body), `"businessId":"biz_7"`)
}

// TestAKO04_TheNewSecretAlone: after a rotation nothing is signed with the old.
func TestAKO04_TheNewSecretAlone(t *testing.T) {
	t.Parallel()
	akol := on(t, "akol")
	e, w := akol.sample("call.ended", ""), akol.subscribe(webhook.Subscription{})
	require.False(t, akol.SeveralSignatures())
	w.Secrets = []webhook.Secret{"the-new-one", ownSecret}
	r := akol.request(e, w, goldenTime)
	require.Equal(t, hmacHex("the-new-one", string(r.Body)), header(t, r, "X-Webhook-Signature"))
}

// TestAKO11_NothingIsMadeUp: one event is one type, however much another means
// the same.
func TestAKO11_NothingIsMadeUp(t *testing.T) {
	t.Parallel()
	akol := on(t, "akol")
	for _, enqueued := range akol.EventNames() {
		e := akol.sample(enqueued, "")
		for _, wanted := range akol.EventNames() {
			got := akol.Match(e, akol.subscribe(webhook.Subscription{}, wanted))
			require.Equal(t, enqueued == wanted, got == deliver, "%s to a webhook of %s", enqueued, wanted)
		}
		body := akol.request(e, akol.subscribe(webhook.Subscription{}), goldenTime).Body
		require.Contains(t, string(body), `{"event":"`+enqueued+`",`)
	}
}

func TestAkolRetriesWhenAsked(t *testing.T) {
	t.Parallel()
	akol := on(t, "akol")
	policy := webhook.RetryPolicy{Mode: webhook.RetrySchedule, DelaysSeconds: []int{5, 60}}
	w := akol.subscribe(webhook.Subscription{Retry: &policy})
	require.Equal(t, policy, akol.Policy(w))
	_, err := on(t, "activecampaign").GenerateSecret(bytes.NewReader(nil))
	require.True(t, errs.Is(err, errs.Invalid))
}
