package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"posthaste/cmd/posthaste/bench"
	"posthaste/config"
	"posthaste/models/modelstest"
)

// lineOf is the command line of the report for what was typed.
func lineOf(t *testing.T, args ...string) string {
	t.Helper()
	parsed, err := grammarOf(t).Parse(append([]string{"bench"}, args...))
	require.NoError(t, err)
	return commandLine(parsed)
}

func TestCommandLineOfTheReportHasNoSecrets(t *testing.T) {
	t.Parallel()
	require.Equal(t, "posthaste bench", lineOf(t))
	require.Equal(t, "posthaste bench --scenarios strict,idle --quick --rounds 3 --duration 4s --temporal-process 7 --json 'my bench.json'",
		lineOf(t, "--scenarios=strict,idle", "--quick", "--rounds", "3", "--duration=4s", "--temporal-process", "7", "--json", "my bench.json"))
	for given, want := range map[string]string{
		"postgres://posthaste:hunter2@127.0.0.1:5432/posthaste?sslmode=disable": "'postgres://posthaste@127.0.0.1:5432/posthaste?sslmode=disable'",
		"postgres://127.0.0.1/posthaste?user=me&password=hunter2":               "postgres://127.0.0.1/posthaste",
		"postgres://me:hunter2%zz@127.0.0.1/posthaste":                          "'[secret]'",
		"host=127.0.0.1 password=hunter2":                                       "'[secret]'",
	} {
		require.Equal(t, "posthaste bench --database-url "+want, lineOf(t, "--database-url", given))
	}
	require.Equal(t, "posthaste bench --url http://me@127.0.0.1:8080 --token '[secret]' --temporal-metrics http://127.0.0.1:7341/metrics",
		lineOf(t, "--url", "http://me:hunter2@127.0.0.1:8080", "--token=hunter2", "--temporal-metrics", "http://127.0.0.1:7341/metrics"))
}

func TestShapeOfARun(t *testing.T) {
	t.Parallel()
	database := config.Secret("postgres://127.0.0.1/posthaste")
	for _, test := range []struct {
		command benchCommand
		want    bench.Shape
	}{
		{benchCommand{}, bench.DevShape},
		{benchCommand{TemporalAddress: "127.0.0.1:7333", DatabaseURL: database}, bench.StackShape},
		{benchCommand{DatabaseURL: database}, ""},
		{benchCommand{TemporalAddress: "127.0.0.1:7333"}, ""},
		{benchCommand{URL: "http://127.0.0.1:8080", Token: "token"}, ""},
	} {
		require.Equal(t, test.want, test.command.shape(), "%+v", test.command)
	}
}

// Half an hour later would be late.
func TestBenchRefusesBeforeItRuns(t *testing.T) {
	t.Parallel()
	document := filepath.Join(t.TempDir(), "benchmarks.md")
	require.NoError(t, os.WriteFile(document, []byte("<!-- bench:begin -->\n<!-- bench:end -->\n"), 0o600))
	most := strings.Join(bench.Names()[:len(bench.Names())-2], ",")
	for want, args := range map[string][]string{
		"here are missing: storm, memory":       {"--write-docs", document, "--scenarios", most},
		"its figures mean nothing":              {"--write-docs", document, "--quick"},
		"this is neither":                       {"--write-docs", document, "--temporal-address", "127.0.0.1:1"},
		"lacks the lines <!-- bench:stack:begi": {"--write-docs", document, "--temporal-address", "127.0.0.1:1", "--database-url", "postgres://127.0.0.1:1/none"},
		"--profile is for a Posthaste that":     {"--profile", "profiles", "--url", "http://127.0.0.1:1", "--token", "token"},
		"--temporal-pprof is that of":           {"--profile", "profiles", "--temporal-pprof", "http://127.0.0.1:1"},
		"leave it out without them":             {"--temporal-address", "127.0.0.1:1", "--temporal-pprof", "http://127.0.0.1:1"},
	} {
		got := call(t, nil, append([]string{"bench"}, args...)...)
		require.Equal(t, exitUsage, got.code, got.errors)
		require.Contains(t, got.errors, want)
	}
}

// The collector's settings decide much of what is measured: those that are set
// hold for the Posthaste that is started, and none of the bench's own.
func TestServeGetsTheSettingsOfTheRuntime(t *testing.T) {
	t.Parallel()
	environ := map[string]string{"GOGC": "50", "HOME": "/home/me", "SECRET": "x"}
	stage := &benchStage{console: console{lookupEnv: func(name string) (string, bool) { value, ok := environ[name]; return value, ok }}}
	stage.Settings = stage.runtimeSettings()
	require.Equal(t, map[string]string{"GOGC": "50"}, stage.Settings)
	require.Contains(t, stage.serveEnvironment(), "GOGC=50")
	require.NotContains(t, strings.Join(stage.serveEnvironment(), "\n"), "SECRET=x")
	delete(environ, "GOGC")
	stage.Settings = stage.runtimeSettings()
	require.NotContains(t, strings.Join(stage.serveEnvironment(), "\n"), "GOGC")
}

func TestAddressesOfThisMachine(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:7233": true, "127.0.0.9:1": true, "[::1]:7233": true, "localhost:7233": true,
		"": false, "10.0.0.1:7233": false, "temporal:7233": false, "127.0.0.1": false,
	} {
		require.Equal(t, want, isLoopback(address), address)
	}
}

// TestPostgreSQLOfTheRunIsFound: the one that executes its statements.
func TestPostgreSQLOfTheRunIsFound(t *testing.T) {
	t.Parallel()
	target := modelstest.URL(t, modelstest.Postgres)
	parsed, err := pgx.ParseConfig(target)
	require.NoError(t, err)
	if !isLoopback(net.JoinHostPort(parsed.Host, "1")) {
		t.Skip("PostgreSQL does not run on this machine")
	}
	server, err := execute(t.Context(), config.Secret(target), "SELECT 1")
	require.NoError(t, err)
	require.NotEmpty(t, server.version)
	require.Positive(t, server.postmaster)
}
