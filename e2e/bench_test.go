package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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
	}
	require.NotNil(t, figures["strict: events"].Ratio)
	require.InDelta(t, 3, figures["storm: attempts of a delivery"].Rounds[0], 0.1)
	require.Contains(t, stdout.String(), "Run on ")
	requireEmpty(t, dir)
}

// TestBenchStopsInGoodOrder interrupts a run, which must leave nothing behind.
func TestBenchStopsInGoodOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command := benchIn(dir, "--scenarios", "strict")
	progress, err := command.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	seen := bufio.NewScanner(progress)
	for seen.Scan() && !strings.Contains(seen.Text(), "round 1") {
		continue // until a load runs
	}
	require.NoError(t, command.Process.Signal(syscall.SIGINT))
	for seen.Scan() {
		require.NotContains(t, seen.Text(), "panic")
	}
	var exit *exec.ExitError
	require.ErrorAs(t, command.Wait(), &exit)
	require.Equal(t, 1, exit.ExitCode())
	requireEmpty(t, dir)
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "the bench removes what it made")
}
