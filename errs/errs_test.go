package errs_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
)

func TestCodeOf(t *testing.T) {
	t.Parallel()
	coded := errs.New(errs.NotFound, "no webhook %s", "w1")
	for _, tc := range []struct {
		name string
		give error
		want errs.Code
	}{
		{"none", nil, ""},
		{"coded", coded, errs.NotFound},
		{"wrapped by others", fmt.Errorf("read: %w", coded), errs.NotFound},
		{"the outermost code counts", errs.Wrap(coded, errs.Conflict, "taken"), errs.Conflict},
		{"anything else is ours", io.EOF, errs.Internal},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, errs.CodeOf(tc.give))
			require.Equal(t, tc.want != "", errs.Is(tc.give, tc.want))
		})
	}
}

func TestMessageIsForCallersAndCauseForLogs(t *testing.T) {
	t.Parallel()
	err := errs.Wrap(io.EOF, errs.Unavailable, "The database does not answer")
	var coded *errs.Error
	require.ErrorAs(t, err, &coded)
	require.Equal(t, "The database does not answer", coded.Message)
	require.ErrorIs(t, err, io.EOF)
	require.Contains(t, err.Error(), "EOF")
	require.NoError(t, errs.Wrap(nil, errs.Internal, "nothing"))
}

func TestInvalidNamesTheField(t *testing.T) {
	t.Parallel()
	err := errs.InvalidField("retry.maxAttempts", "must be between %d and %d", 1, 50)
	require.Equal(t, errs.Invalid, err.Code)
	require.Equal(t, map[string]string{"retry.maxAttempts": "must be between 1 and 50"}, err.Fields)
}

func TestCodesAreDistinct(t *testing.T) {
	t.Parallel()
	seen := map[errs.Code]bool{}
	for _, code := range errs.Codes() {
		require.False(t, seen[code], "%s twice", code)
		seen[code] = true
	}
}
