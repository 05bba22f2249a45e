package codec

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"

	"posthaste/keyset"
)

// events is the input of a workflow of so many events of some 800 bytes, as the
// door writes it: names repeat, while ids, hashes and addresses do not.
func events(count int) string {
	list := make([]string, count)
	for i := range list {
		hash := fmt.Sprintf("%x", sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
		list[i] = fmt.Sprintf(`{"id":"%s-%s-7000-8%s-%s","tenant":"acme","provider":"shop","type":"order.paid","source":"api",`+
			`"data":{"id":"ord_%s","customer":{"email":"%s@example.com","phone":"+1555%07d","address":{"street":"%d Main Street","zip":"%05d"}},`+
			`"lines":[{"sku":"sku-%d","title":"Tea & biscuits","price":%d.25,"count":%d},{"sku":"sku-%s","title":"A kettle of copper","price":39.9,"count":1}],`+
			`"note":"Please leave it at the back door, the dog barks but does no harm to anybody; ring %d.","token":"%s","paid":true,"gift":false},`+
			`"occurredAt":"2026-05-30T10:00:%02d.%03dZ","acceptedAt":"2026-05-30T10:00:%02d.%03dZ","bodyHash":"%s"}`,
			hash[:8], hash[8:12], hash[12:15], hash[15:27], hash[27:37], hash[37:45], i*7919%9999999, i*13, i*37%99999,
			i*31, i%90, i%5, hash[45:50], i, hash[50:], i%60, i*37%1000, i%60, i*41%1000, hash)
	}
	return `{"events":[` + strings.Join(list, ",") + `]}`
}

func BenchmarkSeal(b *testing.B) {
	benchmark(b, func(b *testing.B, c Codec, given []*commonpb.Payload) {
		b.Helper()
		for b.Loop() {
			if _, err := c.Encode(given); err != nil {
				b.Fatal(err)
			}
		}
		sealed, err := c.Encode(given)
		require.NoError(b, err)
		b.ReportMetric(float64(len(sealed[0].GetData())), "sealed-B")
	})
}

func BenchmarkOpen(b *testing.B) {
	benchmark(b, func(b *testing.B, c Codec, given []*commonpb.Payload) {
		b.Helper()
		sealed, err := c.Encode(given)
		require.NoError(b, err)
		for b.Loop() {
			if _, err := c.Decode(sealed); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmark(b *testing.B, step func(*testing.B, Codec, []*commonpb.Payload)) {
	b.Helper()
	line, err := keyset.Generate()
	require.NoError(b, err)
	keys, err := keyset.Parse(line)
	require.NoError(b, err)
	for _, count := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("events=%d", count), func(b *testing.B) {
			text := events(count)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			step(b, New(keys), []*commonpb.Payload{{
				Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(text),
			}})
		})
	}
}
