package send

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http/httptrace"
	"sync/atomic"
)

// phase is how far an attempt has come.
type phase int32

const (
	starting    phase = iota
	lookingUp         // waiting for the name server
	connecting        // waiting for the receiver to accept
	handshaking       // agreeing on TLS
	sending           // connected: writing the request, waiting for the answer
	answering         // the first byte of the answer is there
)

// String names the phase in errors.
func (p phase) String() string {
	return [...]string{"starting", "looking up", "connecting", "handshaking", "sending", "answering"}[p]
}

// progress follows one attempt. net/http may dial for it in the background and
// report late, from other goroutines: only steps forward count.
type progress struct {
	reached atomic.Int32
	http2   atomic.Bool  // the connection in use speaks HTTP/2
	begun   atomic.Bool  // something of the request may be on its way
	repeats atomic.Int32 // requests begun anew over HTTP/2
}

func (p *progress) reach(next phase) {
	for {
		now := p.reached.Load()
		if int32(next) <= now || p.reached.CompareAndSwap(now, int32(next)) {
			return
		}
	}
}

// watch returns a context under which a request reports to p.
func (p *progress) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart:          func(httptrace.DNSStartInfo) { p.reach(lookingUp) },
		ConnectStart:      func(string, string) { p.reach(connecting) },
		TLSHandshakeStart: func() { p.reach(handshaking) },
		GotConn: func(got httptrace.GotConnInfo) {
			conn, ok := got.Conn.(*tls.Conn)
			p.http2.Store(ok && conn.ConnectionState().NegotiatedProtocol == "h2")
			p.reach(sending)
		},
		WroteHeaderField:     func(string, []string) { p.begun.Store(true) },
		GotFirstResponseByte: func() { p.reach(answering) },
	})
}

// errRepeated ends an attempt that net/http would send a third time.
var errRepeated = errors.New("the request was turned away twice")

// again decides whether net/http may send the request anew within the attempt.
// Over HTTP/1 it asks only when a kept connection turned out closed before a
// byte was written. Over HTTP/2 it asks when the receiver says that it took no
// notice of the request (a refused stream, a connection being shut down), which
// busy receivers do to good clients, but also after a protocol error, up to six
// times: once is enough.
func (p *progress) again(body func() (io.ReadCloser, error)) func() (io.ReadCloser, error) {
	if body == nil { // an empty body
		return nil
	}
	return func() (io.ReadCloser, error) {
		if p.begun.Swap(false) && p.http2.Load() && p.repeats.Add(1) > 1 {
			return nil, errRepeated
		}
		return body()
	}
}

// explain says what an error of net/http means: the caller stopped, the time
// was over, or something broke, and in which phase. Once the context has ended,
// what a torn-down connection reports is noise.
func (p *progress) explain(ctx context.Context, err error) error {
	at := phase(p.reached.Load())
	switch {
	case ctx.Err() == nil:
		return &brokenError{at: at, cause: err}
	case errors.Is(context.Cause(ctx), errDeadline):
		return &stalledError{at: at}
	default:
		return fmt.Errorf("%w: %w", errInterrupted, context.Cause(ctx))
	}
}

// brokenError is a failure and the phase it came in. Many errors of net/http
// have no type; the phase says what they can be about.
type brokenError struct {
	at    phase
	cause error
}

func (e *brokenError) Error() string { return fmt.Sprintf("%s: %v", e.at, e.cause) }
func (e *brokenError) Unwrap() error { return e.cause }

// stalledError is an attempt whose time was over in the phase.
type stalledError struct{ at phase }

func (e *stalledError) Error() string { return fmt.Sprintf("%s: %v", e.at, errDeadline) }
func (e *stalledError) Unwrap() error { return context.DeadlineExceeded }
