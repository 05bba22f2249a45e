package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"posthaste/workflows"
)

// replicas are two processes of one installation, each with a door of its own,
// that restart one after the other.
type replicas struct {
	doors     []*system
	processes []*process
}

func startReplicas(sys *system, keyset string) *replicas {
	r := &replicas{}
	for range 2 {
		door := sys.as(sys.t, sys.tenant)
		door.dir, door.api = sys.t.TempDir(), fmt.Sprintf("http://127.0.0.1:%d", freePort())
		door.env = append(append([]string(nil), sys.env...), "POSTHASTE_HTTP_ADDR="+strings.TrimPrefix(door.api, "http://"))
		r.doors = append(r.doors, door)
		r.processes = append(r.processes, door.start("all", "POSTHASTE_ENCRYPTION_KEYSET="+keyset).awaitReady())
	}
	return r
}

// restart gives both a keyset, one after the other.
func (r *replicas) restart(keyset string) {
	for i, door := range r.doors {
		r.processes[i].stop()
		r.processes[i] = door.start("all", "POSTHASTE_ENCRYPTION_KEYSET="+keyset).awaitReady()
	}
}

// stream hands events over at whichever door is open, until stop.
type stream struct {
	mu      sync.Mutex
	taken   []string
	refused int // events that no door took: that is downtime
	done    chan struct{}
	group   sync.WaitGroup
}

func (r *replicas) stream() *stream {
	s := &stream{done: make(chan struct{})}
	for p := range 3 {
		s.group.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-s.done:
					return
				case <-time.After(60 * time.Millisecond):
				}
				body := fmt.Sprintf(`{"type":"order.paid","data":{"n":"%d-%d"}}`, p, i)
				id, ok := r.doors[(i+p)%2].tryEnqueue(body)
				if !ok {
					id, ok = r.doors[(i+p+1)%2].tryEnqueue(body)
				}
				s.note(id, ok)
			}
		})
	}
	return s
}

func (s *stream) note(id string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.taken = append(s.taken, id)
	} else {
		s.refused++
	}
}

func (s *stream) soFar() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.taken...)
}

// awaitClosed waits until Temporal runs none of the events' workflows any more.
// It needs no keys: what it asks for is not sealed.
func (sys *system) awaitClosed(ids []string) {
	sys.t.Helper()
	stranger := sys.strangersClient()
	for _, id := range ids {
		// A task that was handed to a process just as it stopped is given to another
		// some 10 s later.
		sys.await("workflow of "+id, 30*time.Second, func() bool {
			found, err := stranger.DescribeWorkflowExecution(sys.t.Context(), workflows.EventWorkflowID(sys.tenant, id), "")
			return err == nil && found.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		})
	}
}

// refused runs a command that must fail and returns what it says.
func refused(t *testing.T, env []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, posthaste, args...)
	command.Env = append(os.Environ(), env...)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	require.Error(t, command.Run(), "posthaste %s", strings.Join(args, " "))
	require.NoError(t, ctx.Err(), "it ran on: %s", output.String())
	return output.String()
}

// TestKeysRotateWhileEventsFlow takes every step of a rotation on two processes
// under way: nothing is lost, one door at least takes each event, and nothing
// goes out with a signature that does not verify.
func TestKeysRotateWhileEventsFlow(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{postgres: true})
	keyset := func(line string) string { return "POSTHASTE_ENCRYPTION_KEYSET=" + line }
	step := func(line, flag string) string {
		return strings.TrimSpace(run(t, []string{keyset(line)}, "keygen", flag))
	}
	before := strings.TrimSpace(run(t, nil, "keygen"))
	added := step(before, "--add")
	promoted := step(added, "--promote")
	retired := step(promoted, "--retire")

	rec := newReceiver(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n%10 == 1 && n < 200 { // so that some wait for a retry whenever a process ends
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	both := startReplicas(sys, before)
	door := both.doors[0]
	w := door.createWebhook(rec.URL, `"headers":{"X-Team":"blue"}`, `"timeoutSeconds":5`, `"retry":{"mode":"schedule","delaysSeconds":[1,1,1,1,2,2,4,4]}`)
	secrets := []string{w.Secret}
	events := both.stream()
	rec.await(20, 20*time.Second)
	both.restart(added)
	code, a := door.call("POST", "/api/webhooks/"+w.ID+"/rotate-secret", `{"overlapSeconds":3600}`)
	require.Equal(t, http.StatusOK, code, a.raw)
	secrets = append(secrets, into[hook](t, a).Secret)
	both.restart(promoted)
	sealedBefore := events.soFar() // by workflows too
	output := run(t, append(sys.env, keyset(promoted)), "rewrap")
	require.Regexp(t, `^re-sealed: 1 webhook secrets, 1 previous secrets, 1 webhook headers, [1-9]\d* request headers of attempts; left: 0\n`, output)
	require.Contains(t, output, "keygen --retire")
	require.Contains(t, run(t, append(sys.env, keyset(promoted)), "rewrap"),
		"re-sealed: 0 webhook secrets, 0 previous secrets, 0 webhook headers, 0 request headers of attempts; left: 0\n")
	sys.awaitClosed(sealedBefore)
	both.restart(retired)
	more := len(rec.all()) + 20
	rec.await(more, 20*time.Second)
	close(events.done)
	events.group.Wait()
	require.Zero(t, events.refused, "events that neither door took")

	sys.awaitClosed(events.soFar())
	arrived := map[string]bool{}
	for _, got := range rec.all() {
		arrived[got.header.Get("webhook-id")] = true
		require.Equal(t, "blue", got.header.Get("X-Team"))
		verified := false
		for _, secret := range secrets {
			verifier, err := standardwebhooks.NewWebhook(secret)
			require.NoError(t, err)
			verified = verified || verifier.Verify([]byte(got.body), got.header) == nil
		}
		require.True(t, verified, "no secret verifies %v", got.header)
	}
	for _, id := range events.soFar() {
		require.True(t, arrived[id], "event %s is lost", id)
		require.Equal(t, "delivered", door.event(id).Deliveries[0].State)
	}
	for _, args := range [][]string{{"serve"}, {"rewrap"}} {
		said := refused(t, append(sys.env, keyset(before)), args...)
		require.Contains(t, said, "POSTHASTE_ENCRYPTION_KEYSET does not hold the keys that sealed the webhook secrets")
	}
}
