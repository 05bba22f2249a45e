package models_test

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

func onBothURLs(t *testing.T, run func(t *testing.T, url string)) {
	t.Helper()
	t.Parallel()
	for _, kind := range modelstest.Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			run(t, modelstest.URL(t, kind))
		})
	}
}

func TestMigrateUpAndStatus(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		before, err := models.MigrationStatus(t.Context(), url)
		require.NoError(t, err)
		require.NotEmpty(t, before)
		for _, m := range before {
			require.False(t, m.Applied)
			require.True(t, m.AppliedAt.IsZero())
		}
		report, err := models.MigrateUp(t.Context(), url)
		require.NoError(t, err)
		require.Len(t, report.Applied, len(before))
		require.Equal(t, before[len(before)-1].Version, report.Version)

		again, err := models.MigrateUp(t.Context(), url)
		require.NoError(t, err)
		require.Equal(t, models.MigrationReport{Version: report.Version}, again)
		after, err := models.MigrationStatus(t.Context(), url)
		require.NoError(t, err)
		for i, m := range after {
			require.True(t, m.Applied)
			require.False(t, m.AppliedAt.IsZero())
			require.Equal(t, []any{before[i].Version, before[i].Name}, []any{m.Version, m.Name})
		}
	})
}

func TestMigrateDownAndUpAgain(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		for range 2 {
			w := world{t, modelstest.OpenWith(t, models.Options{URL: url})}
			_, d := w.delivery("acme")
			w.record(d, models.StepDeliver)
			require.NoError(t, models.MigrateDown(t.Context(), url))
			_, err := models.Open(t.Context(), models.Options{URL: url, Sealer: modelstest.Sealer(), Now: time.Now})
			require.ErrorContains(t, err, "lacks migrations")
		}
	})
}

// Several replicas start at once and all migrate: each is content, and each
// migration is applied once.
func TestMigrateTogether(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		const replicas = 4
		reports, failures := make([]models.MigrationReport, replicas), make([]error, replicas)
		var all sync.WaitGroup
		for i := range replicas {
			all.Go(func() { reports[i], failures[i] = models.MigrateUp(t.Context(), url) })
		}
		all.Wait()
		applied := 0
		for i := range replicas {
			require.NoError(t, failures[i])
			applied += len(reports[i].Applied)
		}
		status, err := models.MigrationStatus(t.Context(), url)
		require.NoError(t, err)
		require.Len(t, status, applied)
		modelstest.OpenWith(t, models.Options{URL: url})
	})
}

// Both databases have the same migrations, tables, columns and indexes, but for
// what is marked as being in one of them only.
func TestMigrationsMatch(t *testing.T) {
	t.Parallel()
	files, err := fs.Glob(os.DirFS("migrations"), "postgres/*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	lite, err := fs.Glob(os.DirFS("migrations"), "sqlite/*.sql")
	require.NoError(t, err)
	require.Len(t, lite, len(files))
	for i, file := range files {
		name := strings.TrimPrefix(file, "postgres/")
		require.Equal(t, "sqlite/"+name, lite[i])
		require.Equal(t, skeleton(t, file), skeleton(t, lite[i]), name)
	}
}

var (
	onlyHere = regexp.MustCompile(`(?s)-- only here:.*?-- :only here`)
	comments = regexp.MustCompile(`--.*`)
	dialects = regexp.MustCompile(` COLLATE "C"| WITH \(fillfactor = \d+\)| STRICT`)
	types    = regexp.MustCompile(`(?m)^(\s+\w+|ALTER TABLE \w+ ADD COLUMN \w+)\s+(text|TEXT|integer|INTEGER|bigint|boolean|bytea|BLOB|timestamptz)\b`)
	locks    = regexp.MustCompile(`(CREATE|DROP) POLICY [^;]+;|ALTER TABLE \w+ (ENABLE|DISABLE) ROW LEVEL SECURITY,[^;]+;`)
	hours    = regexp.MustCompile(`date_trunc\('hour', (\w+), 'UTC'\)|substr\((\w+), 1, 13\) \|\| ':00:00.000000Z'`)
	blanks   = regexp.MustCompile(`\s+`)
)

// skeleton is a migration without what the two databases write differently.
func skeleton(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile("migrations/" + file)
	require.NoError(t, err)
	sql := dialects.ReplaceAllString(comments.ReplaceAllString(onlyHere.ReplaceAllString(string(content), ""), ""), "")
	sql = hours.ReplaceAllString(locks.ReplaceAllString(sql, ""), "hour of $1$2")
	return blanks.ReplaceAllString(types.ReplaceAllString(sql, "$1"), " ")
}
