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
func postgresSchema(t testing.TB) string {
	t.Helper()
	base, err := server()
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv(requireVariable), ","), string(Postgres)) {
			t.Fatalf("%s requires postgres: %v", requireVariable, err)
		}
		t.Skipf("no PostgreSQL: %v", err)
	}
	schema := "t_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	execute(t, t.Context(), base, "CREATE SCHEMA "+schema)
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		execute(t, ctx, base, "DROP SCHEMA "+schema+" CASCADE")
	})
	return withSearchPath(t, base, schema)
}

func execute(t testing.TB, ctx context.Context, target, statement string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, target)
	require.NoError(t, err)
	_, err = conn.Exec(ctx, statement)
	require.NoError(t, err)
	require.NoError(t, conn.Close(ctx))
}

func withSearchPath(t testing.TB, base, schema string) string {
	t.Helper()
	u, err := url.Parse(base)
	require.NoError(t, err)
	query := u.Query()
	query.Set("search_path", schema)
	u.RawQuery = query.Encode()
	return u.String()
}
