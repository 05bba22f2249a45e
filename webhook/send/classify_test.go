package send

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

// wantStatus is the table of the design, written again from the other side.
func wantStatus(status int) (webhook.OutcomeKind, webhook.Reason) {
	switch {
	case status < 200:
		return webhook.Retry, webhook.ReasonInformational
	case status < 300:
		return webhook.Delivered, webhook.ReasonNone
	case status < 400:
		return webhook.Retry, webhook.ReasonRedirect
	case status == 410:
		return webhook.Gone, webhook.ReasonGone
	case status == 429:
		return webhook.Retry, webhook.ReasonThrottled
	case status < 500:
		return webhook.Retry, webhook.ReasonClientError
	}
	return webhook.Retry, webhook.ReasonServerError
}

func TestEveryStatus(t *testing.T) {
	t.Parallel()
	for status := 100; status <= 599; status++ {
		kind, reason := wantStatus(status)
		got := Classify(status, nil)
		require.Equal(t, kind, got.Kind, status)
		require.Equal(t, reason, got.Reason, status)
		require.Equal(t, status, got.StatusCode)
		require.Contains(t, got.Detail, strconv.Itoa(status))

		// An error after the headers counts against a 2xx alone.
		cut := Classify(status, syscall.ECONNRESET)
		if kind == webhook.Delivered {
			require.Equal(t, webhook.Outcome{Kind: webhook.Retry, Reason: webhook.ReasonConnectionReset,
				StatusCode: status, Detail: "the receiver cut the connection"}, cut)
		} else {
			require.Equal(t, got, cut)
		}
	}
	for _, status := range []int{-1, 0, 1, 99, 600, 999} {
		got := Classify(status, nil)
		require.Equal(t, webhook.Retry, got.Kind)
		require.Equal(t, webhook.ReasonBadResponse, got.Reason)
	}
}

func TestEveryStatusOverASocket(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, err := strconv.Atoi(r.URL.Query().Get("status"))
		if err != nil {
			panic(err)
		}
		w.Header().Set("Location", "http://127.0.0.1:1/")
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	s := newSender(t)
	for status := 200; status <= 599; status++ {
		kind, reason := wantStatus(status)
		got := s.Send(t.Context(), post(fmt.Sprintf("%s/?status=%d", server.URL, status)))
		require.Equal(t, kind, got.Outcome.Kind, status)
		require.Equal(t, reason, got.Outcome.Reason, status)
		require.Equal(t, status, got.Outcome.StatusCode)
		require.False(t, got.Interrupted)
	}
}

func TestSwitchingProtocolsEndsTheAttempt(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	url := "http://" + listen(t, func(conn net.Conn) {
		answerAndHang("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")(conn)
		close(closed)
	})
	got := newSender(t).Send(t.Context(), post(url))
	require.Equal(t, webhook.Outcome{Kind: webhook.Retry, Reason: webhook.ReasonInformational, StatusCode: 101,
		Detail: "101 Switching Protocols from 127.0.0.1"}, got.Outcome)
	select {
	case <-closed:
	case <-time.After(patient):
		require.Fail(t, "the connection was left open")
	}
}

// elsewhere names the rows that no receiver can cause; each has its own test.
var elsewhere = map[string]string{
	"interrupted":      "TestInterrupted",
	"out of resources": "TestOutOfSockets",
}

func TestEveryFault(t *testing.T) {
	t.Parallel()
	proved := map[string]bool{}
	for _, sc := range scenarios() {
		proved[sc.fault] = true
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			s, request := sc.start(t)
			err := attempt(t, s, request)
			require.Contains(t, []string{sc.fault, cmp.Or(sc.or, sc.fault)}, faultOf(err).name, "%v", err)
			got := s.Send(t.Context(), request)
			require.Equal(t, sc.reason, got.Outcome.Reason, got.Outcome.Detail)
			require.Equal(t, faultOf(err).kind, got.Outcome.Kind)
			require.False(t, got.Interrupted)
			require.NotContains(t, got.Outcome.Detail, "{")
			require.Less(t, got.Duration, patient/2)
			if sc.hangs {
				require.GreaterOrEqual(t, got.Duration, brief)
			}
		})
	}
	for _, row := range faults {
		require.True(t, proved[row.name] || elsewhere[row.name] != "", "no scenario proves the row %q", row.name)
	}
}

func (sc scenario) start(tb testing.TB) (*Sender, Request) {
	tb.Helper()
	o, request := Options{AllowNetworks: loopback}, post("")
	request.URL = sc.open(tb, &o, &request)
	if sc.hangs {
		request.Timeout = brief
	}
	s := New(o)
	tb.Cleanup(s.Close)
	return s, request
}

// attempt is Send up to the error that it classifies.
func attempt(tb testing.TB, s *Sender, r Request) error {
	tb.Helper()
	var progress progress
	ctx, cancel := context.WithTimeoutCause(tb.Context(), r.Timeout, errDeadline)
	defer cancel()
	request, _, err := newRequest(ctx, r, &progress)
	if err == nil {
		_, err = s.exchange(request, &Result{})
	}
	require.Error(tb, err)
	return progress.explain(ctx, err)
}

// TestNamedErrors gives the table errors as the standard library makes them,
// without a socket, as other callers of Classify would.
func TestNamedErrors(t *testing.T) {
	t.Parallel()
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	tests := []struct {
		give       error
		wantKind   webhook.OutcomeKind
		wantReason webhook.Reason
	}{
		{errForbidden, webhook.Rejected, webhook.ReasonForbiddenAddress},
		{&badRequestError{"x"}, webhook.Rejected, webhook.ReasonBadRequest},
		{context.Canceled, webhook.Retry, webhook.ReasonWorkerLost},
		{context.DeadlineExceeded, webhook.Retry, webhook.ReasonTimeout},
		{os.ErrDeadlineExceeded, webhook.Retry, webhook.ReasonTimeout},
		{dial(syscall.ETIMEDOUT), webhook.Retry, webhook.ReasonConnectTimeout},
		{&net.OpError{Op: "read", Err: syscall.ETIMEDOUT}, webhook.Retry, webhook.ReasonTimeout},
		{dial(syscall.EHOSTUNREACH), webhook.Retry, webhook.ReasonUnreachable},
		{dial(syscall.ENETDOWN), webhook.Retry, webhook.ReasonUnreachable},
		{dial(syscall.EADDRNOTAVAIL), webhook.Retry, webhook.ReasonUnreachable},
		{dial(syscall.ECONNREFUSED), webhook.Retry, webhook.ReasonConnectionRefused},
		{dial(syscall.EACCES), webhook.Retry, webhook.ReasonNetwork},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, webhook.Retry, webhook.ReasonConnectionReset},
		{&net.OpError{Op: "accept", Err: syscall.ECONNABORTED}, webhook.Retry, webhook.ReasonConnectionReset},
		{net.ErrClosed, webhook.Retry, webhook.ReasonConnectionReset},
		{&net.DNSError{IsTimeout: true}, webhook.Retry, webhook.ReasonDNSFailure},
		{&net.DNSError{IsNotFound: true}, webhook.Retry, webhook.ReasonDNSNotFound},
		{http.ErrSchemeMismatch, webhook.Retry, webhook.ReasonTLS},
		{tls.AlertError(40), webhook.Retry, webhook.ReasonTLS},
		{dial(syscall.EMFILE), webhook.Retry, webhook.ReasonNetwork},
		{errors.New("connection refused, or so it says"), webhook.Retry, webhook.ReasonNetwork},
	}
	for _, test := range tests {
		got := Classify(0, fmt.Errorf("wrapped: %w", test.give))
		require.Equal(t, test.wantKind, got.Kind, test.give)
		require.Equal(t, test.wantReason, got.Reason, test.give)
	}
}
