// Package send makes one POST to a receiver and says what came of it, as a
// value. Receivers are strangers: nothing here trusts where their name leads,
// how much they answer, how long they take or what they claim to be. A Sender
// follows no redirect, heeds no proxy of the environment, dials no forbidden
// address and never waits beyond the deadline of a Request.
package send

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"posthaste/webhook"
)

// Limits of an attempt that no webhook can change.
const (
	// MaxResponseBody is how much of an answer is read and kept: enough for a
	// stack trace, too little to fill a disk.
	MaxResponseBody = 64 << 10
	// maxResponseHeader bounds all header lines of an answer, interim answers
	// included. net/http's default of 10 MiB suits browsers.
	maxResponseHeader = 32 << 10
	// defaultTimeout applies to a Request that names none; every shipped
	// provider allows 30 s.
	defaultTimeout = 30 * time.Second
	// defaultConnectTimeout bounds the name lookup and the connecting together,
	// and then once more the TLS handshake. A receiver that is up connects
	// within a second; three lost SYN packets take 7 s.
	defaultConnectTimeout = 10 * time.Second
	// idleTimeout keeps a connection for the next event but below the minutes
	// after which firewalls forget it silently.
	idleTimeout = 90 * time.Second
	// defaultIdlePerHost lets a burst to one host find its connections again: a
	// tenant may have 250 POSTs in flight in the fast lane, and many tenants'
	// webhooks are at the same few hosts.
	defaultIdlePerHost = 256
	// maxIdle bounds the sockets that hold nothing but hope.
	maxIdle = 2048
)

// Request is one POST, ready to go: signed bytes and every header.
type Request struct {
	URL     string
	Header  []Header
	Body    []byte
	Timeout time.Duration // everything included, to the last byte of the answer; 0 means 30 s
}

// Header is one request header, named exactly as it is sent. Names that frame
// the message (Host, Content-Length, Connection and the like) are refused.
type Header struct {
	Name  string
	Value string
}

// Result is what one POST came to.
type Result struct {
	Outcome   webhook.Outcome
	StartedAt time.Time
	Duration  time.Duration
	// ResponseHeader and ResponseBody are the answer as it came: raw bytes,
	// never decompressed, at most MaxResponseBody of them.
	ResponseHeader    http.Header
	ResponseBody      []byte
	ResponseTruncated bool
	// Interrupted says that we ended the attempt and not the receiver: the
	// caller's context was cancelled, or this machine is out of sockets or
	// memory. The Outcome then says nothing about the receiver.
	Interrupted bool
}

// Options are the settings of a Sender; the zero value is fit for production.
type Options struct {
	// AllowNetworks are dialled although they are forbidden otherwise.
	AllowNetworks []netip.Prefix
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
	// RootCAs verify receivers; nil means the system's.
	RootCAs *x509.CertPool
	// MaxIdleConnsPerHost is how many connections to a host wait for the next
	// event; 0 means 256.
	MaxIdleConnsPerHost int
	// ConnectTimeout bounds name lookup and connecting together, and then the
	// TLS handshake; 0 means 10 s. A shorter Request.Timeout wins.
	ConnectTimeout time.Duration
	// Now is the clock; nil means the system's.
	Now func() time.Time
}

// Sender POSTs requests over one pool of connections. It is safe for concurrent
// use and meant to live as long as the process.
type Sender struct {
	transport *http.Transport
	now       func() time.Time
}

// New returns a Sender. Close it to let its idle connections go.
func New(o Options) *Sender { return newGuarded(o, newGuard(o.AllowNetworks).control) }

// newGuarded returns a Sender that asks control before each connection.
func newGuarded(o Options, control func(network, address string, _ syscall.RawConn) error) *Sender {
	connectTimeout := cmp.Or(o.ConnectTimeout, defaultConnectTimeout)
	dialer := &net.Dialer{
		Timeout:  connectTimeout,
		Resolver: o.Resolver,
		Control:  control,
	}
	now := o.Now
	if now == nil {
		now = time.Now //nolint:forbidigo // the default of a clock that is passed in
	}
	return &Sender{now: now, transport: &http.Transport{
		Proxy:       nil, // a proxy would dial in our place, beyond the guard; the environment has no say
		DialContext: dialer.DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			RootCAs:    o.RootCAs,
			// Resuming a session spares the receiver's certificate and one round trip.
			ClientSessionCache: tls.NewLRUClientSessionCache(maxIdle),
		},
		TLSHandshakeTimeout:    connectTimeout, // net/http lets a handshake outlive its request, but not this
		DisableCompression:     true,           // a few bytes of gzip can hold gigabytes
		MaxResponseHeaderBytes: maxResponseHeader,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    cmp.Or(o.MaxIdleConnsPerHost, defaultIdlePerHost),
		IdleConnTimeout:        idleTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2: &http.HTTP2Config{
			// What a receiver may push before we read: by default 4 MiB for each POST.
			MaxReceiveBufferPerStream: MaxResponseBody,
			MaxReadFrameSize:          16 << 10,
			// One dead connection would otherwise time out every POST put on it.
			SendPingTimeout:  15 * time.Second,
			PingTimeout:      10 * time.Second,
			WriteByteTimeout: 15 * time.Second,
		},
	}}
}

// Close lets the idle connections go. A Send under way is not touched.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Send makes one POST and waits for its answer, at most r.Timeout. Whatever
// happens is told by the Result; when ctx ends first, it is Interrupted.
func (s *Sender) Send(ctx context.Context, r Request) Result {
	result := Result{StartedAt: s.now()}
	ctx, cancel := context.WithTimeoutCause(ctx, cmp.Or(r.Timeout, defaultTimeout), errDeadline)
	defer cancel()

	var progress progress
	request, to, err := newRequest(ctx, r, &progress)
	status := 0
	if err == nil {
		status, err = s.exchange(request, &result)
	}
	if err != nil {
		err = progress.explain(ctx, err)
	}

	var found fault
	result.Outcome, found = classify(status, err, to)
	result.Interrupted = found.ours
	answeredAt := s.now()
	if result.Outcome.Kind == webhook.Retry {
		result.Outcome.RetryAfter = retryAfter(result.ResponseHeader.Get("Retry-After"), answeredAt)
	}
	result.Duration = answeredAt.Sub(result.StartedAt)
	return result
}

// exchange makes the round trip and reads the answer into the result. The
// transport is used without an http.Client, which would follow redirects, keep
// cookies and write the URL into every error.
func (s *Sender) exchange(request *http.Request, result *Result) (status int, err error) {
	response, err := s.transport.RoundTrip(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }() // an answer that was not read to its end costs the connection
	result.ResponseHeader = response.Header
	if response.StatusCode == http.StatusSwitchingProtocols {
		return response.StatusCode, nil // what follows is no body but a protocol we do not speak
	}
	// The one byte beyond the limit tells a cut answer from one that just fits.
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxResponseBody+1))
	if len(body) >= MaxResponseBody && (err != nil || len(body) > MaxResponseBody) {
		result.ResponseTruncated = true
		body, err = body[:MaxResponseBody], nil // what comes after the limit cannot fail the attempt
	}
	result.ResponseBody = body
	return response.StatusCode, err
}

// errDeadline is the cause of a context that ended because Request.Timeout was
// over, which is the receiver's doing; any other end is the caller's.
var errDeadline = errors.New("the attempt's time is over")
