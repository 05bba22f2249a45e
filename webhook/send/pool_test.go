package send

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

// counting is a receiver that counts its connections.
func counting(tb testing.TB, serve http.HandlerFunc) (string, *atomic.Int32) {
	tb.Helper()
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(serve)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	tb.Cleanup(server.Close)
	return server.URL, &connections
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	url, connections := counting(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write(make([]byte, MaxResponseBody))
	})
	s := newSender(t)
	for range 20 {
		require.Equal(t, webhook.ReasonServerError, s.Send(t.Context(), post(url)).Outcome.Reason)
	}
	require.EqualValues(t, 1, connections.Load())
}

func TestABurstFindsItsConnectionsAgain(t *testing.T) {
	t.Parallel()
	const width = 16
	var gate sync.WaitGroup
	url, connections := counting(t, func(http.ResponseWriter, *http.Request) {
		gate.Done()
		gate.Wait() // all of them are here at once
	})
	s := newSender(t)
	for range 3 {
		gate.Add(width)
		var burst sync.WaitGroup
		for range width {
			burst.Go(func() { s.Send(t.Context(), post(url)) })
		}
		burst.Wait()
	}
	require.EqualValues(t, width, connections.Load())
}

// TestNothingPilesUp runs in a process of its own, to count in peace.
func TestNothingPilesUp(t *testing.T) {
	t.Parallel()
	if !child(t) {
		return
	}
	stalled, slow, never := listen(t, hang), listen(t, trickle("HTTP/1.1 200 OK\r\nX-Slow: ", "x")), fullBacklog(t)
	endless := listen(t, endlessly("HTTP/1.1 200 OK\r\n\r\n"))
	s := newSender(t, func(o *Options) { o.ConnectTimeout = brief })
	round := func() {
		var wg sync.WaitGroup
		for range 10 {
			for _, url := range []string{"http://" + stalled, "https://" + stalled, "http://" + slow, "http://" + never, "http://" + endless} {
				wg.Go(func() {
					request := post(url)
					request.Timeout = brief / 5
					s.Send(t.Context(), request)
				})
			}
		}
		wg.Wait()
	}
	for range 4 {
		round()
	}
	require.Eventually(t, settled(s, 20), patient, 10*time.Millisecond)
}

// settled reports whether goroutines and open files are few. A connection that
// came about after its POST had ended waits in the pool, so that is emptied.
func settled(s *Sender, limit int) func() bool {
	return func() bool {
		s.Close()
		files, err := os.ReadDir("/proc/self/fd")
		return err == nil && len(files) < 2*limit && runtime.NumGoroutine() < limit
	}
}

func BenchmarkSend(b *testing.B) {
	url, _ := counting(b, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s := newSender(b)
	request := post(url)
	request.Body = make([]byte, 1024)
	request.Header = []Header{{"Content-Type", "application/json"}, {"User-Agent", "Posthaste"}, {"webhook-id", "x"},
		{"webhook-timestamp", "1"}, {"webhook-signature", "v1,x"}}
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
