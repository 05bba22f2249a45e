package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/cmd/posthaste/bench"
)

// benchIn is posthaste bench with its databases in a folder.
func benchIn(dir string, args ...string) *exec.Cmd {
	command := exec.Command(posthaste, append([]string{"bench", "--quick", "--data-dir", dir, "--temporal-cli", temporal.cli}, args...)...)
	command.WaitDelay = 10 * time.Second
	return command
}

// benchFigure is one that a run has to have.
type benchFigure struct {
	name   string
	of     string // what it is compared with; "" = with nothing
	wanted string // what it must reach; "" = nothing
}

// loaded are the figures of a load that runs as fast as it can: its rate, its
// latencies and what each event costs.
func loaded(rate benchFigure, unit ...benchFigure) []benchFigure {
	figures := append([]benchFigure{rate}, unit...)
	for _, figure := range []string{"p50", "p99", "CPU of Posthaste", "CPU of Temporal", "CPU of the bench", "writes of Temporal"} {
		name := rate.name + ": " + figure
		if !slices.ContainsFunc(unit, func(f benchFigure) bool { return f.name == name }) {
			figures = append(figures, benchFigure{name: name})
		}
	}
	return figures
}

// benchFigures are what each scenario has to measure.
var benchFigures = map[string][]benchFigure{
	"strict": slices.Concat(
		loaded(benchFigure{name: "empty workflows, the floor"}),
		loaded(benchFigure{"events", "empty workflows, the floor", "≥ 0.8"})),
	"batch": slices.Concat(
		loaded(benchFigure{name: "events, one in a request"}),
		loaded(benchFigure{"events", "events, one in a request", "≥ 2500/s"},
			benchFigure{"events: writes of Temporal", "events, one in a request: writes of Temporal", ""})),
	"coalesced": slices.Concat(
		loaded(benchFigure{name: "events, each with a key"}),
		loaded(benchFigure{"events", "events, each with a key", ""},
			benchFigure{"events: writes of Temporal", "events, each with a key: writes of Temporal", "≤ 0.5"})),
	"fanout": slices.Concat(
		loaded(benchFigure{name: "deliveries, 1 event to 1"}),
		loaded(benchFigure{"deliveries, 1 event to 10", "deliveries, 1 event to 1", ""}),
		loaded(benchFigure{"deliveries, 1 event to 100", "deliveries, 1 event to 1", "≥ 4500/s"})),
	"idle": {
		{name: "50/s: empty workflow is started"}, {name: "50/s: empty workflow runs p50"}, {name: "50/s: empty workflow runs p99"},
		{"50/s: first byte p50", "50/s: empty workflow is started", "≤ 2"},
		{"50/s: first byte p99", "50/s: empty workflow runs p99", ""},
		{name: "150/s: empty workflow is started"}, {name: "150/s: empty workflow runs p50"}, {name: "150/s: empty workflow runs p99"},
		{"150/s: first byte p50", "150/s: empty workflow is started", ""},
		{"150/s: first byte p99", "150/s: empty workflow runs p99", ""},
	},
	"neighbour": {
		{name: "quiet tenant alone: p50"}, {name: "quiet tenant alone: p99"},
		{"beside one that answers: p50", "quiet tenant alone: p50", ""},
		{"beside one that answers: p99", "quiet tenant alone: p99", ""},
		{"beside one that hangs: p50", "quiet tenant alone: p50", "≤ 2"},
		{"beside one that hangs: p99", "quiet tenant alone: p99", "≤ 2"},
	},
	"hanging": {
		{name: "nine of ten, all answer"}, {name: "nine of ten, all answer: p50"}, {name: "nine of ten, all answer: p99"},
		{"nine of ten, one hangs", "nine of ten, all answer", ""},
		{"nine of ten, one hangs: p50", "nine of ten, all answer: p50", "≤ 2"},
		{"nine of ten, one hangs: p99", "nine of ten, all answer: p99", "≤ 2"},
	},
	"storm": {
		{name: "none fails: deliveries"}, {name: "none fails: all accepted after"}, {name: "none fails: attempts"},
		{name: "none fails: all delivered after"}, {name: "each fails twice: deliveries"}, {name: "each fails twice: all accepted after"},
		{name: "each fails twice: attempts"}, {name: "each fails twice: attempts of a delivery"}, {name: "each fails twice: all delivered after"},
		{"each fails twice: all delivered after, less 3 s of waits", "none fails: all delivered after", ""},
	},
	"memory": {
		{name: "events delivered"}, {name: "memory before"}, {name: "goroutines before"},
		{name: "memory from 10 to 30 %"}, {name: "goroutines from 10 to 30 %"},
		{"memory from 80 to 100 %", "memory from 10 to 30 %", "≤ 1.2"},
		{"goroutines from 80 to 100 %", "goroutines from 10 to 30 %", ""},
		{name: "goroutines that the events leave", wanted: "≤ 100"},
		{name: "deliveries that wait"}, {name: "memory before they wait"},
		{"memory while they wait", "memory before they wait", "≤ 1.1"},
		{name: "in use for each more that waits", wanted: "≤ 512"},
		{name: "goroutines that they add", wanted: "≤ 1124"},
	},
}

// requireFigures holds that a scenario measured each, and compared it.
func requireFigures(t *testing.T, measured map[string]bench.Row, scenario string) {
	t.Helper()
	require.NotEmpty(t, benchFigures[scenario], "nobody says what %s has to measure", scenario)
	for _, figure := range benchFigures[scenario] {
		name := scenario + ": " + figure.name
		require.Contains(t, measured, name)
		row := measured[name]
		require.Len(t, row.Rounds, 1, name)
		require.Equal(t, figure.wanted, row.Wanted, name)
		if figure.of != "" {
			require.NotNil(t, row.Ratio, "%s is compared with nothing", name)
			require.Equal(t, figure.of, row.Ratio.Of, name)
			require.Positive(t, row.Ratio.Median, name)
		}
	}
}

// TestBenchMeasuresEverything runs all scenarios in tiny sizes: what they show
// is whether each measures, and that nothing is lost.
func TestBenchMeasuresEverything(t *testing.T) {
	t.Parallel()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "bench.json")
	command := benchIn(dir, "--json", file)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	require.NoError(t, command.Run(), "%s", stderr.String())

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var report bench.Report
	require.NoError(t, json.Unmarshal(text, &report))
	require.Equal(t, bench.Names(), report.Scenarios)
	require.Positive(t, report.Machine.Cores)
	figures := map[string]bench.Row{}
	for _, row := range report.Rows {
		require.NotEmpty(t, row.Rounds, "%s: %s", row.Scenario, row.Figure)
		figures[row.Scenario+": "+row.Figure] = *row
	}
	for _, name := range report.Scenarios {
		v := report.Verdicts[name]
		require.Positive(t, v.Expected, name)
		require.Zero(t, v.Lost, "%s: %+v", name, v)
		require.Zero(t, v.Duplicates, "%s: %+v", name, v)
		require.Contains(t, stdout.String(), "\n"+name+" ")
		requireFigures(t, figures, name)
	}
	require.InDelta(t, 3, figures["storm: each fails twice: attempts of a delivery"].Rounds[0], 0.1)
	require.True(t, *figures["coalesced: events: writes of Temporal"].Reached, "events that share workflows have Temporal write less")
	// Temporal updates a workflow once more that it has to hand to a worker.
	updates := figures["strict: empty workflows, the floor: writes of Temporal by UpdateWorkflowExecution"]
	require.NotEmpty(t, updates.Rounds)
	require.Less(t, updates.Rounds[0], 1.5, "empty workflows are started eagerly")
	require.Contains(t, stdout.String(), "Run on ")
	requireEmpty(t, dir)
}

// TestBenchStopsInGoodOrder interrupts a run, which must leave nothing behind but
// what it had measured.
func TestBenchStopsInGoodOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command := benchIn(dir, "--scenarios", "strict,memory", "--json", filepath.Join(t.TempDir(), "bench.json"))
	var table bytes.Buffer
	command.Stdout = &table
	progress, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	seen := bufio.NewScanner(progress)
	for seen.Scan() && !strings.Contains(seen.Text(), "memory …") {
		continue // until a second scenario runs
	}
	require.NoError(t, command.Process.Signal(syscall.SIGINT))
	for seen.Scan() {
		require.NotContains(t, seen.Text(), "panic")
	}
	var exit *exec.ExitError
	require.ErrorAs(t, command.Wait(), &exit)
	require.Equal(t, 1, exit.ExitCode())
	requireEmpty(t, dir)
	require.Regexp(t, `strict +events +\d`, table.String())
	require.Contains(t, table.String(), "The run was cut short: memory and what comes after it are missing.")
	require.NotRegexp(t, `(?m)^memory`, table.String())
	require.NotContains(t, table.String(), "Not chosen")
	require.FileExists(t, command.Args[len(command.Args)-1])
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "the bench removes what it made")
}
