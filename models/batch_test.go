package models_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

func TestBatchStatements(t *testing.T) {
	t.Parallel()
	at := models.Instant(time.Unix(0, 0))
	sql, args, err := models.SelectRows(true, "x", 1, true, []byte("y"), at)
	require.NoError(t, err)
	require.Len(t, args, 5)
	require.Equal(t, "SELECT * FROM unnest(?::text[], ?::bigint[], ?::boolean[], ?::bytea[], ?::timestamptz[]) AS u (a, b, c, d, e)", sql)
	sql, args, err = models.SelectRows(false, "x", 1, true, []byte("y"), at)
	require.NoError(t, err)
	require.Len(t, args, 5)
	require.Equal(t, "SELECT column1 AS a, column2 AS b, column3 AS c, column4 AS d, column5 AS e FROM (VALUES (?,?,?,?,?))", sql)

	for _, postgres := range []bool{true, false} {
		_, _, err = models.SelectRows(postgres, "too", "few")
		requireCode(t, errs.Internal, err)
	}
	for i, wrong := range []any{1, "x", "x", "x", "x"} {
		row := []any{"x", 1, true, []byte("y"), at}
		row[i] = wrong
		_, _, err = models.SelectRows(true, row...)
		requireCode(t, errs.Internal, err)
	}
}
