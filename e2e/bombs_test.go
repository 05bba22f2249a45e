package e2e

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// forever is a body without end.
type forever struct{ head, piece string }

func (f *forever) Read(into []byte) (int, error) {
	if f.head != "" {
		n := copy(into, f.head)
		f.head = f.head[n:]
		return n, nil
	}
	return copy(into, f.piece), nil
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	_, err := writer.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return out.String()
}

// keys is an object with so many members.
func keys(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, `"k%d":0,`, i)
	}
	return "{" + strings.TrimSuffix(out.String(), ",") + "}"
}

// TestJSONBombsAreDefused sends bodies to POST /api/events that are made to hurt
// a parser. Each is refused at once, or taken for what it is, and the process
// serves on.
func TestJSONBombsAreDefused(t *testing.T) {
	t.Parallel()
	sys := up(t, settings{})
	event := func(data string) string { return `{"type":"order.paid","data":` + data + `}` }
	nested := func(open, end string, levels int) string {
		return strings.Repeat(open, levels) + strings.Repeat(end, levels)
	}
	const tooLarge = http.StatusRequestEntityTooLarge
	tests := []struct {
		name   string
		body   any // a string, or an io.Reader whose length is not announced
		header []string
		want   int
	}{
		{"lists 9999 deep", event(`{"a":` + nested("[", "]", 9999) + `}`), nil, 400},
		{"objects 9999 deep", event(nested(`{"a":`, "}", 9999)), nil, 400},
		{"objects 9999 deep, never closed", strings.Repeat(`{"a":`, 9999), nil, 400},
		{"lists 65 deep", event(`{"a":` + nested("[", "]", 65) + `}`), nil, 400},
		{"a quarter of a megabyte of brackets", strings.Repeat("[", 250_000), nil, 400},
		{"a million members", event(keys(1_000_000)), nil, tooLarge},
		{"as many members as fit", event(keys(20_000)), nil, 202},
		{"a long number", event(`{"n":` + strings.Repeat("9", 100_000) + `}`), nil, 400},
		{"a long fraction", event(`{"n":0.` + strings.Repeat("1", 100_000) + `}`), nil, 400},
		{"a long exponent", event(`{"n":1e` + strings.Repeat("9", 100_000) + `}`), nil, 400},
		{"1e400", event(`{"n":1e400}`), nil, 400},
		{"-1e400", event(`{"n":-1e400}`), nil, 400},
		{"1e-400", event(`{"n":1e-400}`), nil, 400},
		{"1e999999999", event(`{"n":1e999999999}`), nil, 400},
		{"NaN", event(`{"n":NaN}`), nil, 400},
		{"a number with a zero in front", event(`{"n":007}`), nil, 400},
		{"not UTF-8", event("{\"s\":\"\xff\xfe\"}"), nil, 400},
		{"overlong UTF-8", event("{\"s\":\"\xc0\xaf\"}"), nil, 400},
		{"surrogates as UTF-8", event("{\"s\":\"\xed\xa0\x80\"}"), nil, 400},
		{"UTF-16", "\xff\xfe{\x00}\x00", nil, 400},
		{"byte order mark", "\xef\xbb\xbf" + event("{}"), nil, 400},
		{"a NUL behind", event("{}") + "\x00", nil, 400},
		{"a NUL within a text", event("{\"s\":\"\x00\"}"), nil, 400},
		{"a NUL, escaped", event(`{"s":"\u0000"}`), nil, 202},
		{"a lone surrogate, escaped", event(`{"s":"\ud800"}`), nil, 202},
		{"a bad escape", event(`{"s":"\ud8"}`), nil, 400},
		{"a member twice", `{"type":"order.paid","data":{},"data":{"a":1}}`, nil, 400},
		{"a member twice within data", event(`{"a":1,"a":2}`), nil, 202},
		{"members that prototypes have", event(`{"__proto__":{"admin":true},"constructor":{"prototype":1}}`), nil, 202},
		{"members that are no part of an event", `{"type":"order.paid","data":{},"tenant":"other","id":"1","webhookId":"1","test":true}`, nil, 400},
		{"two bodies", event("{}") + event("{}"), nil, 400},
		{"a list", `[]`, nil, 400},
		{"a text of a quarter of a megabyte that never ends", `{"type":"` + strings.Repeat("x", 250_000), nil, 400},
		{"a long type", `{"type":"` + strings.Repeat("x", 100_000) + `","data":{}}`, nil, 400},
		{"a thousand quotation marks", strings.Repeat(`"`, 1000), nil, 400},
		{"10 MB", event(`{"s":"` + strings.Repeat("x", 10<<20) + `"}`), nil, tooLarge},
		{"10 MB, unannounced", io.MultiReader(strings.NewReader(event(`{"s":"` + strings.Repeat("x", 10<<20) + `"}`))), nil, tooLarge},
		{"chunks without end", &forever{`{"type":"order.paid","data":{"s":"`, strings.Repeat("x", 1024)}, nil, tooLarge},
		{"brackets without end", &forever{"", strings.Repeat("[", 1024)}, nil, tooLarge},
		{"gzip", packed(t, event("{}")), []string{"Content-Encoding", "gzip"}, 415},
		{"a gzip bomb", packed(t, strings.Repeat(" ", 64<<20)), []string{"Content-Encoding", "gzip"}, 415},
		{"gzip that is not announced", packed(t, event("{}")), nil, 400},
		{"deflate", event("{}"), []string{"Content-Encoding", "deflate"}, 415},
		{"two encodings", event("{}"), []string{"Content-Encoding", "identity, gzip"}, 415},
		{"a form", "type=order.paid&data={}", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415},
		{"a text", event("{}"), []string{"Content-Type", "text/plain"}, 415},
		{"XML", `<!DOCTYPE x [<!ENTITY a "aaa">]>`, []string{"Content-Type", "application/xml"}, 415},
		{"another charset", event("{}"), []string{"Content-Type", "application/json; charset=utf-16"}, 415},
		{"a long content type", event("{}"), []string{"Content-Type", "application/json; x=" + strings.Repeat("y", 10_000)}, 202},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body, isReader := tt.body.(io.Reader)
			if text, isText := tt.body.(string); isText {
				body = strings.NewReader(text)
			}
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, sys.api+"/api/events", body)
			require.NoError(t, err)
			if isReader {
				request.ContentLength = -1
			}
			request.Header.Set("Authorization", "Bearer "+sys.token)
			request.Header.Set("Content-Type", "application/json")
			for i := 0; i+1 < len(tt.header); i += 2 {
				request.Header.Set(tt.header[i], tt.header[i+1])
			}
			started := time.Now()
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			defer func() { _ = response.Body.Close() }()
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, tt.want, response.StatusCode, "%s", last(text, 500))
			require.Less(t, len(text), 4096, "the answer does not repeat what was sent")
			require.Less(t, time.Since(started), patience, "at once")
			if tt.want >= 400 {
				require.Contains(t, string(text), `"success":false,"code":"`)
			}
		})
	}
	sys.deliverOne()
	require.NotContains(t, strings.Join(sys.scrape(sys.api), "\n"), `status="5xx"} 1`)
}

// patience is a second on a machine of one's own; tests share theirs.
const patience = 3 * time.Second

// TestUnfinishedRequestsDoNotPileUp opens connections that never say all they
// have to say. Headers get five seconds.
func TestUnfinishedRequestsDoNotPileUp(t *testing.T) {
	t.Parallel()
	sys := up(t, settings{})
	address := strings.TrimPrefix(sys.api, "http://")
	closed := make(chan error, 100)
	for range cap(closed) {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = conn.Write([]byte("POST /api/events HTTP/1.1\r\nHost: x\r\nX-Slow: "))
		require.NoError(t, err)
		go func() {
			for { // one byte a second, for as long as it is taken
				err := conn.SetReadDeadline(time.Now().Add(time.Second))
				if err == nil {
					_, err = io.Copy(io.Discard, conn)
				}
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					closed <- err
					return
				}
				if _, err := conn.Write([]byte("x")); err != nil {
					closed <- err
					return
				}
			}
		}()
	}
	sys.deliverOne()
	deadline := time.After(20 * time.Second)
	for range cap(closed) {
		select {
		case err := <-closed:
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
		case <-deadline:
			t.Fatal("connections stay open that never finish their headers")
		}
	}
}
