package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Asking makes no database: a path with a slip of the pen would look like an
// installation that lacks everything.
func TestMigrateStatusMakesNoDatabase(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posthaste.db")
	got := call(t, map[string]string{"POSTHASTE_DATABASE_URL": "sqlite://" + path}, "migrate", "status")
	require.Equal(t, exitFailure, got.code)
	require.Empty(t, got.out)
	require.Contains(t, got.errors, "there is no database at "+path)
	require.Contains(t, got.errors, "posthaste migrate up")
	require.NoFileExists(t, path)
}

// The database's part needs no Temporal, and is told also when Temporal does not
// answer.
func TestMigrateStatusOfTheDatabaseAlone(t *testing.T) {
	t.Parallel()
	env := map[string]string{"POSTHASTE_DATABASE_URL": "sqlite://" + filepath.Join(t.TempDir(), "posthaste.db")}
	require.Equal(t, exitOK, call(t, env, "migrate", "up", "--skip-temporal").code)

	alone := call(t, env, "migrate", "status", "--json")
	require.Equal(t, exitOK, alone.code, alone.errors)
	var status struct {
		Migrations []migrationRow
		Temporal   *temporalStatus
	}
	require.NoError(t, json.Unmarshal([]byte(alone.out), &status))
	require.NotEmpty(t, status.Migrations)
	require.True(t, status.Migrations[0].Applied)
	require.Nil(t, status.Temporal)
	require.NotContains(t, call(t, env, "migrate", "status").out, "TEMPORAL")

	unanswered := call(t, env, "migrate", "status", "--temporal-address", "127.0.0.1:1")
	require.Equal(t, exitFailure, unanswered.code)
	require.Contains(t, unanswered.errors, "Temporal does not answer at 127.0.0.1:1")
	require.Contains(t, unanswered.out, "MIGRATION")
}
