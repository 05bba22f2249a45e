package send

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"posthaste/webhook"
)

// BenchmarkSend shows what a kept connection is worth, in clear and under TLS:
// the receivers are the same but for how they end an answer. New connections
// over TLS resume a session, as they do in production.
func BenchmarkSend(b *testing.B) {
	for _, bench := range []struct {
		name       string
		start      func(*httptest.Server)
		keepsAlive bool
	}{
		{"conn=kept/tls=none", (*httptest.Server).Start, true},
		{"conn=new/tls=none", (*httptest.Server).Start, false},
		{"conn=kept/tls=1.3", (*httptest.Server).StartTLS, true},
		{"conn=new/tls=1.3", (*httptest.Server).StartTLS, false},
		{"conn=kept/tls=h2", startHTTP2, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				w.WriteHeader(http.StatusNoContent)
			}))
			server.Config.SetKeepAlivesEnabled(bench.keepsAlive)
			bench.start(server)
			b.Cleanup(server.Close)
			benchmarkSend(b, newSender(b, trustingServer(server)), server.URL)
		})
	}
}

func benchmarkSend(b *testing.B, s *Sender, url string) {
	b.Helper()
	request := post(url)
	request.Body = make([]byte, 1024)
	request.Header = []Header{{"Content-Type", "application/json"}, {"User-Agent", "Posthaste"}, {"webhook-id", "x"},
		{"webhook-timestamp", "1"}, {"webhook-signature", "v1,x"}}
	b.SetBytes(int64(len(request.Body)))
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if got := s.Send(b.Context(), request); got.Outcome.Kind != webhook.Delivered {
				b.Error(got.Outcome.Detail)
			}
		}
	})
}
