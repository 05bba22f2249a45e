package main

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	sdklog "go.temporal.io/sdk/log"
)

func TestFailedPollsAreNewsUntilTheStop(t *testing.T) {
	t.Parallel()
	var printed strings.Builder
	stopping := false
	handler := quietPolls{slog.NewTextHandler(&printed, nil), func() bool { return stopping }}
	logger := sdklog.NewStructuredLogger(slog.New(handler))
	logger = logger.(sdklog.WithLogger).With("TaskQueue", "posthaste")

	logger.Warn(pollFailed, "Error", "connection lost")
	require.Contains(t, printed.String(), "connection lost")

	stopping = true
	printed.Reset()
	logger.Warn(pollFailed, "Error", "worker stopping")
	require.Empty(t, printed.String())
	logger.Warn("Something else.")
	require.Contains(t, printed.String(), "Something else.")
}
