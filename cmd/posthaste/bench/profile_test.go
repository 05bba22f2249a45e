package bench

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// profiler serves what was asked for in place of profiles.
func profiler(t *testing.T, status int) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(r.URL.RequestURI()))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// profiledRun measures a scenario of the stand-in, and returns what was said and
// which profiles there are.
func profiledRun(t *testing.T, folder, own, temporal string) (report *Report, said string, files map[string]string) {
	t.Helper()
	stage := newStandIn(t).stage()
	server := *stage.Remote
	server.Profiles = own
	stage.Remote, stage.TemporalProfiles = nil, temporal
	stage.Serve = func(ctx context.Context, _ int) (Server, error) { return server, ctx.Err() }
	options, out := quick("batch"), new(bytes.Buffer)
	options.Progress, options.Profiles = out, folder
	report, err := Run(t.Context(), options, stage)
	require.NoError(t, err)
	files = map[string]string{}
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		require.NoError(t, err)
		files[entry.Name()] = string(text)
	}
	return report, out.String(), files
}

func TestProfilesAreTakenOfBothServers(t *testing.T) {
	t.Parallel()
	report, said, files := profiledRun(t, t.TempDir(), profiler(t, http.StatusOK), profiler(t, http.StatusOK)+"/")
	want := map[string]string{}
	for _, figure := range []string{"batch-events", "batch-events-one-in-a-request"} {
		for _, server := range []string{"", ".temporal"} {
			want[figure+"-round1"+server+".cpu.pprof"] = "/debug/pprof/profile?seconds=1"
			want[figure+"-round1"+server+".heap.pprof"] = "/debug/pprof/heap"
		}
	}
	require.Equal(t, want, files)
	require.NotContains(t, said, "missing")
	require.Contains(t, report.provenance(), "Profiles were taken")
}

// A figure without its profile is a figure all the same.
func TestAMissingProfileIsToldAndEndsNothing(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	report, said, files := profiledRun(t, t.TempDir(), profiler(t, http.StatusInternalServerError), gone.URL)
	require.Empty(t, files)
	require.Contains(t, said, "a profile is missing: take a profile: ")
	require.Contains(t, said, "answered 500 Internal Server Error: /debug/pprof/profile?seconds=1")
	require.Contains(t, said, "connection refused")
	require.Positive(t, report.Rows[0].Median)
}

// TestProfilesAreOfTheMiddleOfWhatIsMeasured: of each round in files of its own.
func TestProfilesAreOfTheMiddleOfWhatIsMeasured(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []time.Time
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, time.Now())
	}))
	t.Cleanup(server.Close)
	folder := t.TempDir()
	b := &bench{caller: newCaller(), profiles: map[string]int{}, server: &Server{Profiles: server.URL}, results: results{scenario: "idle"}}
	b.Profiles = folder
	load := func(ctx context.Context) (window, error) { return window{}, pause(ctx, 2*time.Second) }
	for range 2 {
		asked = nil
		began := time.Now()
		_, err := b.profiled("50/s: first byte ", 500*time.Millisecond, 2*time.Second, load)(t.Context())
		require.NoError(t, err)
		require.Len(t, asked, 2)
		require.GreaterOrEqual(t, asked[0].Sub(began), time.Second, "after the warming up and a quarter")
		require.GreaterOrEqual(t, asked[1].Sub(began), 2*time.Second, "memory at the end")
	}
	files, err := filepath.Glob(filepath.Join(folder, "idle-50-s-first-byte-round[12].*.pprof"))
	require.NoError(t, err)
	require.Len(t, files, 4)
}

func TestNothingIsProfiledAfterALoadThatFailed(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	b := &bench{caller: newCaller(), profiles: map[string]int{}, server: &Server{Profiles: profiler(t, http.StatusOK)}}
	b.Profiles = folder
	began := time.Now()
	_, err := b.profiled("events", time.Hour, time.Hour, func(context.Context) (window, error) { return window{}, errLate })(t.Context())
	require.ErrorIs(t, err, errLate)
	require.Less(t, time.Since(began), 10*time.Second)
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left)
}
