package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"posthaste/workflows"
)

// traffic is what publishers handed over, and how they were answered.
type traffic struct {
	sys    *system
	client *http.Client
	done   chan struct{}
	group  sync.WaitGroup

	mu       sync.Mutex
	accepted map[string]bool // ids that were answered with 202 or 200
	refused  int             // 503
	bare     int             // 503 without Retry-After
	others   []string        // answers that a publisher should never see
	slowest  time.Duration
}

// publish lets so many publishers hand over an event each, again and again with
// a pause between, until stop. With keyed, each event has an Idempotency-Key, and
// one that was refused is sent again until it is taken, as a platform does.
func (sys *system) publish(publishers int, pause time.Duration, keyed bool) *traffic {
	sys.t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: publishers}
	load := &traffic{
		sys: sys, done: make(chan struct{}), accepted: map[string]bool{},
		client: &http.Client{Transport: transport, Timeout: 40 * time.Second},
	}
	for p := range publishers {
		load.group.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d-%d", p, i)
				key := ""
				if keyed {
					key = "order-" + name
				}
				for !load.hand(fmt.Sprintf(`{"type":"order.paid","data":{"n":%q}}`, name), key) && keyed && !load.over(100*time.Millisecond) {
				}
				if load.over(pause) {
					return
				}
			}
		})
	}
	sys.t.Cleanup(func() { load.end(); transport.CloseIdleConnections() })
	return load
}

// over waits and tells whether the publishers are to stop.
func (load *traffic) over(after time.Duration) bool {
	select {
	case <-load.done:
		return true
	case <-time.After(after):
		return false
	}
}

// hand hands one event over and tells whether it was taken.
func (load *traffic) hand(body, key string) bool {
	request, err := http.NewRequest(http.MethodPost, load.sys.api+"/api/events", strings.NewReader(body))
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+load.sys.token)
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	began := time.Now()
	response, err := load.client.Do(request)
	took := time.Since(began)
	load.mu.Lock()
	defer load.mu.Unlock()
	load.slowest = max(load.slowest, took)
	if err != nil {
		load.others = append(load.others, err.Error())
		return false
	}
	defer func() { _ = response.Body.Close() }()
	text, _ := io.ReadAll(response.Body)
	switch response.StatusCode {
	case http.StatusAccepted, http.StatusOK:
		var a struct{ Data accepted }
		if err := json.Unmarshal(text, &a); err != nil {
			load.others = append(load.others, err.Error())
			return false
		}
		load.accepted[a.Data.ID] = true
		return true
	case http.StatusServiceUnavailable:
		load.refused++
		if response.Header.Get("Retry-After") == "" {
			load.bare++
		}
	default:
		load.others = append(load.others, fmt.Sprintf("%d %s", response.StatusCode, text))
	}
	return false
}

func (load *traffic) end() {
	load.mu.Lock()
	select {
	case <-load.done:
	default:
		close(load.done)
	}
	load.mu.Unlock()
	load.group.Wait()
}

// stop ends the publishers, and holds that each answer was one that a publisher
// may see: taken, or 503 with Retry-After, and none of them later than slowest.
func (load *traffic) stop(slowest time.Duration) {
	load.sys.t.Helper()
	load.end()
	require.Empty(load.sys.t, load.others)
	require.Zero(load.sys.t, load.bare, "503 without Retry-After")
	require.Less(load.sys.t, load.slowest, slowest, "the slowest answer")
	load.sys.t.Logf("%d accepted, %d refused, slowest answer %v", len(load.accepted), load.refused, load.slowest.Round(time.Millisecond))
}

// soFar counts the events that were taken and the requests that were refused.
func (load *traffic) soFar() (taken, refused int) {
	load.mu.Lock()
	defer load.mu.Unlock()
	return len(load.accepted), load.refused
}

// arrivedOnce holds that every accepted event has arrived, and no event, be it
// one that was refused but started, twice.
func (load *traffic) arrivedOnce(rec *receiver, within time.Duration) {
	load.sys.t.Helper()
	arrived := func() map[string]int {
		counts := map[string]int{}
		for _, a := range rec.all() {
			counts[a.header.Get("webhook-id")]++
		}
		return counts
	}
	defer func() {
		if load.sys.t.Failed() {
			load.explain(arrived())
		}
	}()
	load.sys.await("every accepted event at the receiver", within, func() bool {
		counts := arrived()
		for id := range load.accepted {
			if counts[id] == 0 {
				return false
			}
		}
		return true
	})
	load.sys.await("every accepted event settled", within, func() bool {
		for id := range load.accepted {
			status, a := load.sys.call(http.MethodGet, "/api/events/"+id, "")
			if status != http.StatusOK {
				return false
			}
			for _, d := range into[seenEvent](load.sys.t, a).Deliveries {
				if d.State != "delivered" {
					return false
				}
			}
		}
		return true
	})
	for id, n := range arrived() {
		require.Equal(load.sys.t, 1, n, "event %s (accepted: %v)", id, load.accepted[id])
	}
}

// explain shows the histories of some events that have not arrived.
func (load *traffic) explain(arrived map[string]int) {
	shown := 0
	for id := range load.accepted {
		if arrived[id] > 0 || shown == 5 {
			continue
		}
		shown++
		var story strings.Builder
		history := load.sys.temporalClient().GetWorkflowHistory(context.Background(), workflows.EventWorkflowID(load.sys.tenant, id), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			if err != nil {
				fmt.Fprintf(&story, " %v", err)
				break
			}
			fmt.Fprintf(&story, "\n  %s %s", event.GetEventTime().AsTime().Format("15:04:05.000"), event.GetEventType())
		}
		load.sys.t.Logf("event %s has not arrived:%s", id, story.String())
	}
}

// lively watches /healthz until the test's end: whatever is done to the parts
// beside it, the process itself answers that it is well.
func (sys *system) lively() {
	sys.t.Helper()
	done, ended := make(chan struct{}), make(chan struct{})
	var failures []string
	go func() {
		defer close(ended)
		for {
			began := time.Now()
			if status, body := sys.probe("/healthz"); status != http.StatusOK {
				failures = append(failures, fmt.Sprintf("%d %s after %v", status, body, time.Since(began)))
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	sys.t.Cleanup(func() {
		close(done)
		<-ended
		require.Empty(sys.t, failures, "/healthz")
	})
}

// awaitUnready waits until /readyz says 503 and names the parts.
func (sys *system) awaitUnready(within time.Duration, parts ...string) {
	sys.t.Helper()
	sys.await(fmt.Sprintf("not ready: %v", parts), within, func() bool {
		status, body := sys.probe("/readyz")
		for _, part := range parts {
			if !strings.Contains(body, part) {
				return false
			}
		}
		return status == http.StatusServiceUnavailable
	})
}

// residentMiB is how much memory the process has in use now.
func (p *process) residentMiB() int {
	p.sys.t.Helper()
	return statusMiB(p.sys.t, p.cmd.Process.Pid, "VmRSS")
}

// mostResidentMiB is the most that it ever had.
func (p *process) mostResidentMiB() int {
	p.sys.t.Helper()
	return statusMiB(p.sys.t, p.cmd.Process.Pid, "VmHWM")
}

// statusMiB reads a size of /proc/<pid>/status.
func statusMiB(t *testing.T, pid int, field string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, field+":"); found {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			return kib >> 10
		}
	}
	require.Fail(t, "no "+field)
	return 0
}
