package bench

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"posthaste/models/modelstest"
)

func TestProcessorTimeOfAProcess(t *testing.T) {
	t.Parallel()
	p, ok := readProcess("77 (a ) b (c) S 1 77 77 0 -1 4194560 9 0 0 0 150 50 7 8 20 0 1 0 5 6 7")
	require.True(t, ok)
	require.Equal(t, process{name: "a ) b (c", parent: 1, cpu: 2, reaped: 0.15}, p)
	for _, wrong := range []string{
		"", "77", "77 (name) S 1 2 3", "77 (name) S x 77 77 0 -1 4194560 9 0 0 0 150 50 7 8",
		"77 (name) S 1 77 77 0 -1 4194560 9 0 0 0 x 50 7 8",
	} {
		_, ok := readProcess(wrong)
		require.False(t, ok, wrong)
	}
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		p, ok := processOf(os.Getpid())
		require.True(t, ok)
		require.Equal(t, os.Getppid(), p.parent)
		require.Contains(t, processes(), os.Getpid())
	}
	_, ok = processOf(-1)
	require.False(t, ok)
}

func TestWhatIsNoPostgreSQLIsNotCounted(t *testing.T) {
	t.Parallel()
	require.Zero(t, Postmaster(os.Getpid()))
	require.Zero(t, Postmaster(-1))
	_, ok := postgresCPU(os.Getpid())
	require.False(t, ok)
}

// TestPostgreSQLIsCountedAfterABackendHasEnded: what it used is the postmaster's
// then.
func TestPostgreSQLIsCountedAfterABackendHasEnded(t *testing.T) {
	t.Parallel()
	connection, err := pgx.Connect(t.Context(), modelstest.URL(t, modelstest.Postgres))
	require.NoError(t, err)
	backend := int(connection.PgConn().PID())
	postmaster := Postmaster(backend)
	if postmaster == 0 {
		t.Skip("PostgreSQL does not run on this machine")
	}
	before, ok := postgresCPU(postmaster)
	require.True(t, ok)
	var rows int
	require.NoError(t, connection.QueryRow(t.Context(), "SELECT count(*) FROM generate_series(1, 3000000) AS n WHERE md5(n::text) <> ''").Scan(&rows))
	during, ok := postgresCPU(postmaster)
	require.True(t, ok)
	p, _ := processOf(backend)
	used := p.cpu
	require.Greater(t, used, 0.2, "too little to be seen")
	require.GreaterOrEqual(t, during-before, used*0.9)
	require.NoError(t, connection.Close(t.Context()))
	for runs := true; runs; _, runs = processOf(backend) {
		require.NoError(t, pause(t.Context(), sampleEvery))
	}
	after, ok := postgresCPU(postmaster)
	require.True(t, ok)
	require.GreaterOrEqual(t, after-before, used*0.9)
}
