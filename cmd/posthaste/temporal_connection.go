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

func temporalConnection() client.ConnectionOptions {
	retry := backoff.DefaultConfig // its jitter keeps processes from coming back together
	retry.BaseDelay, retry.MaxDelay = temporalFirstRetry, temporalLastRetry
	return client.ConnectionOptions{
		KeepAliveTime: temporalPing, KeepAliveTimeout: temporalPong,
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: retry, MinConnectTimeout: temporalConnect,
		})},
	}
}
