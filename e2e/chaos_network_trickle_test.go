//go:build chaos

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"
)

// Every tenant has a webhook at each kind of receiver, and its events come in one
// batch: no more than its webhooks have places for in the fast lane, and no more
// than a breaker lets pass before it opens, so that nothing keeps them apart.
const (
	trickledTenants = 40
	trickledEvents  = 10
	trickledPosts   = trickledTenants * trickledEvents * 5 // tricklers
	trickleTimeout  = time.Second
)

// trickler is a receiver that never comes to an end.
type trickler struct {
	serve  func(net.Conn)
	reason string
}

func tricklers() []trickler {
	const ok, chunked = "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	return []trickler{
		{thenForever(ok+"X-Slow: ", "x", time.Second), "timeout"},
		{thenForever(ok+"Content-Length: 1000\r\n\r\n", "x", time.Second), "timeout"},
		{thenForever(chunked, "1\r\nx\r\n", 50*time.Millisecond), "timeout"},
		{thenForever("", "HTTP/1.1 102 Processing\r\n\r\n", 50*time.Millisecond), "timeout"},
		{thenForever(ok+"X-Huge: ", strings.Repeat("x", 1<<16), 0), "bad_response"}, // without end: a gigabyte and more
	}
}

// tricklingReceivers sends to receivers that never come to an end, beside a
// quiet tenant. Each POST must end by its webhook's timeout, and the process be
// afterwards what it was before.
func tricklingReceivers(x *experiment) {
	au := x.scene(settings{}, 0)
	process := au.sys.start("all").awaitReady()
	au.watch("", never)
	kinds := tricklers()
	require.Equal(x.t, trickledPosts, trickledTenants*trickledEvents*len(kinds))
	var asked atomic.Int64
	urls := make([]string, len(kinds))
	for i, kind := range kinds {
		urls[i] = rawReceiver(x.t, func(conn net.Conn) { asked.Add(1); kind.serve(conn) })
	}
	tenants := make([]trickled, trickledTenants)
	for i := range tenants {
		tenants[i].sys = au.sys.as(x.t, fmt.Sprintf("trickled-%d", i))
		for _, url := range urls {
			w := tenants[i].sys.createWebhook(url, `"retry":`+never, fmt.Sprintf(`"timeoutSeconds":%d`, int(trickleTimeout.Seconds())))
			tenants[i].webhooks = append(tenants[i].webhooks, w.ID)
		}
	}
	au.load("order.paid", outageRate, 3*time.Second) // warm
	au.settle(15 * time.Second)
	before := au.levels(process)

	loaded := x.load(au, outageRate, 15*time.Second)
	for i := range tenants {
		x.pause(200 * time.Millisecond)
		x.enqueueTrickled(tenants[i])
	}
	began := time.Now()
	attempts := x.trickledAttempts(tenants, &asked)
	took := time.Since(began)
	loaded()

	longest := time.Duration(0)
	for kind, list := range attempts {
		for _, a := range list {
			require.Equal(x.t, kinds[kind].reason, a.Reason, "kind %d", kind)
			longest = max(longest, time.Duration(a.DurationMS)*time.Millisecond)
		}
	}
	require.LessOrEqual(x.t, longest, trickleTimeout+time.Second, "the total deadline of a POST")
	after := x.awaitLevels(au, process, before)
	most := process.mostResidentMiB()
	require.Less(x.t, most, 300, "MiB of memory")
	x.judge(au, time.Time{}, 15*time.Second, fmt.Sprintf(
		"all on record %.1f s after the last event, the longest POST took %.1f s of its %.0f; at most %d MiB; goroutines %d → %d, files %d → %d; the columns are of a tenant beside",
		took.Seconds(), longest.Seconds(), trickleTimeout.Seconds(), most, before.goroutines, after.goroutines, before.files, after.files))
}

// trickled is one tenant with its webhooks, one for each kind of receiver.
type trickled struct {
	sys      *system
	webhooks []string
}

// enqueueTrickled hands a tenant's events over, again where nobody knows whether
// they were taken.
func (x *experiment) enqueueTrickled(tenant trickled) {
	x.t.Helper()
	body := `{"events":[` + strings.Join(numbered(trickledEvents), ",") + `]}`
	for {
		status, a := tenant.sys.call("POST", "/api/events/batch", body)
		if status == http.StatusAccepted {
			return
		}
		require.Equal(x.t, http.StatusServiceUnavailable, status, a.raw)
		x.pause(time.Second)
	}
}

// trickledAttempts waits until every POST is on record, and returns them by kind
// of receiver.
func (x *experiment) trickledAttempts(tenants []trickled, asked *atomic.Int64) [][]fullAttempt {
	x.t.Helper()
	for {
		found, onRecord := make([][]fullAttempt, len(tricklers())), 0
		for _, tenant := range tenants {
			for kind, id := range tenant.webhooks {
				history := tenant.attempts(id)
				found[kind], onRecord = append(found[kind], history...), onRecord+len(history)
			}
		}
		if onRecord >= trickledPosts && int64(onRecord) >= asked.Load() {
			require.EqualValues(x.t, asked.Load(), onRecord, "POSTs on record that were none")
			return found
		}
		x.pause(100 * time.Millisecond)
	}
}

func (tenant trickled) attempts(webhookID string) []fullAttempt {
	_, a := tenant.sys.call("GET", "/api/webhooks/"+webhookID+"/history?limit=100", "")
	return into[[]fullAttempt](tenant.sys.t, a)
}

// levels are what a process must not keep of its POSTs.
type levels struct{ goroutines, files int }

// levels counts without the connections that publishers have left open.
func (au *audited) levels(p *process) levels {
	au.client.CloseIdleConnections()
	return levels{p.goroutines(), p.files()}
}

// awaitLevels waits until the process is down to the levels that it had, give or
// take what comes and goes.
func (x *experiment) awaitLevels(au *audited, p *process, before levels) (after levels) {
	x.t.Helper()
	most := levels{before.goroutines*11/10 + 20, before.files + 20}
	for end := time.Now().Add(60 * time.Second); ; x.pause(time.Second) {
		after = au.levels(p)
		if after.goroutines <= most.goroutines && after.files <= most.files || time.Now().After(end) {
			require.LessOrEqual(x.t, after.goroutines, most.goroutines, "goroutines, %d before", before.goroutines)
			require.LessOrEqual(x.t, after.files, most.files, "open files, %d before", before.files)
			return after
		}
	}
}
