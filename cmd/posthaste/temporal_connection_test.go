package main

import (
	"context"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// encodings is a server's view of how requests were compressed.
type encodings struct {
	stats.Handler
	seen atomic.Pointer[string]
}

func (*encodings) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*encodings) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*encodings) HandleConn(context.Context, stats.ConnStats)                       {}

func (e *encodings) HandleRPC(_ context.Context, s stats.RPCStats) {
	if header, ok := s.(*stats.InHeader); ok {
		e.seen.Store(&header.Compression)
	}
}

// TestNothingIsCompressedOnTheWayToTemporal holds decision 24 on the wire.
func TestNothingIsCompressedOnTheWayToTemporal(t *testing.T) {
	t.Parallel()
	var seen encodings
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpc.NewServer(grpc.StatsHandler(&seen))
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	temporal, err := client.NewLazyClient(client.Options{
		HostPort: listener.Addr().String(), Logger: quietLogger{}, ConnectionOptions: temporalConnection(),
	})
	require.NoError(t, err)
	defer temporal.Close()
	_, err = temporal.CheckHealth(t.Context(), &client.CheckHealthRequest{})
	require.Error(t, err, "it is no Temporal")
	require.NotNil(t, seen.seen.Load())
	require.Empty(t, *seen.seen.Load())
}
