//go:build chaos

package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

func storageExperiments() []fault {
	return []fault{
		{"Temporal's PostgreSQL killed for 20 s", temporalsDatabaseKilled},
		{"the ledger's disk full for 15 s, PostgreSQL", postgresDiskFull},
		{"the ledger's disk full for 15 s, SQLite", sqliteDiskFull},
	}
}

// temporalsDatabaseKilled leaves Temporal without what it knows. It goes on by
// itself when its database is back: each of its 512 shards has to be taken again,
// and its frontend refuses with errors that a publisher must not see as its own
// fault.
func temporalsDatabaseKilled(x *experiment) {
	store := newPostgres(x.t, x.t.TempDir())
	var under *audited
	x.outage(settings{temporal: temporalOn(x.t, store)},
		func(au *audited) { under = au; store.kill() },
		func(*audited) { store.start() })
	under.requireRefusedWith(http.StatusServiceUnavailable)
}

// requireRefusedWith holds what publishers were refused to one status.
func (au *audited) requireRefusedWith(status int) {
	au.t.Helper()
	au.mu.Lock()
	defer au.mu.Unlock()
	require.Equal(au.t, []string{fmt.Sprint(status)}, slices.Collect(maps.Keys(au.refusals)))
}

// postgresDiskFull has the ledger on a disk that something else fills. PostgreSQL
// refuses what needs room in a table, ends all connections when its write-ahead log
// has none, and ends itself when there is none to recover in either. An operator
// makes room, and starts it if it has not come back.
func postgresDiskFull(x *experiment) {
	disk := x.newSmallDisk(200)
	store := newPostgres(x.t, disk.dir)
	x.diskFull(settings{database: store.ledger()}, disk, store.useUpLog, func() string {
		if !store.hasEnded() {
			return "; PostgreSQL panicked and went on by itself"
		}
		store.start()
		return "; PostgreSQL panicked, ended and was started again"
	})
}

func sqliteDiskFull(x *experiment) {
	disk := x.newSmallDisk(50)
	x.diskFull(settings{database: "sqlite://" + filepath.Join(disk.dir, "posthaste.db")}, disk, func() {}, func() string { return "" })
}

// fullAfter is how long after the fault the last may arrive. What waits is tried
// again every 15 s at most, and may wait twice: to be resolved, and to be sent.
// Where hundreds do so at once on a busy machine, Temporal has been seen to leave a
// task of its own undone for another minute.
const fullAfter = 30*time.Second + time.Minute

// diskFull fills the ledger's disk under load from the 5th to the 20th second.
// Worse is what else happens halfway, and mend does what else an operator must once
// there is room, and says it. What comes in meanwhile waits in Temporal, and what
// has been sent waits for its record: no process dies, so nothing may come twice.
func (x *experiment) diskFull(s settings, disk *smallDisk, worse func(), mend func() string) {
	au := x.scene(s, 10*time.Millisecond)
	process := au.sys.start("all").awaitReady()
	au.watch("", retryAfterASecond)
	au.watch("", never)
	au.watch("", atMostOnce)
	wait := x.load(au, outageRate, 30*time.Second)
	x.pause(5 * time.Second)
	disk.fill()
	full := time.Now()
	au.sys.awaitUnready(10*time.Second, "database")
	noticed := time.Since(full)
	made, refused := x.whileFull(au, full.Add(7*time.Second))
	worse()
	madeLater, refusedLater := x.whileFull(au, full.Add(15*time.Second))
	made, refused = append(made, madeLater...), refused+refusedLater
	disk.free()
	mended := mend()
	roomy := time.Now()
	wait()
	au.sys.awaitReady()
	for _, line := range []string{`"msg":"not ready","check":"database"`, `"msg":"ready again","check":"database"`} {
		au.sys.await(line, 15*time.Second, func() bool { return process.said(line) })
	}
	report := x.judge(au, roomy, fullAfter, fmt.Sprintf("%s; not ready after %.1f s, %d of %d new webhooks refused%s",
		au.refused(), noticed.Seconds(), refused, refused+len(made), mended))
	require.Zero(x.t, report.Duplicates)
	require.Zero(x.t, report.Unknown, "nobody died")
	for _, id := range made {
		code, a := au.sys.call("GET", "/api/webhooks/"+id, "")
		require.Equal(x.t, http.StatusOK, code, a.raw)
	}
}

// said tells whether the process has logged a line with this in it.
func (p *process) said(words string) bool {
	log, err := os.ReadFile(p.log)
	return err == nil && strings.Contains(string(log), words)
}

// whileFull holds what is said while there is no room: that the process lives and
// is not ready, and to who wants to change something, to come back later. Here and
// there is room for something small; what was made is kept.
func (x *experiment) whileFull(au *audited, until time.Time) (made []string, refused int) {
	x.t.Helper()
	for time.Now().Before(until) {
		code, body := au.sys.probe("/healthz")
		require.Equal(x.t, http.StatusOK, code, body)
		code, body = au.sys.probe("/readyz")
		require.Equal(x.t, http.StatusServiceUnavailable, code, body)
		require.Contains(x.t, body, "database")
		url := fmt.Sprintf("%s/late/%d", au.rec.URL, time.Now().UnixNano())
		code, a := au.sys.call("POST", "/api/webhooks", fmt.Sprintf(`{"url":%q,"events":["nobody.sends.this"]}`, url))
		if code == http.StatusCreated {
			made = append(made, into[hook](x.t, a).ID)
		} else {
			require.Equal(x.t, http.StatusServiceUnavailable, code, a.raw)
			require.NotEmpty(x.t, a.header.Get("Retry-After"))
			refused++
		}
		x.pause(time.Second)
	}
	return made, refused
}
