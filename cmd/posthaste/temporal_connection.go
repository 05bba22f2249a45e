package main

import (
	"time"

	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// How a lost connection to Temporal is noticed and made again. The SDK's own
// numbers let 45 s pass before a dead network is noticed, and up to 10 s before a
// Temporal that is back is met.
const (
	temporalPing       = 15 * time.Second // above the 10 s that Temporal allows at least
	temporalPong       = 5 * time.Second
	temporalConnect    = 5 * time.Second // one try
	temporalFirstRetry = 200 * time.Millisecond
	temporalLastRetry  = time.Second
)

// temporalConnection also spares both sides the gzip of each request and answer
// that the SDK would have by default: what we send is sealed, which nothing makes
// smaller, and what is large was deflated before that (decision 10).
func temporalConnection() client.ConnectionOptions {
	retry := backoff.DefaultConfig // its jitter keeps processes from coming back together
	retry.BaseDelay, retry.MaxDelay = temporalFirstRetry, temporalLastRetry
	return client.ConnectionOptions{
		KeepAliveTime: temporalPing, KeepAliveTimeout: temporalPong,
		GrpcCompression: &client.GrpcCompressionNone{},
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: retry, MinConnectTimeout: temporalConnect,
		})},
	}
}
