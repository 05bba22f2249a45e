package signing_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
	"posthaste/webhook/signing"
)

const (
	sharedSecret  = webhook.Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	privateSecret = webhook.Secret("whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
)

func BenchmarkSign(b *testing.B) {
	hmac := signing.Spec{
		Scheme: "hmac", Header: "X-Signature", Digest: "sha256", Encoding: "hex", Content: "{t}.{body}", Value: "t={t},v1={sig}", TimeUnit: "seconds",
	}
	base64 := hmac
	base64.Encoding, base64.Digest = "base64", "sha512"
	for _, bench := range []struct {
		name    string
		spec    signing.Spec
		secrets []webhook.Secret
	}{
		{"scheme=none", signing.Spec{Scheme: "none"}, nil},
		{"scheme=hmac/digest=sha256", hmac, []webhook.Secret{sharedSecret}},
		{"scheme=hmac/digest=sha512", base64, []webhook.Secret{sharedSecret}},
		{"scheme=standard/key=v1", signing.Spec{Scheme: "standard-webhooks"}, []webhook.Secret{sharedSecret}},
		{"scheme=standard/key=v1a", signing.Spec{Scheme: "standard-webhooks"}, []webhook.Secret{privateSecret}},
		{"scheme=standard/key=both", signing.Spec{Scheme: "standard-webhooks"}, []webhook.Secret{privateSecret, sharedSecret}},
	} {
		signer, err := signing.Compile(bench.spec)
		require.NoError(b, err)
		for _, size := range []struct {
			name  string
			bytes int
		}{{"1KiB", 1 << 10}, {"64KiB", 64 << 10}} {
			b.Run(bench.name+"/size="+size.name, func(b *testing.B) {
				in := signing.Input{
					ID: strings.Repeat("i", 36), Time: time.Unix(1_780_000_000, 0), Body: bytes.Repeat([]byte("b"), size.bytes), Secrets: bench.secrets,
				}
				b.SetBytes(int64(size.bytes))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := signer.Sign(in); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
