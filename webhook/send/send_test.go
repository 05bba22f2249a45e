package send

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"posthaste/webhook"
)

func TestSentBytes(t *testing.T) {
	t.Parallel()
	seen := make(chan string, 1)
	address := listen(t, func(conn net.Conn) {
		var text bytes.Buffer
		request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &text)))
		if err == nil {
			_, err = io.Copy(io.Discard, request.Body)
		}
		if err != nil {
			seen <- err.Error()
			return
		}
		seen <- text.String()
		_, _ = conn.Write([]byte("HTTP/1.1 204 No Content\r\nX-Two: a\r\nX-Two: b\r\n\r\n"))
	})
	got := newSender(t).Send(t.Context(), Request{
		URL: "http://" + address + "/a%2Fb/?q=1&r=%20#fragment",
		Header: []Header{
			{"Content-Type", "application/json"}, {"user-agent", "Posthaste/1"}, {"aktify-signature", "t=1,v1=2"},
			{"X-Twice", "1"}, {"X-Twice", "2"}, {"X-UPPER", "é"},
		},
		Body:    []byte("{\"a\":\"é\"}\n"),
		Timeout: patient,
	})
	require.Equal(t, "POST /a%2Fb/?q=1&r=%20 HTTP/1.1\r\n"+
		"Host: "+address+"\r\n"+
		"User-Agent: Posthaste/1\r\n"+
		"Content-Length: 11\r\n"+
		"Content-Type: application/json\r\n"+
		"X-Twice: 1\r\nX-Twice: 2\r\n"+
		"X-UPPER: é\r\n"+
		"aktify-signature: t=1,v1=2\r\n"+
		"\r\n{\"a\":\"é\"}\n", <-seen)
	require.Equal(t, webhook.Outcome{Kind: webhook.Delivered, StatusCode: 204, Detail: "204 No Content from 127.0.0.1"}, got.Outcome)
	require.Equal(t, []string{"a", "b"}, got.ResponseHeader["X-Two"])
	require.Empty(t, got.ResponseBody)
	require.False(t, got.Interrupted)
}

func TestNothingIsAddedToABareRequest(t *testing.T) {
	t.Parallel()
	seen := make(chan http.Header, 1)
	address := listen(t, func(conn net.Conn) {
		if request, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			seen <- request.Header
		}
	})
	_ = newSender(t).Send(t.Context(), post("http://"+address))
	require.Equal(t, http.Header{"Content-Length": {"7"}}, <-seen)
}

func TestClock(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)
	var ticks atomic.Int64
	s := newSender(t, func(o *Options) {
		o.Now = func() time.Time { return start.Add(time.Duration(ticks.Add(1)) * time.Second) }
	})
	got := s.Send(t.Context(), post(ok(t).URL))
	require.Equal(t, start.Add(time.Second), got.StartedAt)
	require.Equal(t, time.Second, got.Duration)
	require.Equal(t, "thanks", string(got.ResponseBody))
}

func TestResponseBody(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	_, err := packed.Write(make([]byte, 10<<20))
	require.NoError(t, err)
	require.NoError(t, packed.Close())
	require.Less(t, bomb.Len(), MaxResponseBody)

	full := strings.Repeat("x", MaxResponseBody)
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(full), full)
	head := "HTTP/1.1 200 OK\r\n"
	tests := []struct {
		name          string
		give          handler
		want          string
		wantTruncated bool
		wantReason    webhook.Reason
		wantStatus    int
	}{
		{name: "empty", give: answer(head + "Content-Length: 0\r\n\r\n")},
		{name: "binary", give: answer(head + "Content-Length: 4\r\n\r\n\x00\xff<\n"), want: "\x00\xff<\n"},
		{name: "until close", give: answer(head + "\r\nall of it"), want: "all of it"},
		{name: "at the limit, length known", give: answerAndHang(head + "Content-Length: 65536\r\n\r\n" + full), want: full},
		{name: "at the limit, chunked", give: answerAndHang(head + "Transfer-Encoding: chunked\r\n\r\n" + chunk + "0\r\n\r\n"), want: full},
		{name: "at the limit, then cut", give: answer(head + "Transfer-Encoding: chunked\r\n\r\n" + chunk), want: full, wantTruncated: true},
		{name: "one over", give: answerAndHang(head + "Content-Length: 65537\r\n\r\n" + full + "y"), want: full, wantTruncated: true},
		{name: "promises 1 GB and stalls beyond the limit", give: answerAndHang(head + "Content-Length: 1000000000\r\n\r\n" + full + "y"), want: full, wantTruncated: true},
		{name: "never ends", give: endlessly(head + "\r\n"), want: strings.Repeat(head+"\r\n", MaxResponseBody/len(head))[:MaxResponseBody-len(head)-2], wantTruncated: true},
		{name: "gzip", give: answer(fmt.Sprintf("%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", head, bomb.Len(), bomb.String())), want: bomb.String()},
		{name: "cut, but not a 2xx", give: answer("HTTP/1.1 410 Gone\r\nContent-Length: 10\r\n\r\nhalf"), want: "half",
			wantReason: webhook.ReasonGone, wantStatus: 410},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := newSender(t).Send(t.Context(), post("http://"+listen(t, test.give)))
			require.Equal(t, test.wantReason, got.Outcome.Reason, got.Outcome.Detail)
			require.Equal(t, max(200, test.wantStatus), got.Outcome.StatusCode)
			require.Equal(t, test.wantTruncated, got.ResponseTruncated)
			require.LessOrEqual(t, len(got.ResponseBody), MaxResponseBody)
			require.True(t, strings.HasPrefix(string(got.ResponseBody), test.want))
			if !test.wantTruncated {
				require.Len(t, got.ResponseBody, len(test.want))
			}
			require.Less(t, got.Duration, patient/2)
		})
	}
}

func TestStallsBeforeTheDeadlineKeepWhatCame(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give string
		want webhook.Outcome
	}{
		{name: "2xx", give: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
			want: webhook.Outcome{Kind: webhook.Retry, Reason: webhook.ReasonTimeout, StatusCode: 200}},
		{name: "4xx has spoken", give: "HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\nContent-Length: 10\r\n\r\nhalf",
			want: webhook.Outcome{Kind: webhook.Retry, Reason: webhook.ReasonThrottled, StatusCode: 429, RetryAfter: 7 * time.Second}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			request := post("http://" + listen(t, answerAndHang(test.give)))
			request.Timeout = brief
			got := newSender(t).Send(t.Context(), request)
			require.Equal(t, "half", string(got.ResponseBody))
			require.NotEmpty(t, got.Outcome.Detail)
			got.Outcome.Detail = ""
			require.Equal(t, test.want, got.Outcome)
			require.GreaterOrEqual(t, got.Duration, brief)
			require.False(t, got.Interrupted)
		})
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	trap := newCanary(t, "127.0.0.1:0")
	good := "http://" + trap.address
	tests := map[string]Request{
		"the URL cannot be read":                            {URL: "http://[::1"},
		"the URL is neither http nor https":                 {URL: "ftp://" + trap.address},
		"the URL names no host":                             {URL: "http:///path"},
		"the URL names an impossible port":                  {URL: "http://127.0.0.1:65536"},
		"the URL holds credentials":                         {URL: "http://user:pass@" + trap.address},
		"a header has an impossible name":                   {URL: good, Header: []Header{{"X Y", "z"}}},
		"the value of a header holds impossible characters": {URL: good, Header: []Header{{"X", "a\r\nY: b"}}},
		"the header Host cannot be set":                     {URL: good, Header: []Header{{"host", "other"}}},
		"the header Content-Length cannot be set":           {URL: good, Header: []Header{{"content-length", "1"}}},
		"the header Transfer-Encoding cannot be set":        {URL: good, Header: []Header{{"TRANSFER-ENCODING", "chunked"}}},
		"the header Connection cannot be set":               {URL: good, Header: []Header{{"Connection", "close"}}},
		"the header Expect cannot be set":                   {URL: good, Header: []Header{{"expect", "100-continue"}}},
		"the header Upgrade cannot be set":                  {URL: good, Header: []Header{{"Upgrade", "h2c"}}},
	}
	s := newSender(t)
	for want, give := range tests {
		got := s.Send(t.Context(), give)
		require.Equal(t, webhook.Outcome{Kind: webhook.Rejected, Reason: webhook.ReasonBadRequest,
			Detail: "the request cannot be sent: " + want}, got.Outcome)
	}
	require.Zero(t, trap.seen.Load())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	trap := newCanary(t, "127.0.0.1:0")
	s := newSender(t)
	for _, status := range []int{301, 302, 303, 307, 308} {
		url := "http://" + listen(t, answer(fmt.Sprintf("HTTP/1.1 %d Moved\r\nLocation: http://%s/?token=x\r\nContent-Length: 0\r\n\r\n", status, trap.address)))
		got := s.Send(t.Context(), post(url))
		require.Equal(t, webhook.Retry, got.Outcome.Kind)
		require.Equal(t, webhook.ReasonRedirect, got.Outcome.Reason)
		require.Equal(t, status, got.Outcome.StatusCode)
		require.NotContains(t, got.Outcome.Detail, trap.address)
	}
	require.Zero(t, trap.seen.Load())
}

// TestOnePOSTPerAttempt holds net/http to sending once: it repeats requests on
// its own where it takes them for repeatable.
func TestOnePOSTPerAttempt(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"Idempotency-Key", "X-Idempotency-Key", "X-Other"} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			var posts atomic.Int32
			address := listen(t, func(conn net.Conn) {
				for reader := bufio.NewReader(conn); ; {
					request, err := http.ReadRequest(reader)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, request.Body)
					if posts.Add(1) > 1 {
						return // the second POST, on a kept connection, is taken and not answered
					}
					_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
				}
			})
			s, request := newSender(t), post("http://"+address)
			request.Header = []Header{{header, "k"}}
			require.Equal(t, webhook.Delivered, s.Send(t.Context(), request).Outcome.Kind)
			require.Equal(t, webhook.ReasonConnectionReset, s.Send(t.Context(), request).Outcome.Reason)
			require.EqualValues(t, 2, posts.Load())
		})
	}
}

func TestTurnedAwayOverHTTP2IsTriedOnceMore(t *testing.T) {
	t.Parallel()
	for _, code := range []http2.ErrCode{http2.ErrCodeRefusedStream, http2.ErrCodeProtocol} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			var posts atomic.Int32
			sc := scenario{open: framed(func(framer *http2.Framer, stream uint32) error {
				posts.Add(1)
				return framer.WriteRSTStream(stream, code)
			})}
			s, request := sc.start(t)
			got := s.Send(t.Context(), request)
			require.Equal(t, webhook.ReasonConnectionReset, got.Outcome.Reason, got.Outcome.Detail)
			require.EqualValues(t, 2, posts.Load())
		})
	}
}
