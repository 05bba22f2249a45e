package webhook_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

// TestSecretNeverPrints tries every usual way of making text of a secret.
func TestSecretNeverPrints(t *testing.T) {
	t.Parallel()
	const hidden = "whsec_c2VjcmV0"
	secret := webhook.Secret(hidden)
	subscription := webhook.Subscription{ID: "w", Secrets: []webhook.Secret{secret, secret}}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		for _, value := range []any{secret, &secret, subscription, &subscription, []webhook.Secret{secret}, map[string]webhook.Secret{"s": secret}, struct{ S webhook.Secret }{secret}} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	fmt.Fprintln(&out, secret, fmt.Errorf("failed with %v", secret))
	out.WriteString(mustMarshal(t, secret) + mustMarshal(t, subscription) + mustMarshal(t, map[string]any{"s": secret}))
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		logger.Info("signed", "secret", secret, "webhook", subscription, "pointer", &subscription)
	}
	require.NotContains(t, out.String(), hidden)
	require.NotContains(t, strings.ToLower(out.String()), fmt.Sprintf("%x", hidden), "not in hex either")
	require.Contains(t, out.String(), "[secret]")
	require.Equal(t, hidden, secret.Reveal())
}

func TestSubscriptionTimeout(t *testing.T) {
	t.Parallel()
	require.Equal(t, 30*time.Second, webhook.Subscription{}.Timeout(30*time.Second))
	require.Equal(t, 5*time.Second, webhook.Subscription{TimeoutSeconds: 5}.Timeout(30*time.Second))
}

func TestCarriesCredential(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"Authorization": true, "authorization": true, "Proxy-Authorization": true, "Cookie": true, "X-Api-Key": true,
		"X-AUTH-TOKEN": true, "X-Client-Secret": true, "X-Password": true,
		"": false, "Content-Type": false, "X-Tenant": false, "X-Delivery-Id": false, "User-Agent": false,
	}
	for header, want := range tests {
		require.Equal(t, want, webhook.CarriesCredential(header), "%q", header)
	}
}
