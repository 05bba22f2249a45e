package send

import (
	"context"
	"net"
)

// ResolverAt returns a resolver that asks the DNS server at the address, a
// host:port, for every name that the machine's own hosts file does not have. It
// is dialled as it is: an operator names it, and the guard is for receivers.
func ResolverAt(address string) *net.Resolver {
	return &net.Resolver{
		// The system's own lookup functions take no server.
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
}
