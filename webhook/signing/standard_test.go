package signing_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	library "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"posthaste/webhook"
	"posthaste/webhook/signing"
)

// TestStandardLibraryVerifies holds our signatures to the reference library,
// and the library's to our Verify, over any id, time, key and body.
func TestStandardLibraryVerifies(t *testing.T) {
	t.Parallel()
	signer, err := signing.Compile(signing.Spec{Scheme: "standard-webhooks"})
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 24, 64).Draw(t, "key")
		id := rapid.StringMatching(`[A-Za-z0-9_-]{1,40}`).Draw(t, "id")
		at := time.Unix(rapid.Int64Range(1, 1<<35).Draw(t, "time"), 0)
		body := []byte(rapid.String().Draw(t, "body"))
		secret := webhook.Secret("whsec_" + base64.StdEncoding.EncodeToString(key))

		headers, err := signer.Sign(signing.Input{ID: id, Time: at, Body: body, Secrets: []webhook.Secret{secret}})
		require.NoError(t, err)
		sent := http.Header{}
		for _, h := range headers {
			sent.Set(h.Name, h.Value)
		}
		reference, err := library.NewWebhook(secret.Reveal())
		require.NoError(t, err)
		require.NoError(t, reference.VerifyIgnoringTimestamp(body, sent))

		signature, err := reference.Sign(id, at, body)
		require.NoError(t, err)
		sent.Set("webhook-signature", signature)
		require.NoError(t, signer.Verify(signing.VerifyInput{
			Header: sent.Get, Body: body, Secrets: []webhook.Secret{secret}, Now: at, Tolerance: time.Minute,
		}))
	})
}

func TestStandardSecrets(t *testing.T) {
	t.Parallel()
	signer, err := signing.Compile(signing.Spec{Scheme: "standard-webhooks"})
	require.NoError(t, err)
	encode := func(prefix string, size int) webhook.Secret {
		return webhook.Secret(prefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", size))))
	}
	for _, secret := range []webhook.Secret{encode("whsec_", 24), encode("whsec_", 64), encode("whsk_", 32)} {
		require.NoError(t, signer.CheckSecret(secret), secret.Reveal())
		require.NoError(t, signer.CheckTrusted(secret), secret.Reveal())
	}
	require.NoError(t, signer.CheckTrusted(encode("whpk_", 32)), "a receiver needs no private key")
	requireField(t, signer.CheckTrusted(encode("whpk_", 31)), "secret")
	requireField(t, signer.CheckTrusted("plain-text-secret-of-some-length"), "secret")
	for _, secret := range []webhook.Secret{
		"", "whsec_", "plain-text-secret-of-some-length", encode("", 32), encode("WHSEC_", 32),
		encode("whsec_", 23), encode("whsec_", 65), "whsec_not base64 at all, not at all",
		encode("whsec_", 32) + "\n", webhook.Secret(strings.TrimRight(encode("whsec_", 32).Reveal(), "=")),
		encode("whsk_", 31), encode("whsk_", 64), encode("whpk_", 32),
	} {
		err := signer.CheckSecret(secret)
		requireField(t, err, "secret")
		if len(secret) > 8 {
			require.NotContains(t, err.Error(), secret.Reveal()[8:])
		}
		_, err = signer.Sign(signing.Input{ID: "x", Time: time.Unix(1, 0), Secrets: []webhook.Secret{secret}})
		requireField(t, err, "secret")
	}
}
