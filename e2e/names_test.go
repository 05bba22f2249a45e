package e2e

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// names is a DNS server on loopback whose answers a test changes as it goes.
// Every answer may be kept for no time at all. Of a name with several answers,
// each question gets the next, and then the first again.
type names struct {
	address string
	mu      sync.Mutex
	answers map[string][]answers
	asked   map[string]int
}

// answers are the addresses of one answer, of both families.
type answers []string

func newNames(t *testing.T) *names {
	t.Helper()
	n := &names{answers: map[string][]answers{}, asked: map[string]int{}}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	n.address = conn.LocalAddr().String()
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(n.reply)}
	started := make(chan struct{})
	server.NotifyStartedFunc = func() { close(started) }
	go func() { _ = server.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = server.Shutdown() })
	return n
}

// set says where a name leads from now on.
func (n *names) set(name string, list ...answers) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[name], n.asked[name] = list, 0
}

// next returns the addresses for a question. IPv4 and IPv6 are asked for in one
// lookup; only the question for IPv4 moves on.
func (n *names) next(question dns.Question) answers {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := strings.ToLower(strings.TrimSuffix(question.Name, "."))
	list := n.answers[name]
	if len(list) == 0 {
		return nil
	}
	found := list[n.asked[name]%len(list)]
	if question.Qtype == dns.TypeA {
		n.asked[name]++
	}
	return found
}

func (n *names) reply(w dns.ResponseWriter, query *dns.Msg) {
	message := new(dns.Msg).SetReply(query)
	for _, question := range query.Question {
		header := dns.RR_Header{Name: question.Name, Rrtype: question.Qtype, Class: dns.ClassINET, Ttl: 0}
		for _, text := range n.next(question) {
			address := netip.MustParseAddr(text)
			switch {
			case question.Qtype == dns.TypeA && address.Is4():
				message.Answer = append(message.Answer, &dns.A{Hdr: header, A: address.AsSlice()})
			case question.Qtype == dns.TypeAAAA && address.Is6():
				message.Answer = append(message.Answer, &dns.AAAA{Hdr: header, AAAA: address.AsSlice()})
			}
		}
	}
	_ = w.WriteMsg(message)
}

// canary counts connections that must not come.
type canary struct {
	address string
	seen    atomic.Int32
}

// newCanary listens at the address; "" is any port of 127.0.0.1.
func newCanary(t *testing.T, address string) *canary {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return watch(listener)
}

// watch counts what the listener accepts, and hangs up.
func watch(listener net.Listener) *canary {
	c := &canary{address: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.seen.Add(1)
			_ = conn.Close()
		}
	}()
	return c
}

func (c *canary) silent(t *testing.T) {
	t.Helper()
	require.Zero(t, c.seen.Load(), "connections to %s", c.address)
}
