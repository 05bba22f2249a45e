//go:build chaos

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// replayRate is the highest that a replay may have.
const replayRate = 100

// toReplay is how many deliveries have failed; fewer where -backlog asks for
// less. Each has been sent once before, which takes its time.
func toReplay() int { return min(*backlog, 10_000) / 1000 * 1000 }

// replayBesideLive measures a quiet tenant alone, and then beside a neighbour's
// replay as fast as replays go, which is cancelled in the middle.
func replayBesideLive(x *experiment) {
	const perSecond, measured = 30, 15 * time.Second
	x.allow(5 * time.Minute)
	au := x.scene(settings{}, 0)
	au.sys.start("all").awaitReady()
	au.watch("", never)
	au.load("order.paid", perSecond, 3*time.Second) // warm
	began := time.Now()
	au.load("order.paid", perSecond, measured)
	beside := time.Now()

	neighbour, rec := au.sys.as(x.t, "neighbour"), newTally(x)
	hook := neighbour.createWebhook(rec.URL, `"retry":`+never)
	x.failAll(neighbour, hook.ID, rec)
	piled := time.Since(beside)

	rec.recover()
	replay := neighbour.replay(hook.ID, fmt.Sprintf(`,"perSecond":%d`, replayRate))
	require.Equal(x.t, "running", replay.State)
	for len(rec.since()) < replayRate {
		x.pause(20 * time.Millisecond)
	}
	loaded := time.Now()
	au.load("order.paid", perSecond, measured)
	after := time.Now()
	au.sending.Wait()
	require.LessOrEqual(x.t, rec.highest(), replayRate*1.1, "arrivals a second")
	require.Equal(x.t, "running", neighbour.replayNow(replay.ID).State, "the replay outlasts what is measured beside it")
	code, a := neighbour.call("DELETE", "/api/replays/"+replay.ID, "")
	require.Equal(x.t, http.StatusAccepted, code, a.raw)
	cancelled := time.Now()
	done := neighbour.awaitReplay(replay.ID, "cancelled", 20*time.Second)
	ended := time.Since(cancelled)

	arrived := x.requireCancelled(neighbour, hook.ID, rec, done)
	x.judge(au, time.Time{}, 15*time.Second, fmt.Sprintf("%d had failed in %.0f s; %d of them sent again in %.0f s, at most %.0f/s; cancelled in %.1f s",
		toReplay(), piled.Seconds(), arrived, cancelled.Sub(rec.well).Seconds(), rec.highest(), ended.Seconds()))
	x.compare(au, [2]time.Time{began, beside}, [2]time.Time{loaded, after})
}

// failAll hands the neighbour's events over, waits until each has failed, and
// holds that the previews of all spans count them all.
func (x *experiment) failAll(neighbour *system, webhookID string, rec *tally) {
	x.t.Helper()
	const each, ahead = 1000, 1000
	body, spans := numbered(each), []time.Time{time.Now()}
	for handed := each; handed <= toReplay(); handed += each {
		for handed-each-rec.failed() > ahead { // what comes faster than it can be sent waits for much longer
			x.pause(10 * time.Millisecond)
		}
		neighbour.enqueueBatch(body)
		if handed%previewCounts == 0 || handed == toReplay() {
			spans = append(spans, time.Now())
		}
	}
	for neighbour.standing(x, webhookID)["failed after 1"] < toReplay() {
		x.pause(100 * time.Millisecond)
	}
	require.Equal(x.t, toReplay(), rec.failed(), "each was sent once")
	counted := 0
	for i := range spans[1:] {
		counted += neighbour.previewSpan(webhookID, spans[i], spans[i+1])
	}
	require.Equal(x.t, toReplay(), counted, "the previews count all that failed")
}

// previewCounts is up to where a preview counts.
const previewCounts = 10_000

// previewSpan counts what failed of the events in a span.
func (sys *system) previewSpan(webhookID string, since, until time.Time) int {
	sys.t.Helper()
	code, a := sys.call("POST", "/api/webhooks/"+webhookID+"/replay", fmt.Sprintf(`{"since":%q,"until":%q,"dryRun":true}`,
		since.UTC().Format(time.RFC3339Nano), until.UTC().Format(time.RFC3339Nano)))
	require.Equal(sys.t, http.StatusOK, code, a.raw)
	return into[seenReplay](sys.t, a).Count
}

// requireCancelled holds what must be when a replay was cancelled: no more
// arrives, each delivery arrived once at most, and the ledger knows which did.
// It returns how many did.
func (x *experiment) requireCancelled(neighbour *system, webhookID string, rec *tally, done seenReplay) int {
	x.t.Helper()
	sent := rec.since()
	x.pause(5 * time.Second)
	require.Len(x.t, rec.since(), len(sent), "nothing arrives once the replay is cancelled")
	once := map[string]bool{}
	for _, a := range sent {
		require.False(x.t, once[a.delivery], "delivery %s arrived twice in one replay", a.delivery)
		once[a.delivery] = true
	}
	require.Equal(x.t, map[string]int{"delivered after 2": len(sent), "failed after 1": toReplay() - len(sent)},
		neighbour.standing(x, webhookID), "what was not sent again is as it was")
	p := done.Progress
	require.Equal(x.t, []int{len(sent), 0, 0}, []int{p.Delivered, p.Failed, p.Skipped}, "%+v", done)
	require.Equal(x.t, p.Reopened, p.Delivered+p.Cancelled, "%+v", done)
	require.LessOrEqual(x.t, p.Reopened, p.Found, "%+v", done)
	return len(sent)
}

// standing counts a webhook's deliveries in the database, by state and attempts.
func (sys *system) standing(x *experiment, webhookID string) map[string]int {
	sys.t.Helper()
	ctx := x.t.Context()
	conn, err := pgx.Connect(ctx, sys.database)
	require.NoError(sys.t, err)
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "SELECT set_config('posthaste.tenant', '*', false)")
	require.NoError(sys.t, err)
	rows, err := conn.Query(ctx, "SELECT state || ' after ' || attempts, COUNT(*) FROM deliveries WHERE webhook_id = $1 GROUP BY 1", webhookID)
	require.NoError(sys.t, err)
	counts := map[string]int{}
	var standing string
	var count int
	_, err = pgx.ForEachRow(rows, []any{&standing, &count}, func() error { counts[standing] = count; return nil })
	require.NoError(sys.t, err)
	return counts
}

// tally is a receiver that answers 500 until it is well again. It keeps next to
// nothing of each request: there are many.
type tally struct {
	*httptest.Server
	mu       sync.Mutex
	refused  int
	well     time.Time
	arrivals []again
}

// again is one POST to a receiver that is well again.
type again struct {
	at       time.Time
	delivery string
}

func newTally(x *experiment) *tally {
	rec := &tally{}
	rec.Server = httptest.NewServer(rec)
	x.t.Cleanup(func() { rec.CloseClientConnections(); rec.Close() })
	return rec
}

func (rec *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.well.IsZero() {
		rec.refused++
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	rec.arrivals = append(rec.arrivals, again{time.Now(), r.Header.Get("X-Delivery-Id")})
	w.WriteHeader(http.StatusNoContent)
}

func (rec *tally) recover() {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.well = time.Now()
}

// failed is how many POSTs came before it was well.
func (rec *tally) failed() int {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return rec.refused
}

// since is what came since it is well.
func (rec *tally) since() []again {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return append([]again(nil), rec.arrivals...)
}

// highest is the most that came in a second, over any ten of them.
func (rec *tally) highest() float64 {
	const span = 10 * time.Second
	all, most, from := rec.since(), 0, 0
	for i := range all {
		for all[i].at.Sub(all[from].at) > span {
			from++
		}
		most = max(most, i-from+1)
	}
	return float64(most) / span.Seconds()
}
