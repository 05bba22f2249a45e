package send

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"posthaste/webhook"
)

// trick is one line of the corpus.
type trick struct{ when, url, why string }

// tricks reads the corpus.
func tricks(t *testing.T) []trick {
	t.Helper()
	text, err := os.ReadFile("testdata/ssrf.txt")
	require.NoError(t, err)
	var all []trick
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		when, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		given, why, _ := strings.Cut(rest, " ")
		if quoted, err := strconv.QuotedPrefix(rest); err == nil {
			why = rest[len(quoted):]
			given, err = strconv.Unquote(quoted)
			require.NoError(t, err, line)
		}
		why, explained := strings.CutPrefix(strings.TrimSpace(why), "# ")
		require.True(t, explained && (when == "create" || when == "dial"), line)
		all = append(all, trick{when, given, why})
	}
	require.Greater(t, len(all), 150)
	return all
}

var errNotDialled = errors.New("a connection that this test does not make")

// witness is a guard that notes what it would let through and lets nothing
// through, so that a guard that broke is seen and no packet leaves the machine.
type witness struct {
	guard guard
	mu    sync.Mutex
	let   []string
}

func (w *witness) control(network, address string, conn syscall.RawConn) error {
	if err := w.guard.control(network, address, conn); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.let = append(w.let, address)
	return errNotDialled
}

// dialled lists what the guard would have let through.
func (w *witness) dialled() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.let
}

// witnessed returns a Sender that connects to nothing, and its witness.
func witnessed(t *testing.T, names nameServer, allow ...netip.Prefix) (*Sender, *witness) {
	t.Helper()
	w := &witness{guard: newGuard(allow)}
	s := newGuarded(Options{AllowNetworks: allow, Resolver: names.resolver(t)}, w.control)
	t.Cleanup(s.Close)
	return s, w
}

// TestTricksAreNotDialled sends to every line of the corpus, with a name server
// that leads every name to this machine.
func TestTricksAreNotDialled(t *testing.T) {
	t.Parallel()
	s, w := witnessed(t, pointingAt("127.0.0.1"))
	for _, trick := range tricks(t) {
		got := s.Send(t.Context(), post(trick.url))
		require.NotEqual(t, webhook.Delivered, got.Outcome.Kind, trick.url)
		require.Empty(t, w.dialled(), "%s (%s)", trick.url, trick.why)
		if trick.when == "dial" {
			require.Equal(t, webhook.ReasonForbiddenAddress, got.Outcome.Reason, "%s: %s", trick.url, got.Outcome.Detail)
		}
	}
	// The witness can see: with this machine allowed, it does.
	s, w = witnessed(t, pointingAt("127.0.0.1"), netip.MustParsePrefix("127.0.0.0/8"))
	s.Send(t.Context(), post("http://localtest.me/"))
	require.Equal(t, []string{"127.0.0.1:80"}, w.dialled())
}

// TestForbiddenAnswersOfNameServers gives every forbidden address, those of the
// corpus among them, as the answer to a lookup: alone, and twice over.
func TestForbiddenAnswersOfNameServers(t *testing.T) {
	t.Parallel()
	addresses := map[string]netip.Addr{}
	add := func(literal string) {
		if addr, err := netip.ParseAddr(literal); err == nil {
			addresses[fmt.Sprintf("n%d.ssrf.test.", len(addresses))] = addr.WithZone("")
		}
	}
	for _, literal := range forbidden {
		if !strings.Contains(literal, "%") { // no answer holds a zone, and without it one of them is public
			add(literal)
		}
	}
	for _, trick := range tricks(t) {
		if parsed, err := url.Parse(trick.url); err == nil {
			add(parsed.Hostname())
		}
	}
	require.Greater(t, len(addresses), 120)
	s, w := witnessed(t, func(name string, ipv6 bool) ([]netip.Addr, dnsmessage.RCode) {
		if addr := addresses[name]; addr.IsValid() && addr.Is6() == ipv6 {
			return []netip.Addr{addr, addr}, dnsmessage.RCodeSuccess
		}
		return nil, dnsmessage.RCodeSuccess
	})
	for name, addr := range addresses {
		for _, scheme := range []string{"http", "https"} {
			got := s.Send(t.Context(), post(scheme+"://"+strings.TrimSuffix(name, ".")+":8080/"))
			require.Empty(t, w.dialled(), "%s", addr)
			require.Equal(t, webhook.Rejected, got.Outcome.Kind, "%s: %s", addr, got.Outcome.Detail)
			require.Equal(t, webhook.ReasonForbiddenAddress, got.Outcome.Reason, "%s", addr)
		}
	}
}

// TestNewSendersAreGuarded proves that New asks the guard, which the tests above
// put in themselves.
func TestNewSendersAreGuarded(t *testing.T) {
	t.Parallel()
	trap := newCanary(t, "127.0.0.1:0")
	s := New(Options{})
	t.Cleanup(s.Close)
	require.Equal(t, webhook.ReasonForbiddenAddress, s.Send(t.Context(), post("http://"+trap.address)).Outcome.Reason)
	require.Zero(t, trap.seen.Load())
}

func TestResolverAt(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go pointingAt("127.0.0.9").serve(conn)
	addresses, err := ResolverAt(conn.LocalAddr().String()).LookupNetIP(t.Context(), "ip4", "receiver.test")
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{netip.MustParseAddr("127.0.0.9")}, addresses)
}
