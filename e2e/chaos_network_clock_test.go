//go:build chaos

package e2e

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"posthaste/e2e/audit"
)

// offClock is the environment variable by which the binary of mistimed is told
// how many seconds its clock is off.
const offClock = "E2E_CLOCK_OFF"

// mistimed builds a Posthaste whose clock can be wrong, when first asked for. Go
// asks the kernel for the time without libc, so nothing that is loaded before the
// program can change it: the build replaces time.Now instead, and with it the
// clock of all that the program is made of.
var mistimed = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", err
	}
	const read = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	return variant{
		name:   "mistimed",
		file:   filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go"),
		change: map[string]string{"import (\n": "import (\n\t\"syscall\"\n", read: read + "\tsec += off\n"},
		more: fmt.Sprintf(`
var off = func() int64 {
	text, _ := syscall.Getenv(%q)
	span, _ := ParseDuration(text)
	return int64(span / Second)
}()
`, offClock),
	}.build()
})

const (
	// A retry that waits for a second, give or take its jitter, comes between these:
	// Temporal's timers and a busy machine make it later, a clock that is minutes
	// off makes it minutes.
	skewedEarliest, skewedLatest = 500 * time.Millisecond, 15 * time.Second
	// toleranceOfReceivers is how old a signature may be for a receiver that goes by
	// the Standard Webhooks specification.
	toleranceOfReceivers = 5 * time.Minute
)

// skewed has two workers on one ledger, one of which has its clock off. Each
// delivery to the first webhook fails once, so that an attempt that one worker
// planned is made by the other. What the wrong clock does harm to is seen, too:
// the signatures of its worker carry its time, which receivers refuse.
func (x *experiment) skewed(off time.Duration) {
	binary, err := mistimed()
	require.NoError(x.t, err)
	x.allow(experimentTime) // it may have been built just now
	var failed sync.Map
	au := x.audited(x.install(settings{postgres: true}), func(_ int, w http.ResponseWriter, r *http.Request) {
		if _, again := failed.LoadOrStore(r.Header.Get("X-Delivery-Id"), true); !again && firstOf(r.URL.Path) == "/w1" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	wrong, right := fmt.Sprintf("127.0.0.1:%d", freePort()), fmt.Sprintf("127.0.0.1:%d", freePort())
	au.sys.start("api").awaitReady()
	au.sys.start("worker", "POSTHASTE_HTTP_ADDR="+right)
	p := au.sys.startBinary(binary, "worker", "POSTHASTE_HTTP_ADDR="+wrong, offClock+"="+off.String())
	for _, address := range []string{wrong, right} {
		au.sys.await("both workers", 30*time.Second, func() bool { return answersReady("http://" + address) })
	}
	au.watch("", retryAfterASecond)
	au.watch("", never)
	au.watch("", atMostOnce)
	x.load(au, outageRate, 20*time.Second)()
	au.sending.Wait()
	au.settle(min(90*time.Second, time.Until(x.ends)))
	in, arrivals := au.input(), au.rec.all()
	strange := 0
	for i := range in.Arrivals {
		in.Arrivals[i].Signed = au.hooks[slices.IndexFunc(au.hooks, func(w *watched) bool { return w.ID == in.Arrivals[i].WebhookID })].signed(arrivals[i])
		if signedAt(arrivals[i]).Sub(arrivals[i].at).Abs() > toleranceOfReceivers {
			strange++
		}
	}
	soonest, latest := retryWaits(in)
	report := x.judgeInput(in, time.Time{}, 30*time.Second, fmt.Sprintf(
		"%d of %d POSTs were signed with a time that receivers refuse; retries after %.1f to %.1f s",
		strange, len(in.Arrivals), soonest.Seconds(), latest.Seconds()))
	require.Zero(x.t, report.Duplicates)
	require.Zero(x.t, report.Unknown, "nobody died")
	require.Greater(x.t, strange, len(in.Arrivals)/10, "the worker whose clock is wrong has its part in it")
	require.GreaterOrEqual(x.t, soonest, skewedEarliest, "a retry came early")
	require.LessOrEqual(x.t, latest, skewedLatest, "a retry came late")
	x.requireToldOfClock(p, "http://"+wrong, off)
}

// answersReady asks a worker for itself.
func answersReady(base string) bool {
	response, err := http.Get(base + "/readyz")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// signed verifies an arrival whatever the time it was signed with.
func (w *watched) signed(a arrival) bool {
	return slices.ContainsFunc(w.secrets, func(secret string) bool {
		verifier, err := standardwebhooks.NewWebhook(secret)
		return err == nil && verifier.VerifyIgnoringTimestamp([]byte(a.body), a.header) == nil
	})
}

// signedAt is the time that the signature of an arrival was made with.
func signedAt(a arrival) time.Time {
	seconds, _ := strconv.ParseInt(a.header.Get("webhook-timestamp"), 10, 64)
	return time.Unix(seconds, 0)
}

// retryWaits are the shortest and the longest time between two arrivals of a
// delivery.
func retryWaits(in audit.Input) (soonest, latest time.Duration) {
	before := map[string]time.Time{}
	for _, a := range in.Arrivals {
		if at, again := before[a.DeliveryID]; again {
			wait := a.At.Sub(at)
			if soonest == 0 || wait < soonest {
				soonest = wait
			}
			latest = max(latest, wait)
		}
		before[a.DeliveryID] = a.At
	}
	return soonest, latest
}

// requireToldOfClock holds that a worker says of itself that its clock is off, in
// its metrics and in its log.
func (x *experiment) requireToldOfClock(p *process, base string, off time.Duration) {
	x.t.Helper()
	shown := math.NaN()
	for _, line := range p.sys.scrape(base) {
		if text, found := strings.CutPrefix(line, "posthaste_clock_skew "); found {
			var err error
			shown, err = strconv.ParseFloat(text, 64)
			require.NoError(x.t, err)
		}
	}
	require.InDelta(x.t, off.Seconds(), shown, 5, "posthaste_clock_skew")
	log, err := os.ReadFile(p.log)
	require.NoError(x.t, err)
	require.Contains(x.t, string(log), `"msg":"the clock of this machine is wrong`)
}
