//go:build chaos

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/failpoint"
)

func crashExperiments() []fault {
	return []fault{
		{"kill -9 in the middle of POSTs, 10 times at 20/s", killMidPost},
		{"kill -9 at a random failpoint, 8 times at 20/s", killAtFailpoints},
		{"kill -9 at random moments, 8 times at 50/s", killAtRandom},
		{"two workers, one killed every 5 s, at 50/s", killOneOfTwo},
		{"kill -9 with at-most-once webhooks, 5 times at 20/s", killAtMostOnce},
		{"rolling restart by SIGTERM at 100/s", gracefulRestart},
	}
}

// afterCrash is how soon what was accepted has arrived after the last kill.
const afterCrash = 15 * time.Second

const retryAfterASecond = `{"mode":"schedule","delaysSeconds":[1,2,4]}`

// killMidPost waits for a POST to be under way each time.
func killMidPost(x *experiment) {
	au := x.scene(settings{}, 300*time.Millisecond)
	p := au.sys.start("all").awaitReady()
	au.watch("", retryAfterASecond)
	wait := x.load(au, 20, 30*time.Second)
	for range 10 {
		before := len(au.rec.all())
		au.rec.await(before+1, 60*time.Second)
		au.crash(p)
		p = au.sys.start("all").awaitReady()
		x.pause(500 * time.Millisecond)
	}
	last := time.Now()
	wait()
	x.judge(au, last, afterCrash, fmt.Sprintf("%d POSTs were under way", au.inFlight()))
}

// killAtFailpoints lets processes kill themselves at moments drawn by lot.
func killAtFailpoints(x *experiment) {
	binary, err := fragile()
	require.NoError(x.t, err)
	au := x.scene(settings{}, 10*time.Millisecond)
	p := au.sys.start("all").awaitReady()
	au.watch("", retryAfterASecond)
	au.watch("", never)
	wait := x.load(au, 20, 25*time.Second)
	var drawn []string
	au.crash(p)
	moments := []failpoint.Name{
		failpoint.AfterStart, failpoint.AfterResolve, failpoint.BeforePost, failpoint.AfterPost, failpoint.AfterCommit,
		failpoint.AfterRecordFast,
	}
	for range 8 {
		moment := fmt.Sprintf("%s=kill@%d", moments[x.rand.IntN(len(moments))], 3+x.rand.IntN(15))
		drawn = append(drawn, strings.Replace(moment, "=kill", "", 1))
		p = au.sys.startBinary(binary, "all", "POSTHASTE_FAILPOINTS="+moment)
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			p.kill() // the load was over before the hit
		}
		au.crashed(time.Now())
	}
	au.sys.start("all").awaitReady()
	last := time.Now()
	wait()
	x.judge(au, last, afterCrash, strings.Join(drawn, ", "))
}

func killAtRandom(x *experiment) {
	au := x.scene(settings{}, 20*time.Millisecond)
	p := au.sys.start("all").awaitReady()
	au.watch("", retryAfterASecond)
	wait := x.load(au, 50, 20*time.Second)
	for range 8 {
		x.pause(x.between(200*time.Millisecond, 3*time.Second))
		au.crash(p)
		p = au.sys.start("all").awaitReady()
	}
	last := time.Now()
	wait()
	x.judge(au, last, afterCrash, fmt.Sprintf("%d POSTs were under way", au.inFlight()))
}

func killOneOfTwo(x *experiment) {
	au := x.scene(settings{}, 100*time.Millisecond)
	au.sys.start("api").awaitReady()
	worker := func() *process {
		return au.sys.start("worker", fmt.Sprintf("POSTHASTE_HTTP_ADDR=127.0.0.1:%d", freePort()))
	}
	first, second := worker(), worker()
	au.watch("", retryAfterASecond)
	wait := x.load(au, 50, 20*time.Second)
	for range 4 {
		x.pause(5 * time.Second)
		au.crash(first)
		first, second = second, worker()
	}
	last := time.Now()
	wait()
	_ = second
	x.judge(au, last, afterCrash, fmt.Sprintf("4 kills, %d POSTs were under way", au.inFlight()))
}

// killAtMostOnce must never let a second POST through, whatever else happens.
func killAtMostOnce(x *experiment) {
	au := x.scene(settings{}, 300*time.Millisecond)
	p := au.sys.start("all").awaitReady()
	au.watch("", atMostOnce)
	wait := x.load(au, 20, 20*time.Second)
	for range 5 {
		before := len(au.rec.all())
		au.rec.await(before+1, 60*time.Second)
		x.pause(x.between(0, 500*time.Millisecond))
		au.crash(p)
		p = au.sys.start("all").awaitReady()
		x.pause(time.Second)
	}
	last := time.Now()
	wait()
	report := x.judge(au, last, afterCrash, fmt.Sprintf("%d POSTs were under way", au.inFlight()))
	require.Zero(x.t, report.Duplicates)
	require.LessOrEqual(x.t, report.Unknown, au.inFlight()+5*fastLanePlaces, "unknown only where a process died")
}

// fastLanePlaces is how many deliveries of one webhook may be claimed at once in
// the fast lane of a process (activities/slots.go).
const fastLanePlaces = 16

func gracefulRestart(x *experiment) {
	au := x.scene(settings{}, 50*time.Millisecond)
	x.inBursts(au)
	restarts := rollingRestart(au, newBalancer(x.t), 100, 15*time.Second)
	report := x.judge(au, time.Time{}, afterCrash, fmt.Sprintf("%d restarts, no answer but 202", restarts))
	require.Zero(x.t, report.Duplicates)
	require.Empty(x.t, au.refusals)
	require.NotContains(x.t, au.refusals, fmt.Sprint(http.StatusServiceUnavailable))
}

// inFlight is how many POSTs were under way in all crashes together.
func (au *audited) inFlight() int {
	au.mu.Lock()
	defer au.mu.Unlock()
	n := 0
	for _, c := range au.crashes {
		n += c.InFlight
	}
	return n
}
