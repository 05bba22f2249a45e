//go:build chaos

package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"posthaste/e2e/audit"
	"posthaste/models/modelstest"
)

var (
	seed   = flag.Uint64("seed", 0, "seed of the random moments; 0 takes one from the clock")
	write  = flag.Bool("write", false, "write the table into docs/reliability.md")
	perRun = flag.Int("events-per-workflow", 1, "POSTHASTE_EVENTS_PER_WORKFLOW of every experiment")
)

// experiment is one fault under load, and its line of the table.
type experiment struct {
	t    *testing.T
	rand *rand.Rand
	row  row
	ends time.Time // its deadline
}

const (
	// experimentTime is how long one experiment may take before it is broken off,
	// unless it asks for more: twice what most need.
	experimentTime = 3 * time.Minute
	// tableTime is what is kept of the whole run's time to print the table in.
	tableTime = 20 * time.Second
)

// row is what came of an experiment.
type row struct {
	Experiment string        `json:"experiment"`
	Accepted   int           `json:"accepted"`
	Lost       int           `json:"lost"`
	Duplicates int           `json:"duplicates"`
	Unknown    int           `json:"unknown"`
	Longest    time.Duration `json:"longestDelayNs"`
	Held       bool          `json:"held"`
	Seen       string        `json:"seen"` // what the table cannot say
	Violations []string      `json:"violations,omitempty"`
}

// fault is what an experiment does, under the name that its row has.
type fault struct {
	name string
	run  func(*experiment)
}

// alone are the experiments that have the machine to themselves: they measure
// milliseconds, or kill processes at moments that count.
func alone() []fault {
	return slices.Concat(crashExperiments(), neighbourExperiments(), bulkExperiments())
}

// inPairs are those that mostly wait, and run two at a time after the others.
func inPairs() []fault {
	return slices.Concat(outageExperiments(), networkExperiments(), storageExperiments(), doorExperiments())
}

// TestChaos runs every experiment and prints the table. One alone:
// -run 'TestChaos/name'.
func TestChaos(t *testing.T) { //nolint:paralleltest // alone on the machine: it measures delays
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	if flag.Lookup("test.run").Value.String() == t.Name() { // all: what takes minutes the first time is built before it disturbs
		for _, build := range []func() (string, error){fragile, mistimed} {
			_, err := build()
			require.NoError(t, err)
		}
	}
	recordTime = 250 * time.Millisecond // experiments that kill have the machine to themselves
	began, database := time.Now(), databaseVersion(t)
	faults := slices.Concat(alone(), inPairs())
	rows := make([]row, len(faults))
	fmt.Fprint(os.Stdout, tableHead)
	t.Cleanup(func() { // when those in pairs are done too
		ran := slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.Experiment == "" })
		text := table(ran) + "\n" + provenance(time.Since(began), database)
		fmt.Fprintf(os.Stdout, "\n%s\n", text)
		if *write {
			require.Len(t, ran, len(rows), "the whole table or none")
			writeTable(t, text)
		}
	})
	for i, f := range faults {
		t.Run(strings.NewReplacer(" ", "-", "/", "-per-").Replace(f.name), func(t *testing.T) {
			if i >= len(alone()) {
				t.Parallel()
			}
			x := &experiment{t: t, rand: rand.New(rand.NewPCG(*seed, uint64(i))), row: row{Experiment: f.name}}
			x.allow(experimentTime)
			defer func() { rows[i] = x.end() }()
			x.onTime()
			f.run(x)
			x.onTime()
		})
	}
}

// end closes the row and prints it at once: whatever comes later, it has been
// seen.
func (x *experiment) end() row {
	x.row.Held = x.row.Held && !x.t.Failed()
	if x.row.Accepted == 0 && x.row.Seen == "" {
		x.row.Seen = "broken off before its audit"
	}
	line, _ := json.Marshal(x.row)
	x.t.Logf("%s", line)
	fmt.Fprint(os.Stdout, x.row.line())
	return x.row
}

// allow sets the experiment's deadline, within that of the whole run.
func (x *experiment) allow(most time.Duration) {
	x.ends = time.Now().Add(most)
	if end, ok := x.t.Deadline(); ok && end.Add(-tableTime).Before(x.ends) {
		x.ends = end.Add(-tableTime)
	}
}

// onTime breaks the experiment off when its time is over.
func (x *experiment) onTime() {
	x.t.Helper()
	if !time.Now().Before(x.ends) {
		x.t.Fatal("the time for this experiment is over")
	}
}

const tableHead = "| experiment | accepted | lost | duplicates | unknown | longest delay | held | seen |\n" +
	"|---|---|---|---|---|---|---|---|\n"

func (r row) line() string {
	held := "held"
	if !r.Held {
		held = "**not held**"
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %.1f s | %s | %s |\n",
		r.Experiment, r.Accepted, r.Lost, r.Duplicates, r.Unknown, r.Longest.Seconds(), held, r.Seen)
}

func table(rows []row) string {
	var out strings.Builder
	out.WriteString(tableHead)
	for _, r := range rows {
		out.WriteString(r.line())
	}
	return out.String()
}

// provenance is where the table comes from.
func provenance(took time.Duration, database string) string {
	output := func(name string, args ...string) string {
		text, err := exec.Command(name, args...).Output()
		if err != nil {
			return "unknown"
		}
		line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		return line
	}
	memory := "unknown"
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kib int
		if _, err := fmt.Sscanf(string(text), "MemTotal: %d kB", &kib); err == nil {
			memory = fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20))
		}
	}
	processor := "unknown"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if found := regexp.MustCompile(`model name\s*: (.+)`).FindSubmatch(text); found != nil {
			processor = string(found[1])
		}
	}
	return fmt.Sprintf("`make chaos ARGS=\"-events-per-workflow=%d -seed=%d\"` on %s, in %.0f minutes after its builds, at commit %s: %d cores of %s, %s of memory, %s; "+
		"%s; %s; PostgreSQL %s; receivers, publishers, Temporal, PostgreSQL and Posthaste all on this machine.\n",
		*perRun, *seed, time.Now().UTC().Format("2006-01-02"), took.Minutes(), output("git", "describe", "--always", "--dirty"),
		runtime.NumCPU(), processor, memory, runtime.GOOS+"/"+runtime.GOARCH, runtime.Version(),
		output("../bin/temporal", "--version"), database)
}

// databaseVersion is that of the PostgreSQL that experiments share.
func databaseVersion(t *testing.T) (version string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), modelstest.URL(t, modelstest.Postgres))
	require.NoError(t, err)
	defer func() { _ = conn.Close(t.Context()) }()
	require.NoError(t, conn.QueryRow(t.Context(), "SHOW server_version").Scan(&version))
	return version
}

// writeTable puts the table into the document, between its markers.
func writeTable(t *testing.T, text string) {
	t.Helper()
	const file = "../docs/reliability.md"
	begin, end := "<!-- chaos -->\n", "<!-- /chaos -->"
	if *perRun > 1 {
		begin, end = "<!-- chaos, shared workflows -->\n", "<!-- /chaos, shared workflows -->"
	}
	document, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, opened := strings.Cut(string(document), begin)
	_, after, closed := strings.Cut(rest, end)
	require.True(t, opened && closed, "%s has no markers", file)
	require.NoError(t, os.WriteFile(file, []byte(before+begin+"\n"+text+"\n"+end+after), 0o600))
}

// scene is an installation on PostgreSQL under audit, whose receiver takes as
// long to answer as given.
func (x *experiment) scene(s settings, takes time.Duration) *audited {
	x.t.Helper()
	s.postgres = true
	return x.audited(x.install(s), func(_ int, w http.ResponseWriter, _ *http.Request) {
		<-time.After(takes)
		w.WriteHeader(http.StatusNoContent)
	})
}

// install is an installation in which as many events share a workflow as this run
// is about.
func (x *experiment) install(s settings) *system {
	x.t.Helper()
	s.env = append(s.env, fmt.Sprintf("POSTHASTE_EVENTS_PER_WORKFLOW=%d", *perRun))
	return install(x.t, s)
}

// audited watches a tenant, whose events can share workflows if this run is about
// that.
func (x *experiment) audited(sys *system, answer func(n int, w http.ResponseWriter, r *http.Request)) *audited {
	au := newAudited(sys, answer)
	au.unkeyed = *perRun > 1
	return au
}

// burst is how many events come at one time where they are to share workflows:
// the first starts alone, and the others gather meanwhile.
const burst = 10

// inBursts makes sure that a tenant's events share workflows, if this run is about
// that.
func (x *experiment) inBursts(au *audited) {
	if *perRun > 1 {
		au.burst = burst
	}
}

// load hands over events in the background, in bursts where they are to share
// workflows. The returned function waits until the last was sent.
func (x *experiment) load(au *audited, perSecond int, lasting time.Duration) (wait func()) {
	x.inBursts(au)
	return x.loadEvenly(au, perSecond, lasting)
}

// loadEvenly is load beside something that is measured, and never in bursts.
func (x *experiment) loadEvenly(au *audited, perSecond int, lasting time.Duration) (wait func()) {
	done := make(chan struct{})
	go func() { defer close(done); au.load("order.paid", perSecond, lasting) }()
	return func() { <-done; x.onTime() }
}

// pause lets time pass: the load goes on meanwhile.
func (x *experiment) pause(d time.Duration) {
	x.t.Helper()
	<-time.After(min(d, time.Until(x.ends)))
	x.onTime()
}

// between returns a random duration.
func (x *experiment) between(from, to time.Duration) time.Duration {
	return from + time.Duration(x.rand.Int64N(int64(to-from)))
}

// judge waits until all has settled and fills the row. Nothing may arrive later
// than within after it was accepted, or after since if that was later.
func (x *experiment) judge(au *audited, since time.Time, within time.Duration, seen string) audit.Report {
	x.t.Helper()
	au.settle(min(90*time.Second, time.Until(x.ends)))
	return x.judgeInput(au.input(), since, within, seen)
}

func (x *experiment) judgeInput(in audit.Input, since time.Time, within time.Duration, seen string) audit.Report {
	x.t.Helper()
	report := audit.Audit(in)
	late := lateness(in, since)
	if late > within {
		report.Violations = append(report.Violations, fmt.Sprintf("delay: %v after it was accepted or the fault was over, more than %v", late, within))
	}
	if longest := 2 * within; len(in.Crashes) > 0 && report.LongestDelay > longest { // a delivery may lose one worker and then another
		report.Violations = append(report.Violations, fmt.Sprintf("delay: %v between two kills, more than %v", report.LongestDelay, longest))
	}
	x.row = row{
		Experiment: x.row.Experiment, Accepted: report.Accepted, Lost: report.Lost, Duplicates: report.Duplicates,
		Unknown: report.Unknown, Longest: report.LongestDelay, Held: report.Held(), Violations: report.Violations,
	}
	words := []string{seen}
	if *perRun > 1 {
		words = append(words, fmt.Sprintf("%d of %d events shared a workflow, %d arrived without an answer", report.Shared, report.Events, report.Uncertain))
	}
	if !since.IsZero() {
		words = append(words, fmt.Sprintf("all within %.1f s after the last fault", late.Seconds()))
	}
	x.row.Seen = strings.TrimPrefix(strings.Join(words, "; "), "; ")
	for _, violation := range report.Violations {
		x.t.Errorf("%s", violation)
	}
	return report
}

// lateness is how long the slowest first arrival took, counted from when it was
// accepted or from the end of the faults.
func lateness(in audit.Input, since time.Time) time.Duration {
	type pair struct{ event, webhook string }
	first := map[pair]time.Time{}
	for _, a := range in.Arrivals {
		p := pair{a.EventID, a.WebhookID}
		if at, ok := first[p]; !ok || a.At.Before(at) {
			first[p] = a.At
		}
	}
	longest := time.Duration(0)
	for _, event := range in.Accepted {
		from := event.At
		if since.After(from) {
			from = since
		}
		for _, webhook := range event.Webhooks {
			if at, ok := first[pair{event.ID, webhook}]; ok {
				longest = max(longest, at.Sub(from))
			}
		}
	}
	return longest
}
