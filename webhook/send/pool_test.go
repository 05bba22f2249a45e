package send

import (
	"fmt"
	"io"
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
	server, connections := countingUnstarted(tb, serve)
	server.Start()
	return server.URL, connections
}

func countingUnstarted(tb testing.TB, serve http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	tb.Helper()
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(serve)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	tb.Cleanup(server.Close)
	return server, &connections
}

// trustingServer makes a Sender trust the server, where it speaks TLS.
func trustingServer(server *httptest.Server) func(*Options) {
	return func(o *Options) {
		if cert := server.Certificate(); cert != nil {
			(&authority{cert: cert}).trusted(o)
		}
	}
}

func startHTTP2(server *httptest.Server) {
	server.EnableHTTP2 = true
	server.StartTLS()
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

// TestFewConnectionsCarryManyPosts: one webhook may have 16 POSTs in flight. The
// first of them are there all at once, so that none takes over the connection
// that another one is dialling and lets its own become a spare.
func TestFewConnectionsCarryManyPosts(t *testing.T) {
	t.Parallel()
	const posts, width = 200, 16
	for name, tc := range map[string]struct {
		start func(*httptest.Server)
		width int32
	}{
		"one after the other, in clear": {(*httptest.Server).Start, 1},
		"16 at a time, in clear":        {(*httptest.Server).Start, width},
		"one after the other, HTTP/1.1": {(*httptest.Server).StartTLS, 1},
		"16 at a time, HTTP/1.1":        {(*httptest.Server).StartTLS, width},
		"one after the other, HTTP/2":   {startHTTP2, 1},
		"16 at a time, HTTP/2":          {startHTTP2, width},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got atomic.Int32
			var gate sync.WaitGroup
			gate.Add(int(tc.width))
			server, connections := countingUnstarted(t, func(w http.ResponseWriter, r *http.Request) {
				if got.Add(1) <= tc.width {
					gate.Done()
					gate.Wait()
				}
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = w.Write(make([]byte, MaxResponseBody))
			})
			tc.start(server)
			s := newSender(t, trustingServer(server))
			var left atomic.Int32
			left.Store(posts)
			var all sync.WaitGroup
			for range tc.width {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if outcome := s.Send(t.Context(), post(server.URL)).Outcome; outcome.Kind != webhook.Delivered {
							t.Error(outcome.Detail)
						}
					}
				})
			}
			all.Wait()
			require.EqualValues(t, posts, got.Load())
			require.LessOrEqual(t, connections.Load(), tc.width)
			t.Logf("%d POSTs over %d connections", posts, connections.Load())
		})
	}
}

// TestAConnectionCarriesNothingOver: webhooks of strangers share a host, and so a
// connection. What one of them sends or is given must not reach the other.
func TestAConnectionCarriesNothingOver(t *testing.T) {
	t.Parallel()
	var seen []http.Header // requests come one after the other
	url, connections := counting(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Clone())
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "first"})
		w.Header().Set("Www-Authenticate", "Basic")
		w.Header().Set("Alt-Svc", `h2="elsewhere.example:443"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	s := newSender(t)
	first, second := post(url+"/first?token=1"), post(url+"/second")
	first.Header = []Header{{"Authorization", "Bearer first"}, {"Cookie", "a=first"}, {"X-Team", "first"}}
	s.Send(t.Context(), first)
	s.Send(t.Context(), second)
	s.Send(t.Context(), second)
	require.EqualValues(t, 1, connections.Load(), "they share a connection")
	require.Len(t, seen, 3)
	require.Equal(t, "Bearer first", seen[0].Get("Authorization"))
	for _, header := range seen[1:] {
		require.NotContains(t, fmt.Sprint(header), "first")
		require.Equal(t, http.Header{"Content-Length": {"7"}}, header)
	}
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
					request.Timeout = instant
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
