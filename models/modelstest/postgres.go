package modelstest

import (
	"context"
	"errors"
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
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// Where tests look for PostgreSQL.
const (
	urlVariable     = "POSTHASTE_TEST_DATABASE_URL"
	requireVariable = "POSTHASTE_TEST_REQUIRE"
	defaultURL      = "postgres://postgres@127.0.0.1:5432/test?sslmode=disable"
)

// ordinaryRole is who the ledgers of tests belong to and are used by: row-level
// security does not hold a superuser, and tests run with it on.
const ordinaryRole = "posthaste_test"

// servers are the URLs of one PostgreSQL: the one that was given, to make
// schemas with, and the one that ledgers are opened with.
type servers struct{ admin, ledger string }

// server finds or starts a PostgreSQL, once per test process.
var server = sync.OnceValues(func() (servers, error) {
	admin, err := findServer()
	if err != nil {
		return servers{}, err
	}
	ledger, err := asOrdinaryRole(admin)
	return servers{admin: admin, ledger: ledger}, err
})

func findServer() (string, error) {
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
}

// asOrdinaryRole returns the URL for a role that row-level security holds: the
// URL's own, or when that is a superuser one that is made for it, with a
// password for servers that ask for one. Processes may do so at the same time.
func asOrdinaryRole(admin string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	var mighty, made bool
	err = conn.QueryRow(ctx, `SELECT rolsuper OR rolbypassrls, EXISTS (SELECT FROM pg_roles WHERE rolname = $1)
		FROM pg_roles WHERE rolname = current_user`, ordinaryRole).Scan(&mighty, &made)
	if err != nil || !mighty {
		return admin, err
	}
	if !made {
		_, err = conn.Exec(ctx, "CREATE ROLE "+ordinaryRole+" LOGIN PASSWORD '"+ordinaryRole+"'")
		var refused *pgconn.PgError
		if errors.As(err, &refused) && slices.Contains([]string{"42710", "23505"}, refused.Code) {
			err = nil // another test process was faster
		}
		if err != nil {
			return "", err
		}
	}
	u, err := url.Parse(admin)
	if err != nil {
		return "", err
	}
	u.User = url.UserPassword(ordinaryRole, ordinaryRole)
	return u.String(), nil
}

// postgresSchema makes a schema and returns a URL whose connections see nothing
// else.
func postgresSchema(tb testing.TB) string {
	tb.Helper()
	urls, err := server()
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv(requireVariable), ","), string(Postgres)) {
			tb.Fatalf("%s requires postgres: %v", requireVariable, err)
		}
		tb.Skipf("no PostgreSQL: %v", err)
	}
	schema := "t_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	execute(tb.Context(), tb, urls.admin, "CREATE SCHEMA "+schema)
	if urls.ledger != urls.admin {
		execute(tb.Context(), tb, urls.admin, "ALTER SCHEMA "+schema+" OWNER TO "+ordinaryRole)
	}
	tb.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		execute(ctx, tb, urls.admin, "DROP SCHEMA "+schema+" CASCADE")
	})
	return withSearchPath(tb, urls.ledger, schema)
}

// AdminURL returns a URL of Postgres for the role that the tests were given
// instead of the ordinary one. Without a superuser there is no such role, and
// the test is skipped.
func AdminURL(tb testing.TB, target string) string {
	tb.Helper()
	urls, err := server()
	require.NoError(tb, err)
	if urls.admin == urls.ledger {
		tb.Skip("the tests were given an ordinary role")
	}
	admin, err := url.Parse(urls.admin)
	require.NoError(tb, err)
	u, err := url.Parse(target)
	require.NoError(tb, err)
	u.User = admin.User
	return u.String()
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
