package send

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// errForbidden marks an address that is never dialled.
var errForbidden = errors.New("forbidden address")

// wireServer answers every Azure machine with its own credentials, from space
// that is public by the registry.
// https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
var wireServer = netip.MustParsePrefix("168.63.129.16/32")

// guard decides which addresses may be dialled: those of the public internet,
// and what the operator allows. Any port will do; the URL rules decide ports.
type guard struct{ rules *ssrf.Guardian }

func newGuard(allow []netip.Prefix) guard {
	var allow4, allow6 []netip.Prefix
	for _, prefix := range allow {
		switch addr := prefix.Addr(); {
		case addr.Is4():
			allow4 = append(allow4, prefix)
		case addr.Is4In6() && prefix.Bits() >= 96:
			allow4 = append(allow4, netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96))
		default:
			allow6 = append(allow6, prefix)
		}
	}
	return guard{ssrf.New(
		ssrf.WithAllowedV4Prefixes(allow4...),
		ssrf.WithAllowedV6Prefixes(allow6...),
		ssrf.WithDeniedV4Prefixes(wireServer),
	)}
}

// control is called by the dialer for each socket, with the address it is about
// to connect to: after the lookup, so that no answer of a name server gets past
// it. What cannot be read is forbidden.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", errForbidden, err)
	}
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: network %s", errForbidden, network)
	}
	return g.check(to.Addr())
}

func (g guard) check(addr netip.Addr) error {
	if !addr.IsValid() {
		return errForbidden
	}
	// The kernel dials ::ffff:192.0.2.1 as 192.0.2.1, so it is judged as that.
	if err := g.rules.SafeAddr(addr.Unmap()); err != nil {
		return fmt.Errorf("%w: %w", errForbidden, err)
	}
	return nil
}

// Forbidden reports whether a Sender with these allowed networks refuses to
// dial the address: loopback, private, link-local, reserved and the like.
func Forbidden(addr netip.Addr, allow []netip.Prefix) bool {
	return newGuard(allow).check(addr) != nil
}
