package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"posthaste/cmd/posthaste/bench"
	"posthaste/models/modelstest"
)

// measured runs some scenario in tiny sizes and returns its report and table.
func measured(t *testing.T, args ...string) (report bench.Report, table string) {
	t.Helper()
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "bench.json")
	command := benchIn(dir, append(args, "--scenarios", "batch", "--json", file)...)
	command.Env = append(os.Environ(), "GOGC=150")
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	require.NoError(t, command.Run(), "%s", stderr.String())
	require.NotContains(t, stderr.String(), "missing")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &report))
	requireEmpty(t, dir)
	return report, stdout.String()
}

// TestBenchTakesProfiles: of the Posthaste that it starts, whose settings of the
// collector are told.
func TestBenchTakesProfiles(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "profiles")
	report, table := measured(t, "--profile", folder)
	for _, kind := range []string{"cpu", "heap"} {
		profile, err := os.ReadFile(filepath.Join(folder, "batch-events-round1."+kind+".pprof"))
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(profile, []byte{0x1f, 0x8b}), "a profile is packed by gzip, this is: %.100s", profile)
	}
	require.Contains(t, table, "Profiles were taken")
	require.Contains(t, table, "--profile "+folder)
	require.Equal(t, bench.DevShape, report.Shape)
	require.Equal(t, "150", report.Settings["GOGC"])
	require.Contains(t, report.NotChosen, "memory")
}

// TestBenchCountsPostgreSQL: it shares the machine with what is measured.
func TestBenchCountsPostgreSQL(t *testing.T) {
	t.Parallel()
	target := ownDatabase(t)
	if host := target.Hostname(); host != "127.0.0.1" && host != "localhost" {
		t.Skip("PostgreSQL does not run on this machine")
	}
	report, table := measured(t, "--database-url", target.String())
	found := false
	for _, row := range report.Rows {
		if row.Figure == "events: CPU of PostgreSQL" {
			found = true
			require.Positive(t, row.Median)
		}
	}
	require.True(t, found, table)
	require.Contains(t, table, "CPU of PostgreSQL is all that the server on this machine used")
	require.Empty(t, report.Shape, "Temporal has SQLite")
}

// ownDatabase makes a database of the ordinary role, who may make schemas there.
func ownDatabase(t *testing.T) *url.URL {
	t.Helper()
	target := modelstest.URL(t, modelstest.Postgres)
	admin, err := pgx.Connect(t.Context(), modelstest.AdminURL(t, target))
	require.NoError(t, err)
	made, err := url.Parse(target)
	require.NoError(t, err)
	name := fmt.Sprintf("bench_%x", time.Now().UnixNano())
	_, err = admin.Exec(t.Context(), "CREATE DATABASE "+name+" OWNER "+made.User.Username())
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
		defer cancel()
		_, err := admin.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
		require.NoError(t, admin.Close(ctx))
	})
	made.Path, made.RawQuery = "/"+name, ""
	return made
}
