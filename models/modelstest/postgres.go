package modelstest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Where tests look for PostgreSQL.
const (
	urlVariable     = "POSTHASTE_TEST_DATABASE_URL"
	requireVariable = "POSTHASTE_TEST_REQUIRE"
	defaultURL      = "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"
)

// server finds or starts a PostgreSQL, once per test process.
var server = sync.OnceValues(func() (string, error) {
	wanted := os.Getenv(urlVariable)
	if wanted == "" {
		wanted = defaultURL
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, reachErr := pgx.Connect(ctx, wanted)
	if reachErr == nil {
		return wanted, conn.Close(ctx)
	}
	started, err := startCluster()
	if err != nil {
		return "", fmt.Errorf("%w; and a throwaway one could not be started: %w", reachErr, err)
	}
	return started, nil
})

// postgresSchema makes a schema and returns a URL whose connections see nothing
// else.
func postgresSchema(tb testing.TB) string {
	tb.Helper()
	base, err := server()
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv(requireVariable), ","), string(Postgres)) {
			tb.Fatalf("%s requires postgres: %v", requireVariable, err)
		}
		tb.Skipf("no PostgreSQL: %v", err)
	}
	schema := "t_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	execute(tb.Context(), tb, base, "CREATE SCHEMA "+schema)
	tb.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		execute(ctx, tb, base, "DROP SCHEMA "+schema+" CASCADE")
	})
	return withSearchPath(tb, base, schema)
}

func execute(ctx context.Context, tb testing.TB, target, statement string) {
	tb.Helper()
	conn, err := pgx.Connect(ctx, target)
	require.NoError(tb, err)
	_, err = conn.Exec(ctx, statement)
	require.NoError(tb, err)
	require.NoError(tb, conn.Close(ctx))
}

func withSearchPath(tb testing.TB, base, schema string) string {
	tb.Helper()
	u, err := url.Parse(base)
	require.NoError(tb, err)
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}
