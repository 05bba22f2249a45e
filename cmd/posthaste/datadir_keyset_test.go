package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/keyset"
)

func TestDataDirKnowsItsKeyset(t *testing.T) {
	t.Parallel()
	another, err := keyset.Generate()
	require.NoError(t, err)
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir dataDir)
		given func(line string) string // as by POSTHASTE_ENCRYPTION_KEYSET
		want  string                   // of the error; "" for none
	}{
		{"unchanged", nil, nil, ""},
		{"rotated", func(t *testing.T, dir dataDir) {
			line, err := os.ReadFile(dir.file(fileKeyset))
			require.NoError(t, err)
			rotated := string(line)
			for _, step := range []func(string) (string, error){keyset.Add, keyset.Promote, keyset.Retire} {
				_, err = dir.keyset("")
				require.NoError(t, err)
				rotated, err = step(rotated)
				require.NoError(t, err)
				overwrite(t, dir, rotated)
			}
		}, nil, ""},
		{"given as a variable", remove, func(line string) string { return line }, ""},
		{"gone", remove, nil, "keyset is gone"},
		{"emptied", func(t *testing.T, dir dataDir) { overwrite(t, dir, "\n") }, nil, "keyset is gone"},
		{"cut", func(t *testing.T, dir dataDir) { overwrite(t, dir, "abc") }, nil, "holds no keyset"},
		{"another", func(t *testing.T, dir dataDir) { overwrite(t, dir, another) }, nil, "keyset does not hold the keys"},
		{"another as a variable", nil, func(string) string { return another }, "POSTHASTE_ENCRYPTION_KEYSET does not hold the keys"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir, given := dataDir{t.TempDir()}, ""
			line, err := dir.keyset("")
			require.NoError(t, err)
			if tt.given != nil {
				given = tt.given(line)
			}
			if tt.spoil != nil {
				tt.spoil(t, dir)
			}
			_, err = dir.keyset(given)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, dir.path)
			require.ErrorContains(t, err, "delete the data directory")
			if tt.name == "gone" {
				require.NoFileExists(t, dir.file(fileKeyset), "no new keys take the place of those that were lost")
			}
		})
	}
}

func overwrite(t *testing.T, dir dataDir, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(dir.file(fileKeyset), []byte(text), 0o600))
}

func remove(t *testing.T, dir dataDir) {
	t.Helper()
	require.NoError(t, os.Remove(dir.file(fileKeyset)))
}
