package main

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bounded is a server that holds few connections. /hang is answered when released,
// /refused without a look at the body, all else at once.
type bounded struct {
	t       *testing.T
	address string
	entered chan struct{} // told of every request to /hang
	release chan struct{}
}

func newBounded(t *testing.T, most int) bounded {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := bounded{t, listener.Addr().String(), make(chan struct{}, 1), make(chan struct{})}
	running := serveBounded(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusNoContent
		switch r.URL.Path {
		case "/hang":
			b.entered <- struct{}{}
			<-b.release
		case "/read":
			if text, err := io.ReadAll(r.Body); err != nil || len(text) != int(r.ContentLength) {
				status = http.StatusBadRequest
			}
		case "/refused":
			status = http.StatusUnauthorized
		}
		w.WriteHeader(status)
	}), slog.New(slog.DiscardHandler), most)
	t.Cleanup(func() { require.NoError(t, running.http.Close()) })
	return b
}

func (b bounded) dial() net.Conn {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.address)
	require.NoError(b.t, err)
	require.NoError(b.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	b.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// ask sends a request that announces a body, of which only the part is sent.
func (b bounded) ask(conn net.Conn, path string, announced int, part string) {
	b.t.Helper()
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, announced, part)
	require.NoError(b.t, err)
}

// answered reads the answer and tells whether it is the connection's last one.
func (b bounded) answered(conn net.Conn, want int) (last bool) {
	b.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(b.t, err)
	require.NoError(b.t, response.Body.Close())
	require.Equal(b.t, want, response.StatusCode)
	return response.Close
}

// gone waits until the server has closed the connection.
func (b bounded) gone(conn net.Conn) {
	b.t.Helper()
	_, err := io.Copy(io.Discard, conn)
	require.NotErrorIs(b.t, err, os.ErrDeadlineExceeded, "it is still open")
}

func TestConnectionsThatAskNothingKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const most = 8
	b := newBounded(t, most)
	b.ask(b.dial(), "/hang", 0, "")
	<-b.entered
	idle := b.dial()
	b.ask(idle, "/", 0, "")
	b.answered(idle, http.StatusNoContent)
	for range 5 * most {
		b.dial() // and says nothing
	}
	last := b.dial()
	b.ask(last, "/", 0, "")
	b.answered(last, http.StatusNoContent)
	b.gone(idle)
	close(b.release)
}

// Strangers who begin requests and leave them at that, some at a handler that
// reads the body and some at one that refuses it: probes are answered all along.
func TestStrangersWithSlowBodiesKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const most, strangers, each = 128, 600, 16
	b := newBounded(t, most)
	keeps := b.dial() // one connection that goes on asking
	for n := range strangers {
		path := "/read"
		if n%2 == 0 {
			path = "/refused"
		}
		slow := b.dial()
		_, _ = fmt.Fprintf(slow, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx", path)
		if n%each == 0 {
			probe := b.dial()
			for _, conn := range []net.Conn{probe, keeps} {
				b.ask(conn, "/healthz", 0, "")
				b.answered(conn, http.StatusNoContent)
			}
		}
	}
}

// A refusal does not wait for the body that it refuses, and the connection ends
// soon after. One whose body is there goes on.
func TestRefusalsDoNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	b := newBounded(t, 8)
	for _, tt := range []struct {
		name      string
		announced int
		part      string
		closes    bool
	}{
		{"nothing of it", 1000, "", true},
		{"some of it", 1000, "x", true},
		{"some of a large one", 8 << 20, strings.Repeat("x", 64<<10), true},
		{"all of it", 1000, strings.Repeat("x", 1000), false},
		{"none", 0, "", false},
	} {
		conn := b.dial()
		began := time.Now()
		b.ask(conn, "/refused", tt.announced, tt.part)
		last := b.answered(conn, http.StatusUnauthorized)
		require.Equal(t, tt.closes, last, tt.name)
		if tt.closes {
			b.gone(conn)
			require.Less(t, time.Since(began), 10*time.Second, tt.name)
			continue
		}
		b.ask(conn, "/", 0, "")
		b.answered(conn, http.StatusNoContent)
	}
}

// Who sends a whole body with a refused request reads the answer, not a reset.
func TestRefusalsReachWhoIsStillSending(t *testing.T) {
	t.Parallel()
	b := newBounded(t, 64)
	for range 20 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.address+"/refused", strings.NewReader(strings.Repeat("x", 200<<10)))
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	}
}

// The books hold no more than the bound, and a connection that had to go does
// not come back into them when its server hears of it late.
func TestConnectionsAreBookedOnce(t *testing.T) {
	t.Parallel()
	held := newConnections(2)
	conns := make([]net.Conn, 4)
	for i := range conns {
		near, far := net.Pipe()
		conns[i] = near
		t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	}
	require.Nil(t, held.note(conns[0], http.StateNew))
	require.Nil(t, held.note(conns[1], http.StateNew))
	require.Nil(t, held.note(conns[0], http.StateActive))
	require.Nil(t, held.note(conns[1], http.StateActive))
	require.Nil(t, held.note(conns[0], http.StateIdle))
	require.Equal(t, conns[1], held.note(conns[2], http.StateNew), "the other has finished a request meanwhile")
	require.Nil(t, held.note(conns[1], http.StateIdle))
	require.Nil(t, held.note(conns[1], http.StateClosed))
	require.Equal(t, conns[0], held.note(conns[3], http.StateNew))
	require.Len(t, held.open, 2)
	require.Equal(t, 2, held.order.Len())
}
