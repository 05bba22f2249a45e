package send

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// The clocks of these tests: patient is never reached by a test that passes; brief
// is waited for in full by tests of deadlines, and long enough for a busy machine
// to get as far as the deadline's phase; an instant may pass in any phase.
const (
	patient = 20 * time.Second
	brief   = time.Second
	instant = 50 * time.Millisecond
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// newSender returns a Sender that may dial this machine.
func newSender(tb testing.TB, changes ...func(*Options)) *Sender {
	tb.Helper()
	o := Options{AllowNetworks: loopback}
	for _, change := range changes {
		change(&o)
	}
	s := New(o)
	tb.Cleanup(s.Close)
	return s
}

func post(url string) Request {
	return Request{URL: url, Body: []byte(`{"a":1}`), Timeout: patient}
}

// handler serves one connection; it is closed afterwards.
type handler func(conn net.Conn)

// listen serves every connection with serve and returns the address. What still
// blocks in serve at the end of the test finds its connection closed.
func listen(tb testing.TB, serve handler) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	serveOn(tb, listener, serve)
	return listener.Addr().String()
}

func serveOn(tb testing.TB, listener net.Listener, serve handler) {
	tb.Helper()
	var (
		mu     sync.Mutex
		open   []net.Conn
		closed bool
		wg     sync.WaitGroup
	)
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			if closed {
				_ = conn.Close()
			}
			mu.Unlock()
			wg.Go(func() {
				serve(conn)
				_ = conn.Close()
			})
		}
	})
	tb.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		closed = true
		for _, conn := range open {
			_ = conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}

// answer reads one request and writes the given bytes.
func answer(bytes string) handler {
	return func(conn net.Conn) {
		if readRequest(conn) {
			_, _ = conn.Write([]byte(bytes))
		}
	}
}

// answerAndHang reads one request, writes the given bytes and then nothing.
func answerAndHang(bytes string) handler {
	return func(conn net.Conn) {
		answer(bytes)(conn)
		hang(conn)
	}
}

// trickle reads one request, writes the head and then one piece at a time, for
// as long as they are taken.
func trickle(head, piece string) handler {
	return func(conn net.Conn) {
		answer(head)(conn)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for range ticker.C {
			if _, err := conn.Write([]byte(piece)); err != nil {
				return
			}
		}
	}
}

// hang waits until the other side gives up.
func hang(conn net.Conn) {
	for buffer := make([]byte, 512); ; {
		if _, err := conn.Read(buffer); err != nil {
			return
		}
	}
}

func readRequest(conn net.Conn) bool {
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return false
	}
	buffer := make([]byte, request.ContentLength)
	for n := 0; n < len(buffer); {
		read, err := request.Body.Read(buffer[n:])
		n += read
		if err != nil && n < len(buffer) {
			return false
		}
	}
	return true
}

// canary counts connections that must not come.
type canary struct {
	address string
	seen    atomic.Int32
}

func newCanary(tb testing.TB, address string) *canary {
	tb.Helper()
	c := &canary{}
	listener, err := net.Listen("tcp", address)
	require.NoError(tb, err)
	c.address = listener.Addr().String()
	serveOn(tb, listener, func(net.Conn) { c.seen.Add(1) })
	return c
}

// bound returns a socket that has an address and listens not yet: connecting there
// is refused, and nobody else can take it.
func bound(tb testing.TB) (fd int, address string) {
	tb.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(tb, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	name, err := syscall.Getsockname(fd)
	require.NoError(tb, err)
	at, isIPv4 := name.(*syscall.SockaddrInet4)
	require.True(tb, isIPv4)
	return fd, (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: at.Port}).String()
}

// fullBacklog returns an address where connecting neither succeeds nor fails:
// the kernel drops every SYN beyond a listener's full queue.
func fullBacklog(tb testing.TB) string {
	tb.Helper()
	fd, address := bound(tb)
	require.NoError(tb, syscall.Listen(fd, 0))
	for range 16 {
		conn, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return address
		}
		tb.Cleanup(func() { _ = conn.Close() })
	}
	tb.Fatal("the queue of the listener never filled up")
	return ""
}

// nameServer answers every query through respond, which returns the addresses
// for a name, or a code that is no success. A nil respond never answers.
type nameServer func(name string, ipv6 bool) ([]netip.Addr, dnsmessage.RCode)

// resolver starts the name server and returns a resolver that asks only it.
func (respond nameServer) resolver(tb testing.TB) *net.Resolver {
	tb.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(tb, err)
	var wg sync.WaitGroup
	wg.Go(func() { respond.serve(conn) })
	tb.Cleanup(func() { _ = conn.Close(); wg.Wait() })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// serve answers queries until the connection is closed.
func (respond nameServer) serve(conn net.PacketConn) {
	for buffer := make([]byte, 1500); ; {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		if respond == nil {
			continue
		}
		if reply, ok := respond.reply(buffer[:n]); ok {
			_, _ = conn.WriteTo(reply, from)
		}
	}
}

func (respond nameServer) reply(query []byte) ([]byte, bool) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil || len(message.Questions) != 1 {
		return nil, false
	}
	question := message.Questions[0]
	addresses, code := respond(question.Name.String(), question.Type == dnsmessage.TypeAAAA)
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: message.ID, Response: true, Authoritative: true, RecursionAvailable: true, RCode: code},
		Questions: message.Questions,
	}
	for _, address := range addresses {
		var body dnsmessage.ResourceBody = &dnsmessage.AAAAResource{AAAA: address.As16()}
		if question.Type == dnsmessage.TypeA {
			body = &dnsmessage.AResource{A: address.As4()}
		}
		reply.Answers = append(reply.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: question.Name, Type: question.Type, Class: dnsmessage.ClassINET},
			Body:   body,
		})
	}
	packed, err := reply.Pack()
	return packed, err == nil
}

// pointingAt answers every query for IPv4 with the addresses.
func pointingAt(addresses ...string) nameServer {
	return func(_ string, ipv6 bool) ([]netip.Addr, dnsmessage.RCode) {
		if ipv6 {
			return nil, dnsmessage.RCodeSuccess
		}
		var out []netip.Addr
		for _, address := range addresses {
			out = append(out, netip.MustParseAddr(address))
		}
		return out, dnsmessage.RCodeSuccess
	}
}

// failing answers every query with the code.
func failing(code dnsmessage.RCode) nameServer {
	return func(string, bool) ([]netip.Addr, dnsmessage.RCode) { return nil, code }
}

// ok is a receiver that takes everything.
func ok(tb testing.TB) *httptest.Server {
	tb.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("thanks")) }))
	tb.Cleanup(server.Close)
	return server
}
