package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// balancer stands before several processes as a load balancer does: requests go
// around, and one whose connection breaks goes to the next process.
type balancer struct {
	*httptest.Server
	client *http.Client
	mu     sync.Mutex
	behind []string // base URLs
	next   int
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}}
	b.Server = httptest.NewServer(b)
	t.Cleanup(func() { b.CloseClientConnections(); b.Close(); b.client.CloseIdleConnections() })
	return b
}

// put changes which processes get requests.
func (b *balancer) put(behind ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.behind = behind
}

// order returns the processes, each time beginning with another.
func (b *balancer) order() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.next++
	n := b.next % len(b.behind)
	return append(append([]string(nil), b.behind[n:]...), b.behind[:n]...)
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	for _, base := range b.order() {
		request, err := http.NewRequestWithContext(r.Context(), r.Method, base+r.URL.String(), bytes.NewReader(body))
		if err != nil {
			break
		}
		request.Header = r.Header.Clone()
		response, err := b.client.Do(request)
		if err != nil {
			continue
		}
		defer func() { _ = response.Body.Close() }()
		if after := response.Header.Get("Retry-After"); after != "" {
			w.Header().Set("Retry-After", after)
		}
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
		return
	}
	w.WriteHeader(http.StatusBadGateway)
}

// listening starts a process with API and worker on a port of its own and waits
// until it is ready.
func (sys *system) listening() (*process, string) {
	sys.t.Helper()
	view := *sys
	view.api = fmt.Sprintf("http://127.0.0.1:%d", freePort())
	p := view.start("all", "POSTHASTE_HTTP_ADDR="+strings.TrimPrefix(view.api, "http://")).awaitReady()
	sys.processes = view.processes
	return p, view.api
}

// rollingRestart replaces the two processes of an installation, one after the
// other and again, while events come in. It returns how often.
func rollingRestart(au *audited, b *balancer, perSecond int, lasting time.Duration) int {
	first, firstURL := au.sys.listening()
	second, secondURL := au.sys.listening()
	b.put(firstURL, secondURL)
	au.door = func() string { return b.URL }
	au.sys.api = b.URL
	au.watch("", `{"mode":"schedule","delaysSeconds":[1,5]}`)
	au.watch("", never)
	loaded := make(chan struct{})
	go func() { defer close(loaded); au.load("order.paid", perSecond, lasting) }()
	restarts := 0
	for {
		select {
		case <-loaded:
			return restarts
		case <-time.After(2 * time.Second):
		}
		third, thirdURL := au.sys.listening()
		b.put(secondURL, thirdURL, firstURL) // it still gets requests when it begins to stop
		first.stop()
		b.put(secondURL, thirdURL)
		restarts++
		first, firstURL, second, secondURL = second, secondURL, third, thirdURL
	}
}

func TestRollingRestartLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{postgres: true})
	au := newAudited(sys, func(_ int, w http.ResponseWriter, _ *http.Request) {
		<-time.After(50 * time.Millisecond) // so that POSTs are under way at every stop
		w.WriteHeader(http.StatusNoContent)
	})
	restarts := rollingRestart(au, newBalancer(t), 10, 12*time.Second) // the chaos suite has it alone on the machine, at 100/s
	au.settle(60 * time.Second)
	report := au.audit()
	t.Logf("%d restarts, %+v", restarts, report)
	require.Positive(t, restarts)
	require.Greater(t, report.Accepted, 200)
	require.Empty(t, report.Violations)
	require.Zero(t, report.Lost)
	require.Zero(t, report.Duplicates)
	require.Empty(t, au.refusals, "the publisher sees nothing of it")
}
