package modelstest_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models/modelstest"
)

func TestPortsAreHandedOutOnceAndTakenOnesNotAtAll(t *testing.T) {
	t.Parallel()
	seen := map[int]bool{}
	for range 20 {
		first, err := modelstest.FreePorts(3)
		require.NoError(t, err)
		for port := first; port < first+3; port++ {
			require.False(t, seen[port], "%d comes twice", port)
			require.Less(t, port, 32768, "the kernel gives it to others")
			seen[port] = true
		}
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+4)) // in the middle of the next ones
		if err == nil {
			t.Cleanup(func() { require.NoError(t, listener.Close()) })
		}
		for port := first + 3; port < first+6; port++ {
			seen[port] = true
		}
	}
}
