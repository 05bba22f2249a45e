package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// eventAPI is a stand-in for the API, whose event goes through the given views
// of its deliveries, one per look. That the real API answers so is for the
// whole-system tests to show.
type eventAPI struct {
	mu     sync.Mutex
	bodies []string
	header []http.Header
	views  []string // the deliveries' JSON, in turn; "" = not on record yet, "500" = a failure
	looks  int
}

func (a *eventAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	a.header = append(a.header, r.Header)
	switch {
	case r.URL.Path == "/api/webhooks/events":
		_, _ = io.WriteString(w, `{"data":[{"type":"order.paid","sample":{"n":1.50,"note":"<1>"},"source":"api","attributes":{"campaignId":"c"},"customData":{"a":"b"}}]}`)
	case r.URL.Path == "/api/events" && strings.Contains(string(body), "refuse"):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"success":false,"message":"No","errors":{"type":"is \u001b[2Junknown"}}`)
	case r.URL.Path == "/api/events":
		a.bodies = append(a.bodies, string(body))
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"success":true,"data":{"id":"e1","status":"accepted","duplicate":false}}`)
	case r.URL.Path == "/api/events/e1":
		view := a.views[min(a.looks, len(a.views)-1)]
		a.looks++
		switch view {
		case "":
			w.WriteHeader(http.StatusNotFound)
		case "500":
			w.WriteHeader(http.StatusInternalServerError)
		case "401":
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"message":"The token has expired"}`)
		default:
			_, _ = fmt.Fprintf(w, `{"data":{"id":"e1","deliveries":[%s]},"pagination":{"nextCursor":null}}`, view)
		}
	case strings.HasPrefix(r.URL.Path, "/api/deliveries/"):
		id := strings.TrimPrefix(r.URL.Path, "/api/deliveries/")
		var list []json.RawMessage
		_ = json.Unmarshal([]byte("["+a.views[min(a.looks-1, len(a.views)-1)]+"]"), &list)
		for _, one := range list {
			if strings.Contains(string(one), `"id":"`+id+`"`) {
				_, _ = fmt.Fprintf(w, `{"data":%s}`, one)
			}
		}
	}
}

func newEventAPI(t *testing.T, views ...string) (*eventAPI, map[string]string) {
	t.Helper()
	api := &eventAPI{views: views}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return api, map[string]string{"POSTHASTE_API_URL": server.URL + "/", "POSTHASTE_TOKEN": "c4n4ry"}
}

// seen is a delivery as the API shows it, with one attempt per status.
func seen(id, state string, statuses ...int) string {
	var attempts []string
	for i, status := range statuses {
		attempts = append(attempts, fmt.Sprintf(`{"attempt":%d,"statusCode":%d,"reason":%q,"deliveredAt":"2026-05-30T10:00:0%d.000Z","durationMs":12}`,
			i+1, status, map[bool]string{true: "", false: "server_error"}[status < 300], i))
	}
	settled, next := "null", "null"
	switch state {
	case "retrying":
		next = `"` + time.Now().Add(90*time.Minute).UTC().Format(time.RFC3339) + `"`
	case "pending":
	default:
		settled = `"2026-05-30T10:00:09.000Z"`
	}
	return fmt.Sprintf(`{"id":%q,"webhookId":"w","webhookName":"orders","host":"shop.example","state":%q,"attemptCount":%d,"nextAttemptAt":%s,"settledAt":%s,"reason":null,"attempts":[%s]}`,
		id, state, len(statuses), next, settled, strings.Join(attempts, ","))
}

func TestSendEnqueues(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "data.json")
	require.NoError(t, os.WriteFile(file, []byte(` {"from":"a file"} `), 0o600))
	tests := []struct {
		name  string
		args  []string
		stdin string
		want  string
	}{
		{"the sample", nil, "", `{"type":"order.paid","source":"api","data":{"n":1.50,"note":"<1>"},"customData":{"a":"b"},"attributes":{"campaignId":"c"}}`},
		{"the sample from another source", []string{"--source", "admin"}, "", `{"type":"order.paid","source":"admin","data":{"n":1.50,"note":"<1>"},"customData":{"a":"b"},"attributes":{"campaignId":"c"}}`},
		{"JSON", []string{"--data", `{"n":1.50}`, "--provider", "akol"}, "", `{"type":"order.paid","provider":"akol","data":{"n":1.50}}`},
		{"a file", []string{"--data", "@" + file}, "", `{"type":"order.paid","data":{"from":"a file"}}`},
		{"what comes in", []string{"--data", "-"}, "{\"from\":\n\"a pipe\"}\n", `{"type":"order.paid","data":{"from":"a pipe"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api, env := newEventAPI(t)
			got := callWith(t, t.Context(), env, tt.stdin, append([]string{"send", "order.paid", "--key", "k1"}, tt.args...)...)
			require.Equal(t, exitOK, got.code, got.errors)
			require.Equal(t, []string{tt.want}, []string{strings.TrimSpace(api.bodies[0])})
			sent := api.header[len(api.header)-1]
			require.Equal(t, "k1", sent.Get("Idempotency-Key"))
			require.Equal(t, "Bearer c4n4ry", sent.Get("Authorization"))
			require.Equal(t, "EVENT  TYPE        STATUS\ne1     order.paid  accepted\n", got.out)
		})
	}

	t.Run("for a program, by an API key", func(t *testing.T) {
		t.Parallel()
		api, env := newEventAPI(t)
		delete(env, "POSTHASTE_TOKEN")
		got := call(t, env, "send", "order.paid", "--json", "--api-key", "c4n4ry")
		require.Equal(t, exitOK, got.code, got.errors)
		require.Equal(t, `{"id":"e1","status":"accepted","duplicate":false}`+"\n", got.out)
		require.Equal(t, "c4n4ry", api.header[0].Get("X-API-Key"))
		require.Empty(t, api.header[0].Get("Authorization"))
	})
}

func TestUndeliveredText(t *testing.T) {
	t.Parallel()
	for want, counts := range map[string][2]int{
		"1 of 1 delivery was not made": {1, 1}, "1 of 3 deliveries was not made": {1, 3},
		"2 of 3 deliveries were not made": {2, 3}, "3 of 3 deliveries were not made": {3, 3},
	} {
		require.Equal(t, want, undeliveredText(counts[0], counts[1]))
	}
}

func TestSendFailures(t *testing.T) {
	t.Parallel()
	api := func(map[string]string) {}
	tests := []struct {
		name string
		env  func(map[string]string)
		args []string
		code int
		want string
	}{
		{"no credential", func(env map[string]string) { delete(env, "POSTHASTE_TOKEN") }, nil, exitUsage, "--token (POSTHASTE_TOKEN)"},
		{"two credentials", api, []string{"--api-key", "k"}, exitUsage, "leave one out"},
		{"no address", api, []string{"--api", "shop"}, exitUsage, "--api (POSTHASTE_API_URL)"},
		{"no JSON", api, []string{"--data", "{"}, exitUsage, "--data is no JSON"},
		{"no file", api, []string{"--data", "@/nowhere/at/all"}, exitUsage, "/nowhere/at/all"},
		{"unknown source", api, []string{"--source", "moon"}, exitUsage, "--source"},
		{"nobody there", func(env map[string]string) { env["POSTHASTE_API_URL"] = "http://127.0.0.1:1" }, nil, exitFailure, "http://127.0.0.1:1 does not answer (connection refused)"},
		{"refused", api, []string{"--data", `"refuse"`}, exitFailure, "the event was not taken: 400: No; type is  [2Junknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, env := newEventAPI(t)
			tt.env(env)
			got := call(t, env, append([]string{"send", "order.paid"}, tt.args...)...)
			require.Equal(t, tt.code, got.code, got.errors)
			require.Empty(t, got.out)
			require.Contains(t, got.errors, tt.want)
			require.NotContains(t, got.errors, "c4n4ry")
		})
	}
	t.Run("no sample", func(t *testing.T) {
		t.Parallel()
		_, env := newEventAPI(t)
		got := call(t, env, "send", "order.unheard")
		require.Equal(t, exitUsage, got.code)
		require.Contains(t, got.errors, "give --data")
	})
}

func TestFollowEndsWhenAllIsSettled(t *testing.T) {
	t.Parallel()
	both := seen("d1", "delivered", 500, 204) + "," + seen("d2", "failed", 500)
	tests := []struct {
		name    string
		views   []string
		code    int
		outcome string
		lines   []string
	}{
		{"delivered after failures", []string{"", seen("d1", "pending"), seen("d1", "retrying", 500), seen("d1", "delivered", 500, 204)}, exitOK, "delivered",
			[]string{"event e1  accepted", `orders \(shop.example\)  attempt 1  500 server_error  in 12 ms  next try at .*, in 1h(2[0-9]|30)m$`, `attempt 2  204  in 12 ms  delivered$`}},
		{"several attempts between two looks", []string{seen("d1", "delivered", 500, 500, 204)}, exitOK, "delivered",
			[]string{"event e1", `attempt 1  500 server_error  in 12 ms$`, `attempt 2  500 server_error  in 12 ms$`, `attempt 3  204  in 12 ms  delivered$`}},
		{"one was not", []string{seen("d1", "pending") + "," + seen("d2", "pending"), both}, exitUndelivered, "undelivered",
			[]string{"event e1", "attempt 1  500 server_error  in 12 ms$", "attempt 2  204  in 12 ms  delivered$", "attempt 1  500 server_error  in 12 ms  failed$"}},
		{"without an attempt", []string{seen("d1", "skipped")}, exitUndelivered, "undelivered", []string{"event e1", `orders \(shop.example\)  skipped$`}},
		{"nobody wants it", []string{" "}, exitOK, "unwanted", []string{"event e1", "no webhook wants it"}},
		{"the API is away for a moment", []string{"500", "500", seen("d1", "delivered", 204)}, exitOK, "delivered",
			[]string{"event e1", "cannot look just now, trying on: 500", "attempt 1  204  in 12 ms  delivered$"}},
		{"the token runs out", []string{seen("d1", "pending"), "401"}, exitFailure, "unfinished", []string{"event e1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, env := newEventAPI(t, tt.views...)
			got := call(t, env, "send", "order.paid", "--follow")
			require.Equal(t, tt.code, got.code, got.errors)
			require.NotContains(t, got.out, "\x1b", "a pipe gets lines")
			lines := strings.Split(strings.TrimSpace(got.out), "\n")
			require.Len(t, lines, len(tt.lines), got.out)
			for i, want := range tt.lines {
				require.Regexp(t, want, lines[i])
			}
			require.Equal(t, tt.code == exitOK, got.errors == "", got.errors)

			_, env = newEventAPI(t, tt.views...)
			got = call(t, env, "send", "order.paid", "--follow", "--json")
			require.Equal(t, tt.code, got.code)
			var event followedEvent
			require.NoError(t, json.Unmarshal([]byte(got.out), &event), got.out)
			require.Equal(t, tt.outcome, event.Outcome)
			require.Equal(t, "e1", event.ID)
			require.Equal(t, strings.Contains(tt.views[len(tt.views)-1], "d1") || tt.outcome == "unfinished", len(event.Deliveries) > 0)
		})
	}
}

func TestFollowInterruptedSaysThatTheEventGoesOn(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--json"}} {
		api, env := newEventAPI(t, seen("d1", "retrying", 500))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for {
				api.mu.Lock()
				looks := api.looks
				api.mu.Unlock()
				if looks > 1 {
					cancel()
					return
				}
				<-time.After(time.Millisecond)
			}
		}()
		got := callWith(t, ctx, env, "", append([]string{"send", "order.paid", "--follow"}, args...)...)
		require.Equal(t, exitInterrupted, got.code)
		require.Equal(t, "posthaste: no longer watching; event e1 goes on\n", got.errors)
		if args != nil {
			require.Contains(t, got.out, `"outcome":"unfinished"`)
		}
	}
}

func TestFollowOnATerminalRedrawsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	lines := newFollowLines(&out, acceptedEvent{ID: "e1", Status: "accepted"})
	now := time.Now()
	next := now.Add(5 * time.Second)
	lines.terminal, lines.now = true, func() time.Time { return now }
	waiting := &followedDelivery{ID: "d1", WebhookName: "orders", Host: strings.Repeat("h", 200), State: "retrying", NextAttemptAt: &next}
	out.Reset()

	lines.all(true, []*followedDelivery{waiting})
	require.Contains(t, out.String(), "\n")
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), liveWidth, "a wrapped line could not be taken back")
	}
	out.Reset()
	waiting.Host = "shop.example"
	lines.all(true, []*followedDelivery{waiting})
	require.Equal(t, "\x1b[1A\r\x1b[J  orders (shop.example)  retrying, next try in 5 s\n", out.String())

	out.Reset()
	many := make([]*followedDelivery, 30)
	for i := range many {
		many[i] = waiting
	}
	lines.all(true, many)
	require.Equal(t, liveLines+1, strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), "and 22 more")

	out.Reset()
	lines.end()
	require.Equal(t, "\x1b[9A\r\x1b[J", out.String())
	out.Reset()
	lines.end()
	require.Empty(t, out.String(), "what is taken back once is gone")
}
