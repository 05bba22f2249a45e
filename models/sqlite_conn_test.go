package models

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// kept opens a file with one connection, and returns what that keeps.
func kept(t *testing.T) (*sql.DB, func() map[string]*keptStatement) {
	t.Helper()
	pool, err := openKeeping(filepath.Join(t.TempDir(), "kept.db")+sqliteWriting, 1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	_, err = pool.ExecContext(t.Context(), "CREATE TABLE pairs (k INTEGER PRIMARY KEY, v TEXT NOT NULL) STRICT")
	require.NoError(t, err)
	_, err = pool.ExecContext(t.Context(), "INSERT INTO pairs VALUES (1, 'one'), (2, 'two')")
	require.NoError(t, err)
	return pool, func() map[string]*keptStatement {
		var list map[string]*keptStatement
		conn, err := pool.Conn(t.Context())
		require.NoError(t, err)
		require.NoError(t, conn.Raw(func(c any) error { list = c.(*keepingConn).kept; return nil }))
		require.NoError(t, conn.Close())
		return list
	}
}

func TestStatementsAreKeptInTransactions(t *testing.T) {
	t.Parallel()
	pool, list := kept(t)
	const text = "SELECT v FROM pairs WHERE k = ?"
	var compiled *keptStatement
	for key, want := range map[int]string{1: "one", 2: "two"} {
		tx, err := pool.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		var got string
		require.NoError(t, tx.QueryRowContext(t.Context(), text, key).Scan(&got))
		require.Equal(t, want, got)
		require.NoError(t, tx.Commit())
		if compiled != nil {
			require.Same(t, compiled, list()[text])
		}
		compiled = list()[text]
		require.NotNil(t, compiled)
	}
}

// A statement whose rows are being read runs a second time with rows of its own.
func TestAStatementInUseIsLeftAlone(t *testing.T) {
	t.Parallel()
	pool, list := kept(t)
	const text = "SELECT v FROM pairs ORDER BY k"
	conn, err := pool.Conn(t.Context())
	require.NoError(t, err)
	outer, err := conn.QueryContext(t.Context(), text)
	require.NoError(t, err)
	defer func() { require.NoError(t, outer.Close()) }()
	var seen []string
	for outer.Next() {
		var one string
		require.NoError(t, outer.Scan(&one))
		var inner string
		require.NoError(t, conn.QueryRowContext(t.Context(), text).Scan(&inner))
		seen = append(seen, one+" beside "+inner)
	}
	require.NoError(t, outer.Err())
	require.NoError(t, outer.Close())
	require.NoError(t, conn.Close())
	require.Equal(t, []string{"one beside one", "two beside one"}, seen)
	require.Contains(t, list(), text)
}

func TestAStatementOutlivesItsErrorAndAChangeOfTheSchema(t *testing.T) {
	t.Parallel()
	pool, _ := kept(t)
	const text = "INSERT INTO pairs (k, v) VALUES (?, ?)"
	_, err := pool.ExecContext(t.Context(), text, 1, "again")
	require.ErrorContains(t, err, "UNIQUE")
	_, err = pool.ExecContext(t.Context(), text, 3, "three")
	require.NoError(t, err)
	_, err = pool.ExecContext(t.Context(), "ALTER TABLE pairs ADD COLUMN note TEXT NOT NULL DEFAULT 'none'")
	require.NoError(t, err)
	_, err = pool.ExecContext(t.Context(), text, 4, "four")
	require.NoError(t, err)
	var note string
	require.NoError(t, pool.QueryRowContext(t.Context(), "SELECT note FROM pairs WHERE k = 4").Scan(&note))
	require.Equal(t, "none", note)
}

func TestNoMoreStatementsAreKeptThanThereIsRoomFor(t *testing.T) {
	t.Parallel()
	pool, list := kept(t)
	const often = "SELECT v FROM pairs WHERE k = 1"
	for i := range 2 * maxStatements {
		for _, text := range []string{often, fmt.Sprintf("SELECT %d", i)} {
			var got string
			require.NoError(t, pool.QueryRowContext(t.Context(), text).Scan(&got))
		}
	}
	require.Len(t, list(), maxStatements)
	require.Contains(t, list(), often)
	require.Contains(t, list(), fmt.Sprintf("SELECT %d", 2*maxStatements-1))
	require.NotContains(t, list(), "SELECT 0")
}
