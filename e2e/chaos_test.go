//go:build chaos

package e2e

import (
	"context"
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

// experiments are run one after the other: they measure delays.
func experiments() []struct {
	name string
	run  func(*experiment)
} {
	return slices.Concat(crashExperiments(), outageExperiments(), doorExperiments(), neighbourExperiments())
}

// TestChaos runs every experiment and prints the table. One alone:
// -run 'TestChaos/name'.
func TestChaos(t *testing.T) { //nolint:paralleltest // alone on the machine: it measures delays
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	began := time.Now()
	var rows []row
	fmt.Fprint(os.Stdout, tableHead)
	for i, e := range experiments() {
		t.Run(strings.NewReplacer(" ", "-", "/", "-per-").Replace(e.name), func(t *testing.T) {
			x := &experiment{t: t, rand: rand.New(rand.NewPCG(*seed, uint64(i))), row: row{Experiment: e.name}}
			x.allow(experimentTime)
			defer func() { rows = append(rows, x.end()) }()
			x.onTime()
			e.run(x)
			x.onTime()
		})
	}
	text := table(rows) + "\n" + provenance(t, time.Since(began))
	fmt.Fprintf(os.Stdout, "\n%s\n", text)
	if *write {
		require.Len(t, rows, len(experiments()), "the whole table or none")
		writeTable(t, text)
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
func provenance(t *testing.T, took time.Duration) string {
	t.Helper()
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
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, modelstest.URL(t, modelstest.Postgres))
	require.NoError(t, err)
	defer func() { _ = conn.Close(ctx) }()
	var database string
	require.NoError(t, conn.QueryRow(ctx, "SHOW server_version").Scan(&database))
	return fmt.Sprintf("`make chaos ARGS=\"-events-per-workflow=%d -seed=%d\"` on %s, in %.0f minutes, at commit %s: %d cores of %s, %s of memory, %s; "+
		"%s; %s; PostgreSQL %s; receivers, publishers, Temporal, PostgreSQL and Posthaste all on this machine.\n",
		*perRun, *seed, time.Now().UTC().Format("2006-01-02"), took.Minutes(), output("git", "describe", "--always", "--dirty"),
		runtime.NumCPU(), processor, memory, runtime.GOOS+"/"+runtime.GOARCH, runtime.Version(),
		output("../bin/temporal", "--version"), database)
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
	s.env = append(s.env, fmt.Sprintf("POSTHASTE_EVENTS_PER_WORKFLOW=%d", *perRun))
	return newAudited(install(x.t, s), func(_ int, w http.ResponseWriter, _ *http.Request) {
		<-time.After(takes)
		w.WriteHeader(http.StatusNoContent)
	})
}

// load hands over events in the background. The returned function waits until
// the last was sent.
func (x *experiment) load(au *audited, perSecond int, lasting time.Duration) (wait func()) {
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
	x.row = row{
		Experiment: x.row.Experiment, Accepted: report.Accepted, Lost: report.Lost, Duplicates: report.Duplicates,
		Unknown: report.Unknown, Longest: report.LongestDelay, Held: report.Held(), Violations: report.Violations,
		Seen: seen,
	}
	if !since.IsZero() {
		x.row.Seen = strings.TrimPrefix(fmt.Sprintf("%s; all within %.1f s after the last fault", seen, late.Seconds()), "; ")
	}
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
