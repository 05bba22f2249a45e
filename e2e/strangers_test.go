package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// storedAnswer is how much of an answer is kept, at most.
const storedAnswer = 64 << 10

// rawReceiver serves each connection by hand, after one request was read.
func rawReceiver(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			go func() {
				defer func() { _ = conn.Close() }()
				request, err := http.ReadRequest(bufio.NewReader(conn))
				if err != nil {
					return
				}
				_, _ = bufio.NewReader(request.Body).WriteTo(&bytes.Buffer{})
				serve(conn)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, conn := range open {
			_ = conn.Close()
		}
	})
	return "http://" + listener.Addr().String()
}

// says writes the parts one after the other and hangs up.
func says(parts ...string) func(net.Conn) {
	return func(conn net.Conn) {
		for _, part := range parts {
			if _, err := conn.Write([]byte(part)); err != nil {
				return
			}
		}
	}
}

// thenForever writes the head, and then the piece for as long as it is taken,
// with a pause between.
func thenForever(head, piece string, pause time.Duration) func(net.Conn) {
	return func(conn net.Conn) {
		says(head)(conn)
		for {
			if _, err := conn.Write([]byte(piece)); err != nil {
				return
			}
			if pause > 0 {
				<-time.After(pause)
			}
		}
	}
}

// silence waits until the other side hangs up.
func silence(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) }

// bomb is a gzip body that unpacks to a gigabyte of zeros: 32 times the same 32
// megabytes.
func bomb(t *testing.T) string {
	t.Helper()
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	require.NoError(t, err)
	zeros := make([]byte, 1<<20)
	for range 32 {
		_, err := writer.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, writer.Close())
	return strings.Repeat(packed.String(), 32)
}

// stranger is a receiver that misbehaves, and what is on record afterwards.
type stranger struct {
	name      string
	serve     func(net.Conn)
	reason    string // "" where the attempt succeeds
	status    int    // 0 where no answer was understood
	hangs     bool   // ended by the webhook's timeout alone
	truncated bool
}

func strangers(t *testing.T, trap string) []stranger {
	t.Helper()
	const ok, chunked = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	packed := bomb(t)
	all := []stranger{
		{name: "nothing at all", serve: silence, reason: "timeout", hangs: true},
		{name: "a header, a byte a second", serve: thenForever(ok+"X-Slow: ", "x", time.Second), reason: "timeout", hangs: true},
		{name: "a body, a byte a second", serve: thenForever(ok+"\r\n", "x", time.Second), reason: "timeout", status: 200, hangs: true},
		{name: "a status line, a byte a second", serve: thenForever("H", "T", time.Second), reason: "timeout", hangs: true},
		{name: "1xx, one a second", serve: thenForever("", "HTTP/1.1 102 Processing\r\n\r\n", time.Second), reason: "timeout", hangs: true},
		{name: "endless 1xx", serve: thenForever("", strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 100), 0), reason: "bad_response"},
		{name: "endless chunks", serve: thenForever(chunked, "400\r\n"+strings.Repeat("x", 1024)+"\r\n", 0), status: 200, truncated: true},
		{name: "chunks of one byte, endless", serve: thenForever(chunked, strings.Repeat("1\r\nx\r\n", 1000), 0), status: 200, truncated: true},
		{name: "endless trailers", serve: thenForever(chunked+"1\r\nx\r\n0\r\n", strings.Repeat("X-T: x\r\n", 1000), 0), reason: "bad_response", status: 200},
		{name: "a chunk of 2^63", serve: says(chunked, "7fffffffffffffff\r\n", strings.Repeat("x", 2*storedAnswer)), status: 200, truncated: true},
		{name: "a chunk extension without end", serve: thenForever(chunked+"1;", strings.Repeat("x", 1024), 0), reason: "bad_response", status: 200},
		{name: "a header of a gigabyte", serve: thenForever(ok+"X-Huge: ", strings.Repeat("x", 1<<16), 0), reason: "bad_response"},
		{name: "a million headers", serve: thenForever(ok, strings.Repeat("X-Many: x\r\n", 1000), 0), reason: "bad_response"},
		{name: "a body of 100 MB", serve: says(ok+"Content-Length: 104857600\r\n\r\n", strings.Repeat("x", 100<<20)), status: 200, truncated: true},
		{name: "an endless body", serve: thenForever(ok+"\r\n", strings.Repeat("x", 1<<16), 0), status: 200, truncated: true},
		{name: "a failure with an endless body", serve: thenForever("HTTP/1.1 500 Oh\r\n\r\n", strings.Repeat("x", 1<<16), 0), reason: "server_error", status: 500, truncated: true},
		{name: "a gzip bomb", serve: says(fmt.Sprintf(ok+"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", len(packed)), packed), status: 200, truncated: true},
		{name: "binary junk", serve: says(ok+"Content-Length: 256\r\n\r\n", junk()), status: 200},
		{name: "junk for HTTP", serve: says(junk() + "\r\n\r\n"), reason: "bad_response"},
		{name: "another protocol", serve: says("220 mail.example ESMTP\r\n"), reason: "bad_response"},
		{name: "hangs up at once", serve: says(), reason: "connection_reset"},
		{name: "hangs up in a header", serve: says(ok + "X: "), reason: "connection_reset"},
		{name: "hangs up in the body", serve: says(ok + "Content-Length: 10\r\n\r\nhalf"), reason: "connection_reset", status: 200},
		{name: "two lengths", serve: says(ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), reason: "bad_response"},
		{name: "a length below zero", serve: says(ok + "Content-Length: -1\r\n\r\n"), reason: "bad_response"},
		{name: "a line break in a header", serve: says(ok + "X-A: a\r\n b\r\nContent-Length: 0\r\n\r\n"), status: 200},
		{name: "status 999", serve: says("HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), reason: "bad_response", status: 999},
		{name: "another protocol wanted", serve: says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), reason: "informational_status", status: 101},
		{name: "an answer to nothing asked", serve: says(ok + "Content-Length: 0\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n"), status: 200},
	}
	for _, code := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		for _, location := range []string{"http://" + trap + "/", "//" + trap + "/", "/again"} {
			all = append(all, stranger{
				name:  fmt.Sprintf("%d to %s", code, location),
				serve: says(fmt.Sprintf("HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", code, location)), reason: "redirect", status: code,
			})
		}
	}
	return append(all,
		stranger{name: "Refresh", serve: says(ok + "Refresh: 0; url=http://" + trap + "/\r\nContent-Length: 0\r\n\r\n"), status: 200},
		stranger{name: "Alt-Svc", serve: says(ok + "Alt-Svc: h2=\"" + trap + "\"; ma=60\r\nContent-Length: 0\r\n\r\n"), status: 200},
		stranger{name: "Link", serve: says("HTTP/1.1 103 Early Hints\r\nLink: <http://" + trap + "/>; rel=preload\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n"), status: 200},
	)
}

// junk is every byte there is.
func junk() string {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(255 - i)
	}
	return string(all)
}

// TestStrangersHurtNobody delivers to receivers of every bad kind at once. Each
// attempt ends by itself or at the webhook's timeout, and is on record; the
// process is afterwards what it was before.
func TestStrangersHurtNobody(t *testing.T) {
	t.Parallel()
	const timeout = 3 * time.Second
	sys, trap := install(t, settings{}), newCanary(t, "")
	process := sys.start("all").awaitReady()
	calm := newReceiver(t, nil)
	sys.createWebhook(calm.URL)
	sys.awaitStates(sys.enqueue(paid).ID, 20*time.Second, "delivered")
	goroutines, files := process.goroutines(), process.files()

	t.Run("strangers", func(t *testing.T) {
		for i, s := range strangers(t, trap.address) {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				asked := 0
				var mu sync.Mutex
				url := rawReceiver(t, func(conn net.Conn) {
					mu.Lock()
					asked++
					mu.Unlock()
					s.serve(conn)
				})
				view := sys.as(t, fmt.Sprintf("stranger-%d", i))
				w := view.createWebhook(url, fmt.Sprintf(`"retry":{"mode":"never"},"timeoutSeconds":%d`, int(timeout.Seconds())))
				event := view.enqueue(paid)
				state := "delivered"
				if s.reason != "" {
					state = "failed"
				}
				view.awaitStates(event.ID, 20*time.Second, state)
				attempt := view.onlyAttempt(w.ID)
				require.Equal(t, s.reason, attempt.Reason)
				require.Equal(t, s.status, attempt.status())
				require.Equal(t, s.truncated, attempt.Truncated)
				require.LessOrEqual(t, len(attempt.Body), 3*storedAnswer, "junk grows where it is shown as text")
				if s.truncated {
					require.Len(t, strings.ToValidUTF8(attempt.Body, ""), len(attempt.Body))
				}
				took := time.Duration(attempt.DurationMS) * time.Millisecond
				require.Less(t, took, timeout+2*time.Second)
				if s.hangs {
					require.GreaterOrEqual(t, took, timeout-100*time.Millisecond)
				}
				mu.Lock()
				defer mu.Unlock()
				require.Equal(t, 1, asked, "one POST, however it ended")
			})
		}
	})
	trap.silent(t)
	sys.awaitStates(sys.enqueue(paid).ID, 20*time.Second, "delivered")
	sys.await("goroutines as before", 60*time.Second, func() bool { return process.goroutines() <= goroutines+20 })
	sys.await("open files as before", 60*time.Second, func() bool { return process.files() <= files+20 })
}

// fullAttempt is an attempt with what the test of strangers looks at beside.
type fullAttempt struct {
	seenAttempt
	DurationMS int  `json:"durationMs"`
	Truncated  bool `json:"responseTruncated"`
}

// status is 0 where no answer was understood.
func (a fullAttempt) status() int {
	if a.StatusCode == nil {
		return 0
	}
	return *a.StatusCode
}

func (sys *system) onlyAttempt(webhookID string) fullAttempt {
	sys.t.Helper()
	_, a := sys.call("GET", "/api/webhooks/"+webhookID+"/history", "")
	history := into[[]fullAttempt](sys.t, a)
	require.Len(sys.t, history, 1)
	return history[0]
}

// goroutines is how many the process has, by its own metrics.
func (p *process) goroutines() int {
	for _, line := range p.sys.scrape(p.sys.api) {
		if text, found := strings.CutPrefix(line, "go_goroutines "); found {
			n, err := strconv.Atoi(text)
			require.NoError(p.sys.t, err)
			return n
		}
	}
	p.sys.t.Fatal("the metrics name no goroutines")
	return 0
}

// files is how many the process has open, sockets among them.
func (p *process) files() int {
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	require.NoError(p.sys.t, err)
	return len(open)
}
