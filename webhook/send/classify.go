package send

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"syscall"

	"golang.org/x/net/http2"

	"posthaste/webhook"
)

// Classify says what an attempt came to, from the status of the answer (0 when
// none came) and the error that ended the attempt (nil when none did). Every
// status and every error has a place. An error after the headers of an answer
// counts only against a 2xx: any other status has already said what is wrong.
func Classify(status int, err error) webhook.Outcome {
	outcome, _ := classify(status, err, someReceiver)
	return outcome
}

func classify(status int, err error, to receiver) (webhook.Outcome, fault) {
	if err == nil || (status != 0 && !success(status)) {
		return ofStatus(status, to), fault{}
	}
	found := faultOf(err)
	return webhook.Outcome{
		Kind:       found.kind,
		Reason:     found.reason,
		StatusCode: status,
		Detail:     found.sentence(err, to),
	}, found
}

func success(status int) bool { return status >= 200 && status <= 299 }

// ofStatus classifies a complete answer. The text of the status is ours: what a
// receiver writes there is not to be shown unescaped.
func ofStatus(status int, to receiver) webhook.Outcome {
	text := strings.TrimSpace(fmt.Sprintf("%d %s", status, http.StatusText(status)))
	outcome := webhook.Outcome{
		Kind:       webhook.Retry,
		StatusCode: status,
		Detail:     text + " from " + to.host,
	}
	switch {
	case success(status):
		outcome.Kind = webhook.Delivered
	case status == http.StatusGone:
		outcome.Kind, outcome.Reason = webhook.Gone, webhook.ReasonGone
	case status == http.StatusTooManyRequests:
		outcome.Reason = webhook.ReasonThrottled
	case status >= 100 && status <= 199:
		outcome.Reason = webhook.ReasonInformational
	case status >= 300 && status <= 399:
		outcome.Reason = webhook.ReasonRedirect
		outcome.Detail += "; redirects are not followed"
	case status >= 400 && status <= 499:
		outcome.Reason = webhook.ReasonClientError
	case status >= 500 && status <= 599:
		outcome.Reason = webhook.ReasonServerError
	default:
		outcome.Reason = webhook.ReasonBadResponse
		outcome.Detail = fmt.Sprintf("%s answered %d, which is no HTTP status", to.host, status)
	}
	return outcome
}

// errInterrupted is the end of an attempt that the caller wanted.
var errInterrupted = errors.New("the attempt was interrupted")

// fault is one way for an attempt to fail without a status to show for it.
type fault struct {
	name   string
	is     func(error) bool
	kind   webhook.OutcomeKind
	reason webhook.Reason
	say    string // the sentence; {host}, {address} and {why} are filled in
	ours   bool   // says nothing about the receiver
}

// faultOf returns the first fault that fits; the last one fits every error.
func faultOf(err error) fault {
	for _, f := range faults[:len(faults)-1] {
		if f.is(err) {
			return f
		}
	}
	return faults[len(faults)-1]
}

// sentence fills in what may be shown: names of hosts, texts of our own and
// those of the operating system, never the text of any other error.
func (f fault) sentence(err error, to receiver) string {
	why := "unknown network error"
	if bad, ok := errors.AsType[*badRequestError](err); ok {
		why = bad.why
	} else if errno, ok := errors.AsType[syscall.Errno](err); ok {
		why = errno.Error()
	}
	return strings.NewReplacer("{host}", to.host, "{address}", to.address, "{why}", why).Replace(f.say)
}

// faults lists every fault, special before general: the first that fits counts.
var faults = []fault{
	// Ours.
	{name: "interrupted", is: anyOf(errInterrupted, context.Canceled),
		kind: webhook.Retry, reason: webhook.ReasonWorkerLost, ours: true,
		say: "we stopped before {host} had answered"},
	{name: "out of resources", is: anyOf(syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM),
		kind: webhook.Retry, reason: webhook.ReasonNetwork, ours: true,
		say: "this machine could not open a connection: {why}"},

	// What trying again cannot mend.
	{name: "bad request", is: as[*badRequestError],
		kind: webhook.Rejected, reason: webhook.ReasonBadRequest,
		say: "the request cannot be sent: {why}"},
	{name: "forbidden address", is: anyOf(errForbidden),
		kind: webhook.Rejected, reason: webhook.ReasonForbiddenAddress,
		say: "{host} leads to an address that is not allowed"},

	// The way there.
	{name: "name not found", is: func(err error) bool {
		dns, ok := errors.AsType[*net.DNSError](err)
		return ok && dns.IsNotFound
	}, kind: webhook.Retry, reason: webhook.ReasonDNSNotFound, say: "the host {host} does not exist"},
	{name: "name server", is: as[*net.DNSError],
		kind: webhook.Retry, reason: webhook.ReasonDNSFailure, say: "the name server gave no answer for {host}"},
	{name: "stalled lookup", is: stalledAt(lookingUp),
		kind: webhook.Retry, reason: webhook.ReasonDNSFailure, say: "the name server gave no answer for {host} in time"},
	{name: "stalled connecting", is: stalledAt(starting, connecting),
		kind: webhook.Retry, reason: webhook.ReasonConnectTimeout, say: "no connection to {address} in time"},
	{name: "connect timeout", is: dialTimeout,
		kind: webhook.Retry, reason: webhook.ReasonConnectTimeout, say: "no connection to {address} in time"},
	{name: "refused", is: anyOf(syscall.ECONNREFUSED),
		kind: webhook.Retry, reason: webhook.ReasonConnectionRefused, say: "connection refused by {address}"},
	{name: "unreachable", is: anyOf(syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN, syscall.EADDRNOTAVAIL),
		kind: webhook.Retry, reason: webhook.ReasonUnreachable, say: "no route to {address}"},

	// TLS.
	{name: "certificate expired", is: certificate(x509.Expired),
		kind: webhook.Retry, reason: webhook.ReasonTLS, say: "the certificate of {host} has expired or is not valid yet"},
	{name: "certificate for another host", is: as[x509.HostnameError],
		kind: webhook.Retry, reason: webhook.ReasonTLS, say: "the certificate of {host} is for another host"},
	{name: "unknown authority", is: as[x509.UnknownAuthorityError],
		kind: webhook.Retry, reason: webhook.ReasonTLS, say: "the certificate of {host} is signed by an unknown authority"},
	{name: "certificate", is: either(as[*tls.CertificateVerificationError], as[x509.CertificateInvalidError], as[x509.SystemRootsError],
		as[x509.ConstraintViolationError], as[x509.UnhandledCriticalExtension], as[x509.InsecureAlgorithmError]),
		kind: webhook.Retry, reason: webhook.ReasonTLS, say: "the certificate of {host} is not valid"},
	{name: "not TLS", is: either(as[tls.RecordHeaderError], anyOf(http.ErrSchemeMismatch)),
		kind: webhook.Retry, reason: webhook.ReasonTLS, say: "{address} does not speak TLS"},
	{name: "TLS alert", is: either(as[tls.AlertError], tlsAlert),
		kind: webhook.Retry, reason: webhook.ReasonTLS, say: "{address} refused the TLS connection"},

	// Time.
	{name: "stalled handshake", is: stalledAt(handshaking),
		kind: webhook.Retry, reason: webhook.ReasonTimeout, say: "no TLS connection with {address} in time"},
	{name: "stalled answer", is: stalledAt(answering),
		kind: webhook.Retry, reason: webhook.ReasonTimeout, say: "no complete answer from {host} in time"},
	{name: "timeout", is: either(anyOf(context.DeadlineExceeded, os.ErrDeadlineExceeded, syscall.ETIMEDOUT), timeout),
		kind: webhook.Retry, reason: webhook.ReasonTimeout, say: "no answer from {host} in time"},

	// The connection and what came over it.
	{name: "HTTP/2 protocol", is: func(err error) bool {
		stream, ok := errors.AsType[http2.StreamError](err)
		return ok && stream.Code == http2.ErrCodeProtocol
	}, kind: webhook.Retry, reason: webhook.ReasonBadResponse, say: "the answer of {host} is not proper HTTP"},
	{name: "reset", is: either(as[http2.StreamError],
		anyOf(errRepeated, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNABORTED, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed)),
		kind: webhook.Retry, reason: webhook.ReasonConnectionReset, say: "{address} cut the connection"},
	{name: "bad response", is: either(as[textproto.ProtocolError], brokenAt(answering)),
		kind: webhook.Retry, reason: webhook.ReasonBadResponse, say: "the answer of {host} is not proper HTTP, or its headers are too long"},
	{name: "broken handshake", is: brokenAt(handshaking),
		kind: webhook.Retry, reason: webhook.ReasonTLS, say: "no TLS connection with {address} could be agreed on"},
	{name: "broken connection", is: brokenAt(sending),
		kind: webhook.Retry, reason: webhook.ReasonConnectionReset, say: "the connection to {address} broke"},

	{name: "other", // fits whatever is left
		kind: webhook.Retry, reason: webhook.ReasonNetwork, say: "no connection to {address}: {why}"},
}
