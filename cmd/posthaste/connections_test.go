package main

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConnectionsThatAskNothingKeepNobodyOut(t *testing.T) {
	t.Parallel()
	const most = 8
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	held := newConnections(most)
	hang := make(chan struct{})
	server := &http.Server{
		ReadHeaderTimeout: time.Minute, ConnState: held.changed, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hang" {
				<-hang
			}
			w.WriteHeader(http.StatusNoContent)
		}),
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	ask := func(conn net.Conn, path string) {
		_, err := conn.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"))
		require.NoError(t, err)
	}
	served := func(conn net.Conn) {
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusNoContent, response.StatusCode)
	}
	busy := dial()
	ask(busy, "/hang")
	idle := dial()
	ask(idle, "/")
	served(idle)
	for range 5 * most {
		dial() // and says nothing
	}
	last := dial()
	ask(last, "/")
	served(last)
	_, err = idle.Read(make([]byte, 1))
	require.Error(t, err, "the one that was quiet for the longest time had to go")
	close(hang)
	served(busy)
	held.mu.Lock()
	defer held.mu.Unlock()
	require.LessOrEqual(t, len(held.open), most)
}
