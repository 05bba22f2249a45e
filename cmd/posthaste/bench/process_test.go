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
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		p, ok := processOf(os.Getpid())
		require.True(t, ok)
		require.Equal(t, os.Getppid(), p.parent)
		require.InDelta(t, ownCPU(), p.cpu, 0.5)
		require.Contains(t, processes(), os.Getpid())
	}
	_, ok := processOf(-1)
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
