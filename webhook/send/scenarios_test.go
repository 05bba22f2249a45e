package send

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/http2"

	"posthaste/webhook"
)

// scenario is one way for a receiver to fail, with real sockets. Each names the
// row of the table that must catch it, so that the table is proved row by row.
type scenario struct {
	name   string
	fault  string // row of faults
	or     string // another row that may catch it, as the kernel orders events
	reason webhook.Reason
	// open starts the receiver and returns its URL without path; it may change
	// the Sender and the request.
	open func(tb testing.TB, o *Options, r *Request) string
	// hangs says that the attempt ends by the deadline alone.
	hangs bool
}

// raw is a receiver on a plain socket.
func raw(serve handler) func(testing.TB, *Options, *Request) string {
	return func(tb testing.TB, _ *Options, _ *Request) string {
		tb.Helper()
		return "http://" + listen(tb, serve)
	}
}

// named is a receiver whose name is looked up at the name server.
func named(server nameServer) func(testing.TB, *Options, *Request) string {
	return func(tb testing.TB, o *Options, _ *Request) string {
		tb.Helper()
		o.Resolver = server.resolver(tb)
		return "http://receiver.test:8080"
	}
}

// secured is a receiver over TLS whose certificate is changed.
func secured(http2 bool, settings func(testing.TB, *authority) *tls.Config, serve http.HandlerFunc) func(testing.TB, *Options, *Request) string {
	return func(tb testing.TB, o *Options, _ *Request) string {
		tb.Helper()
		ca := newAuthority(tb)
		ca.trusted(o)
		return serveTLS(tb, settings(tb, ca), http2, serve)
	}
}

func certified(tb testing.TB, ca *authority) *tls.Config {
	tb.Helper()
	return &tls.Config{Certificates: []tls.Certificate{ca.leaf(tb, nil)}}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func scenarios() []scenario {
	return []scenario{
		{name: "relative URL", fault: "bad request", reason: webhook.ReasonBadRequest,
			open: func(testing.TB, *Options, *Request) string { return "receiver.test" }},
		{name: "own address", fault: "forbidden address", reason: webhook.ReasonForbiddenAddress,
			open: func(tb testing.TB, o *Options, _ *Request) string {
				tb.Helper()
				o.AllowNetworks = nil
				return ok(tb).URL
			}},

		{name: "NXDOMAIN", fault: "name not found", reason: webhook.ReasonDNSNotFound, open: named(failing(dnsmessage.RCodeNameError))},
		{name: "SERVFAIL", fault: "name server", reason: webhook.ReasonDNSFailure, open: named(failing(dnsmessage.RCodeServerFailure))},
		{name: "silent name server, connect timeout", fault: "name server", reason: webhook.ReasonDNSFailure,
			open: func(tb testing.TB, o *Options, r *Request) string {
				tb.Helper()
				o.ConnectTimeout = brief
				return named(nil)(tb, o, r)
			}},
		{name: "silent name server, deadline", fault: "stalled lookup", reason: webhook.ReasonDNSFailure, open: named(nil), hangs: true},

		{name: "never accepts, connect timeout", fault: "connect timeout", reason: webhook.ReasonConnectTimeout,
			open: func(tb testing.TB, o *Options, _ *Request) string {
				tb.Helper()
				o.ConnectTimeout = brief
				return "http://" + fullBacklog(tb)
			}},
		{name: "never accepts, deadline", fault: "stalled connecting", reason: webhook.ReasonConnectTimeout, hangs: true,
			open: func(tb testing.TB, _ *Options, _ *Request) string {
				tb.Helper()
				return "http://" + fullBacklog(tb)
			}},
		{name: "nobody listens", fault: "refused", reason: webhook.ReasonConnectionRefused, open: closedPort},
		{name: "no route", fault: "unreachable", reason: webhook.ReasonUnreachable,
			open: func(_ testing.TB, o *Options, _ *Request) string {
				o.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("224.0.0.1/32")} // TCP to a group: refused by our own kernel
				return "http://224.0.0.1:8080"
			}},
		{name: "address without scope", fault: "other", reason: webhook.ReasonNetwork,
			open: func(_ testing.TB, o *Options, _ *Request) string {
				o.AllowNetworks = []netip.Prefix{netip.MustParsePrefix("fe80::/10")} // EINVAL, before any packet
				return "http://[fe80::1]:8080"
			}},

		{name: "expired", fault: "certificate expired", reason: webhook.ReasonTLS,
			open: secured(false, func(tb testing.TB, ca *authority) *tls.Config {
				tb.Helper()
				return &tls.Config{Certificates: []tls.Certificate{ca.leaf(tb, expired)}}
			}, nil)},
		{name: "other host", fault: "certificate for another host", reason: webhook.ReasonTLS,
			open: secured(false, func(tb testing.TB, ca *authority) *tls.Config {
				tb.Helper()
				return &tls.Config{Certificates: []tls.Certificate{ca.leaf(tb, otherHost)}}
			}, nil)},
		{name: "self-signed", fault: "unknown authority", reason: webhook.ReasonTLS,
			open: secured(false, func(tb testing.TB, _ *authority) *tls.Config {
				tb.Helper()
				return &tls.Config{Certificates: []tls.Certificate{(&authority{}).leaf(tb, nil)}}
			}, nil)},
		{name: "for clients only", fault: "certificate", reason: webhook.ReasonTLS,
			open: secured(false, func(tb testing.TB, ca *authority) *tls.Config {
				tb.Helper()
				return &tls.Config{Certificates: []tls.Certificate{ca.leaf(tb, clientOnly)}}
			}, nil)},
		{name: "plain HTTP", fault: "not TLS", reason: webhook.ReasonTLS,
			open: func(tb testing.TB, _ *Options, _ *Request) string {
				tb.Helper()
				return "https://" + listen(tb, func(conn net.Conn) {
					_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
					hang(conn)
				})
			}},
		{name: "TLS 1.1", fault: "TLS alert", reason: webhook.ReasonTLS,
			open: secured(false, func(tb testing.TB, ca *authority) *tls.Config {
				tb.Helper()
				config := certified(tb, ca)
				config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
				return config
			}, nil)},
		{name: "nonsense in TLS records", fault: "broken handshake", reason: webhook.ReasonTLS,
			open: func(tb testing.TB, _ *Options, _ *Request) string {
				tb.Helper()
				return "https://" + listen(tb, func(conn net.Conn) {
					_, _ = conn.Write([]byte{22, 3, 3, 0, 4, 0, 0, 0, 0}) // a HelloRequest where a ServerHello belongs
					hang(conn)
				})
			}},
		{name: "silence on TLS, connect timeout", fault: "timeout", reason: webhook.ReasonTimeout,
			open: func(tb testing.TB, o *Options, _ *Request) string {
				tb.Helper()
				o.ConnectTimeout = brief
				return "https://" + listen(tb, hang)
			}},
		{name: "silence on TLS, deadline", fault: "stalled handshake", reason: webhook.ReasonTimeout, hangs: true,
			open: func(tb testing.TB, _ *Options, _ *Request) string {
				tb.Helper()
				return "https://" + listen(tb, hang)
			}},

		{name: "never answers", fault: "timeout", reason: webhook.ReasonTimeout, hangs: true, open: raw(hang)},
		{name: "one byte of a header at a time", fault: "stalled answer", reason: webhook.ReasonTimeout, hangs: true, open: raw(trickle("HTTP/1.1 200 OK\r\nX-Slow: ", "x"))},
		{name: "one byte of the body at a time", fault: "stalled answer", reason: webhook.ReasonTimeout, hangs: true, open: raw(trickle("HTTP/1.1 200 OK\r\n\r\n", "x"))},
		{name: "one 1xx at a time", fault: "stalled answer", reason: webhook.ReasonTimeout, hangs: true, open: raw(trickle("", "HTTP/1.1 102 Processing\r\n\r\n"))},
		{name: "stalls in the body", fault: "stalled answer", reason: webhook.ReasonTimeout, hangs: true,
			open: raw(answerAndHang("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))},

		{name: "reset after the request", fault: "reset", reason: webhook.ReasonConnectionReset, open: raw(func(conn net.Conn) {
			readRequest(conn)
			if tcp, isTCP := conn.(*net.TCPConn); isTCP {
				_ = tcp.SetLinger(0)
			}
		})},
		{name: "closed after the request", fault: "reset", reason: webhook.ReasonConnectionReset, open: raw(answer(""))},
		{name: "closed at once", fault: "reset", or: "broken connection", reason: webhook.ReasonConnectionReset, open: raw(func(net.Conn) {})},
		{name: "closed in a header", fault: "reset", reason: webhook.ReasonConnectionReset, open: raw(answer("HTTP/1.1 200 OK\r\nX: "))},
		{name: "closed in the body", fault: "reset", reason: webhook.ReasonConnectionReset,
			open: raw(answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"))},
		{name: "closed after 1xx", fault: "reset", reason: webhook.ReasonConnectionReset, open: raw(answer("HTTP/1.1 103 Early Hints\r\n\r\n"))},
		{name: "HTTP/2 stream reset", fault: "reset", reason: webhook.ReasonConnectionReset,
			open: secured(true, certified, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })},
		{name: "HTTP/2 connection ended", fault: "broken connection", reason: webhook.ReasonConnectionReset, open: framed(goAway)},
		{name: "HTTP/2 stream refused", fault: "reset", reason: webhook.ReasonConnectionReset, open: framed(resetStream(http2.ErrCodeRefusedStream))},
		{name: "HTTP/2 stream not understood", fault: "reset", reason: webhook.ReasonConnectionReset, open: framed(resetStream(http2.ErrCodeProtocol))},
		{name: "HTTP/2 with nonsense in it", fault: "HTTP/2 protocol", reason: webhook.ReasonBadResponse, open: framed(nonsense)},

		{name: "not HTTP", fault: "bad response", reason: webhook.ReasonBadResponse, open: raw(answer("SSH-2.0-OpenSSH_9.2\r\n\r\n"))},
		{name: "TLS on http", fault: "bad response", reason: webhook.ReasonBadResponse, open: raw(answer("\x15\x03\x01\x00\x02\x02\x46"))},
		{name: "huge headers", fault: "bad response", reason: webhook.ReasonBadResponse,
			open: raw(answer("HTTP/1.1 200 OK\r\nX-Huge: " + strings.Repeat("x", 2*maxResponseHeader) + "\r\n\r\n"))},
		{name: "endless 1xx", fault: "bad response", reason: webhook.ReasonBadResponse, open: raw(endlessly("HTTP/1.1 102 Processing\r\n\r\n"))},
		{name: "bad chunk", fault: "bad response", reason: webhook.ReasonBadResponse,
			open: raw(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"))},
	}
}

func closedPort(tb testing.TB, _ *Options, _ *Request) string {
	tb.Helper()
	_, address := bound(tb)
	return "http://" + address
}

// endlessly reads one request and writes the bytes for as long as they are taken.
func endlessly(text string) handler {
	return func(conn net.Conn) {
		readRequest(conn)
		for block := bytes.Repeat([]byte(text), 100); ; {
			if _, err := conn.Write(block); err != nil {
				return
			}
		}
	}
}

// framed is a receiver that speaks HTTP/2 by hand, and badly.
func framed(misbehave func(*http2.Framer, uint32) error) func(testing.TB, *Options, *Request) string {
	return func(tb testing.TB, o *Options, _ *Request) string {
		tb.Helper()
		ca := newAuthority(tb)
		ca.trusted(o)
		config := certified(tb, ca)
		config.NextProtos = []string{"h2"}
		listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
		require.NoError(tb, err)
		serveOn(tb, listener, func(conn net.Conn) {
			if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
				return
			}
			framer := http2.NewFramer(conn, conn)
			_ = framer.WriteSettings()
			for {
				frame, err := framer.ReadFrame()
				if err != nil {
					return
				}
				if data, ok := frame.(*http2.DataFrame); ok && data.StreamEnded() {
					if misbehave(framer, data.StreamID) != nil {
						return
					}
				}
			}
		})
		return "https://" + listener.Addr().String()
	}
}

func resetStream(code http2.ErrCode) func(*http2.Framer, uint32) error {
	return func(framer *http2.Framer, stream uint32) error { return framer.WriteRSTStream(stream, code) }
}

// goAway says that it will answer the stream, and then ends the connection.
func goAway(framer *http2.Framer, stream uint32) error {
	_ = framer.WriteGoAway(stream, http2.ErrCodeEnhanceYourCalm, nil)
	return io.EOF
}

// nonsense answers with a header that HTTP/2 does not allow.
func nonsense(framer *http2.Framer, stream uint32) error {
	return framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, EndHeaders: true, EndStream: true,
		BlockFragment: []byte{0x88, 0x00, 0x01, 'X', 0x01, 'y'}, // :status 200, then a name in upper case
	})
}
