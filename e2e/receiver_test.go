package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// receiver is a customer's endpoint: it records every request and answers as the
// test says.
type receiver struct {
	*httptest.Server
	t        *testing.T
	mu       sync.Mutex
	arrivals []arrival
	answer   func(n int, w http.ResponseWriter, r *http.Request)
}

// arrival is one request as it came in.
type arrival struct {
	at     time.Time
	done   time.Time // when it was answered; zero while it is not
	method string
	path   string
	header http.Header
	body   string
}

// newReceiver answers 204 to everything, unless answer says otherwise. N counts
// requests from 1.
func newReceiver(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *receiver {
	t.Helper()
	rec := &receiver{t: t, answer: answer}
	rec.Server = httptest.NewServer(rec)
	t.Cleanup(func() { rec.CloseClientConnections(); rec.Close() }) // cuts what still hangs
	return rec
}

func (rec *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rec.mu.Lock()
	rec.arrivals = append(rec.arrivals, arrival{at: time.Now(), method: r.Method, path: r.URL.Path, header: r.Header, body: string(body)})
	n := len(rec.arrivals)
	rec.mu.Unlock()
	defer func() {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		rec.arrivals[n-1].done = time.Now()
	}()
	if rec.answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	rec.answer(n, w, r)
}

// all returns what has arrived so far.
func (rec *receiver) all() []arrival {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]arrival(nil), rec.arrivals...)
}

// await waits for at least n arrivals and returns all there are.
func (rec *receiver) await(n int, within time.Duration) []arrival {
	rec.t.Helper()
	require.Eventually(rec.t, func() bool { return len(rec.all()) >= n }, within, 10*time.Millisecond,
		"waiting for %d arrivals", n)
	return rec.all()
}

// hang answers nothing for as long as the sender waits.
func hang(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// status answers every request with one status.
func status(code int) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// statuses answers the n-th request with the n-th status, and later ones with
// the last.
func statuses(codes ...int) func(int, http.ResponseWriter, *http.Request) {
	return func(n int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(codes[min(n, len(codes))-1]) }
}

// hmacHex is what a receiver computes to check a signature.
func hmacHex(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
