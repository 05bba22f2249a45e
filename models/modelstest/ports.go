package modelstest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
)

// Free ports come from below those that the kernel gives to whoever asks for any
// (on Linux those from 32768), so that nobody gets one between the moment it was
// found free and the moment its server takes it, or while that is restarted.
// Temporal's table of its members has no room for a port above 32767.
const (
	lowestPort = 20_000
	portsThere = 12_000
)

// portsTaken counts on from anywhere: other test processes do the same at the same
// time.
var portsTaken = func() *atomic.Int64 {
	var from atomic.Int64
	from.Store(rand.Int64N(portsThere))
	return &from
}()

// FreePorts returns the first of so many ports of 127.0.0.1 in a row that nobody
// has. This process gets each of them once, until it has had them all.
func FreePorts(many int) (first int, err error) {
	for range portsThere / many {
		next := portsTaken.Add(int64(many)) - int64(many)
		first = lowestPort + int(next%portsThere)
		if err = portsFree(first, many); err == nil {
			return first, nil
		}
	}
	return 0, fmt.Errorf("no %d ports in a row are free: %w", many, err)
}

func portsFree(first, many int) error {
	for port := first; port < first+many; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		if err := listener.Close(); err != nil {
			return err
		}
	}
	return nil
}
