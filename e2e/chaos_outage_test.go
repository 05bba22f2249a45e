//go:build chaos

package e2e

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/webhook"
)

func outageExperiments() []fault {
	return []fault{
		{"Temporal killed for 20 s", temporalKilled},
		{"Temporal frozen for 20 s", temporalFrozen},
		{"PostgreSQL cut off for 20 s", databaseCut},
		{"Temporal and PostgreSQL cut off for 20 s", bothCut},
		{"Temporal 200 ms away", temporalSlow},
		{"PostgreSQL 200 ms away", databaseSlow},
		{"PostgreSQL resets connections after commits", databaseResets},
		{"one of two workers partitioned from Temporal for 20 s", workerPartitioned},
		{"receiver partitioned for 15 s, then back", receiverPartitioned},
	}
}

// outageRate is low enough that what waited is caught up with soon, on two
// cores that carry all parts.
const outageRate = 20

// outage runs a fault under load from the 5th to the 25th second. No process
// dies, so nothing may come twice, and of no delivery may it be unknown whether
// it was sent.
func (x *experiment) outage(s settings, harm, heal func(au *audited)) {
	au := x.scene(s, 10*time.Millisecond)
	au.sys.start("all").awaitReady()
	au.watch("", retryAfterASecond)
	au.watch("", never)
	au.watch("", atMostOnce)
	wait := x.load(au, outageRate, 30*time.Second)
	x.pause(5 * time.Second)
	harm(au)
	x.pause(20 * time.Second)
	heal(au)
	healed := time.Now()
	wait()
	au.sys.awaitReady()
	report := x.judge(au, healed, 40*time.Second, au.refused())
	x.row.Seen += fmt.Sprintf(", at most %d in a second", au.peak(healed))
	require.Zero(x.t, report.Duplicates)
	require.Zero(x.t, report.Unknown, "nobody died")
}

// refused says how publishers were turned away.
func (au *audited) refused() string {
	au.mu.Lock()
	defer au.mu.Unlock()
	var words []string
	for _, status := range slices.Sorted(maps.Keys(au.refusals)) {
		words = append(words, fmt.Sprintf("%d × %s", au.refusals[status], status))
	}
	if len(words) == 0 {
		return "nothing refused"
	}
	return "refused: " + strings.Join(words, ", ")
}

func temporalKilled(x *experiment) {
	own := ownTemporal(x.t)
	x.outage(settings{temporal: own}, func(*audited) { own.kill() }, func(*audited) { own.restart(x.t) })
}

func temporalFrozen(x *experiment) {
	own := ownTemporal(x.t)
	x.outage(settings{temporal: own}, func(*audited) { own.freeze(x.t) }, func(*audited) { own.thaw(x.t) })
}

func databaseCut(x *experiment) {
	x.outage(settings{proxied: true},
		func(au *audited) { au.sys.databaseProxy.cut() },
		func(au *audited) { au.sys.databaseProxy.heal() })
}

func bothCut(x *experiment) {
	x.outage(settings{proxied: true},
		func(au *audited) { au.sys.databaseProxy.cut(); au.sys.temporalProxy.cut() },
		func(au *audited) { au.sys.databaseProxy.heal(); au.sys.temporalProxy.heal() })
}

// slowly runs a load with one part far away all the time.
// The audit reads without the delay: it makes thousands of requests.
func (x *experiment) slowly(slow func(*audited)) {
	au := x.scene(settings{proxied: true}, 10*time.Millisecond)
	au.sys.start("all").awaitReady()
	au.watch("", retryAfterASecond)
	slow(au)
	x.load(au, outageRate, 10*time.Second)()
	au.sending.Wait()
	x.pause(5 * time.Second)
	au.sys.databaseProxy.heal()
	au.sys.temporalProxy.heal()
	report := x.judge(au, time.Time{}, 30*time.Second, au.refused())
	require.Zero(x.t, report.Duplicates)
}

func temporalSlow(x *experiment) {
	x.slowly(func(au *audited) { au.sys.temporalProxy.slow(200*time.Millisecond, 20*time.Millisecond) })
}

func databaseSlow(x *experiment) {
	x.slowly(func(au *audited) { au.sys.databaseProxy.slow(200*time.Millisecond, 20*time.Millisecond) })
}

// databaseResets lets commits happen whose answers are lost: the ledger must not
// count them twice, and nothing may be sent again for them.
func databaseResets(x *experiment) {
	au := x.scene(settings{proxied: true}, 10*time.Millisecond)
	au.sys.start("all").awaitReady()
	au.watch("", retryAfterASecond)
	au.watch("", never)
	au.watch("", atMostOnce)
	wait := x.load(au, outageRate, 15*time.Second)
	for range 4 {
		x.pause(2 * time.Second)
		au.sys.databaseProxy.resetPeer()
		x.pause(time.Second)
		au.sys.databaseProxy.heal()
	}
	healed := time.Now()
	wait()
	report := x.judge(au, healed, 40*time.Second, au.refused())
	require.Zero(x.t, report.Duplicates)
	require.Zero(x.t, report.Unknown, "nobody died")
}

// workerPartitioned cuts one worker off while some of its POSTs take longer than
// Temporal's patience. It can still POST and record; what it cannot report, the
// other finds in the ledger, and what it has in hand, the other leaves alone.
func workerPartitioned(x *experiment) {
	au := x.audited(x.install(settings{proxied: true, postgres: true}), func(n int, w http.ResponseWriter, _ *http.Request) {
		if n%10 == 0 {
			<-time.After(14 * time.Second)
		}
		w.WriteHeader(http.StatusNoContent)
	})
	direct := "POSTHASTE_TEMPORAL_ADDRESS=" + temporal.address
	worker := func(env ...string) {
		au.sys.start("worker", append(env, fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))...)
	}
	au.sys.start("api", direct).awaitReady()
	worker(direct)
	worker()
	au.watch("", retryAfterASecond)
	au.watch("", atMostOnce)
	wait := x.load(au, outageRate, 30*time.Second)
	x.pause(5 * time.Second)
	au.sys.temporalProxy.blackhole()
	x.pause(20 * time.Second)
	au.sys.temporalProxy.heal()
	healed := time.Now()
	wait()
	report := x.judge(au, healed, 40*time.Second, au.refused())
	require.Zero(x.t, report.Duplicates)
	require.Zero(x.t, report.Unknown, "nobody died")
}

// receiverPartitioned looks at how what waited comes back: spread, not at once.
// Some hundred deliveries fail together, and again 2 s later. After a wait of
// 20 s they come back within its jitter, which is 8 s; beside them come those of
// the load that failed one after the other, and the new ones.
func receiverPartitioned(x *experiment) {
	const wait, herd, perSecond = 20, 300, 5 // seconds, events, and beside them
	au := x.scene(settings{}, 5*time.Millisecond)
	way, url := proxiedURL(x.t, au.rec.URL)
	au.sys.start("all").awaitReady()
	au.watchAt(url, "", fmt.Sprintf(`{"mode":"schedule","delaysSeconds":[2,%d,%d,%d]}`, wait, wait, wait))
	loaded := x.load(au, perSecond, 25*time.Second)
	x.pause(5 * time.Second)
	way.cut()
	bodies := numbered(herd)
	for i, event := range au.sys.enqueueBatch(bodies) {
		au.take(event.ID, "", bodies[i])
	}
	x.pause(15 * time.Second)
	waiting := len(au.ids()) - len(au.rec.all())
	way.heal()
	healed := time.Now()
	loaded()
	au.settle(90 * time.Second)
	peak := au.peak(healed)
	x.judge(au, healed, 40*time.Second, fmt.Sprintf("%d waited, at most %d arrived in a second", waiting, peak))
	require.Greater(x.t, waiting, herd)
	spread := 2 * webhook.Jitter * wait
	mean := herd/spread + 2*perSecond // and by chance three standard deviations more
	require.LessOrEqual(x.t, peak, int(mean+3*math.Sqrt(mean)), "no herd: what failed together comes back over %.0f s", spread)
}

// peak is the most that arrived within one second, from then on.
func (au *audited) peak(since time.Time) int {
	perSecond := map[int64]int{}
	for _, a := range au.rec.all() {
		if a.at.After(since) {
			perSecond[a.at.Unix()]++
		}
	}
	most := 0
	for _, n := range perSecond {
		most = max(most, n)
	}
	return most
}
