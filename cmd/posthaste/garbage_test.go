package main

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGarbageWaitsUnlessGOGCSaysOtherwise(t *testing.T) { //nolint:paralleltest // it sets what holds for the process
	before := debug.SetGCPercent(123)
	t.Cleanup(func() { debug.SetGCPercent(before) })

	collectSeldom(func(name string) (string, bool) { return "123", name == "GOGC" })
	require.Equal(t, 123, debug.SetGCPercent(123))
	collectSeldom(func(string) (string, bool) { return "", false })
	require.Equal(t, garbagePercent, debug.SetGCPercent(123))
}
