package models_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

func TestDatabaseURLs(t *testing.T) {
	t.Parallel()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for give, want := range map[string]string{
		"sqlite://posthaste.db":                     "file " + filepath.Join(dir, "posthaste.db"),
		"sqlite://data/posthaste.db":                "file " + filepath.Join(dir, "data", "posthaste.db"),
		"sqlite:///var/lib/posthaste.db":            "file /var/lib/posthaste.db",
		"sqlite:///tmp/with space & ünï#1.db":       "file /tmp/with space & ünï#1.db",
		"postgres://me:hush@db.example:6543/ledger": "ledger on db.example",
		"postgresql://me@db.example/ledger":         "ledger on db.example",
	} {
		got, err := models.CheckURL(give)
		require.NoError(t, err, give)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{
		"", "posthaste.db", "/var/lib/posthaste.db", "sqlite:", "sqlite://", "sqlite://:memory:", "sqlite://a.db?mode=ro",
		"sqlite3://a.db", "mysql://me:hush@db/ledger", "postgres://me:hush@db:port/ledger", "postgres://me:hush@db:1%zz/x",
		"POSTGRES://me@db/x", " postgres://me@db/x", "host=db password=hush",
	} {
		_, err := models.CheckURL(bad)
		requireCode(t, errs.Invalid, err)
		require.NotContains(t, err.Error(), "hush")
		_, err = models.Open(t.Context(), models.Options{URL: bad, Sealer: modelstest.Sealer(), Now: time.Now})
		requireCode(t, errs.Invalid, err)
		_, err = models.MigrateUp(t.Context(), bad)
		requireCode(t, errs.Invalid, err)
	}
}

// closedPort returns a port of this machine that nobody listens on.
func closedPort(t *testing.T) int {
	t.Helper()
	port, err := modelstest.FreePorts(1)
	require.NoError(t, err)
	return port
}

func TestADatabaseThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 1000)), 0o600))
	for url, want := range map[string]string{
		fmt.Sprintf("postgres://me:hush@127.0.0.1:%d/ledger", closedPort(t)): "Cannot open the database ledger on 127.0.0.1",
		"sqlite://" + filepath.Join(dir, "missing", "a.db"):                  "Cannot open the database file " + filepath.Join(dir, "missing", "a.db"),
		"sqlite://" + text: "Cannot open the database file " + text,
		"sqlite://" + dir:  "Cannot open the database file " + dir,
	} {
		_, err := models.Open(t.Context(), models.Options{URL: url, Sealer: modelstest.Sealer(), Now: time.Now})
		require.Error(t, err, url)
		var coded *errs.Error
		require.ErrorAs(t, err, &coded)
		require.Equal(t, want, coded.Message)
		require.NotContains(t, err.Error(), "hush")
		_, err = models.MigrateUp(t.Context(), url)
		require.Error(t, err, url)
		require.NotContains(t, err.Error(), "hush")
	}
}

func TestOpenNeedsASealerAndAClock(t *testing.T) {
	t.Parallel()
	_, err := models.Open(t.Context(), models.Options{URL: modelstest.URL(t, modelstest.SQLite)})
	require.ErrorContains(t, err, "never stored in plain")
	_, err = models.Open(t.Context(), models.Options{URL: modelstest.URL(t, modelstest.SQLite), Sealer: modelstest.Sealer()})
	require.ErrorContains(t, err, "needs a clock")
}

func TestOpenNeedsMigrations(t *testing.T) {
	t.Parallel()
	for _, kind := range modelstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			_, err := models.Open(t.Context(), models.Options{URL: modelstest.URL(t, kind), Sealer: modelstest.Sealer(), Now: time.Now})
			require.ErrorContains(t, err, "run posthaste migrate up")
		})
	}
}

// liteError looks like an error of the SQLite driver.
type liteError int

func (liteError) Error() string { return "sqlite" }
func (e liteError) Code() int   { return int(e) }

func TestTranslate(t *testing.T) {
	t.Parallel()
	require.NoError(t, models.Translate(nil))
	pg := func(state string) error { return &pgconn.PgError{Code: state, Message: "canary"} }
	for code, list := range map[errs.Code][]error{
		errs.NotFound: {gorm.ErrRecordNotFound, gorm.ErrForeignKeyViolated, pg("23503")},
		errs.Conflict: {gorm.ErrDuplicatedKey, pg("23505")},
		errs.Invalid:  {pg("22021")},
		errs.Unavailable: {
			pg("08006"), pg("53300"), pg("53100"), pg("57P01"), pg("57P03"), pg("57014"), pg("55P03"), pg("40001"), pg("40P01"), pg("25006"), pg("58030"),
			liteError(5), liteError(5 | 2<<8), liteError(6), liteError(10 | 3<<8), liteError(13), liteError(14), liteError(9),
			driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
			&net.OpError{Op: "dial", Err: errors.New("refused")}, &pgconn.ConnectError{Config: &pgconn.Config{}},
			context.Canceled, context.DeadlineExceeded,
		},
		errs.Internal: {pg("42P01"), pg("42703"), pg("22P02"), pg("XX000"), liteError(1), liteError(11), liteError(19), errors.New("what?")},
	} {
		for _, give := range list {
			for _, err := range []error{models.Translate(give), models.Translate(fmt.Errorf("while reading: %w", give))} {
				require.Equal(t, code, errs.CodeOf(err), "%T %v", give, give)
				require.ErrorIs(t, err, give)
				var coded *errs.Error
				require.ErrorAs(t, err, &coded)
				require.NotContains(t, coded.Message, "canary")
				require.Equal(t, code == errs.Unavailable, coded.RetryAfter > 0)
			}
		}
	}
}

// What the database ends for the sake of another transaction is run again, a
// few times.
func TestTransactionsAreRepeated(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		for _, test := range []struct {
			state string
			fails int
			want  errs.Code
			runs  int
		}{
			{"40P01", 2, "", 3}, {"40001", 2, "", 3}, {"40P01", 100, errs.Unavailable, 5}, {"23505", 1, errs.Conflict, 1},
		} {
			runs := 0
			err := w.store.InTransaction(t.Context(), func() error {
				if runs++; runs <= test.fails {
					return &pgconn.PgError{Code: test.state}
				}
				return nil
			})
			require.Equal(t, test.want, errs.CodeOf(err))
			require.Equal(t, test.runs, runs)
		}
	})
}
