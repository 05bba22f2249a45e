package e2e

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"posthaste/workflows"
)

// TestMigrateStatusOfTemporal: the schedule that forgets what is old is there, is
// paused by a person, is gone, and is there again.
func TestMigrateStatusOfTemporal(t *testing.T) {
	t.Parallel()
	sys := install(t, settings{})
	type status struct {
		Temporal struct {
			Namespace               string
			SearchAttributesMissing []string
			Schedule                struct {
				ID, State, Note  string
				NextRun, LastRun *time.Time
			}
		}
	}
	read := func() (people string, programs status) {
		t.Helper()
		people = run(t, sys.env, "migrate", "status")
		require.NoError(t, json.Unmarshal([]byte(run(t, sys.env, "migrate", "status", "--json")), &programs))
		return people, programs
	}

	// A namespace as new as this one has nobody yet who answers for its schedules.
	sys.await("Temporal to answer for the schedule", time.Minute, func() bool { return sys.cli("migrate", "status").code == 0 })
	people, programs := read()
	require.Equal(t, sys.namespace, programs.Temporal.Namespace)
	require.Equal(t, []string{}, programs.Temporal.SearchAttributesMissing)
	require.Regexp(t, `(?m)^search attributes +complete`, people)
	schedule := programs.Temporal.Schedule
	require.Equal(t, workflows.PruneScheduleID, schedule.ID)
	require.Equal(t, "active", schedule.State)
	require.Nil(t, schedule.LastRun)
	require.WithinRange(t, *schedule.NextRun, time.Now(), time.Now().Add(25*time.Hour))
	require.Regexp(t, `(?m)^schedule posthaste-prune +active +never +`+schedule.NextRun.Format(time.RFC3339)+`$`, people)

	handle := sys.temporalClient().ScheduleClient().GetHandle(t.Context(), workflows.PruneScheduleID)
	require.NoError(t, handle.Pause(t.Context(), client.SchedulePauseOptions{Note: "moving house"}))
	people, programs = read()
	require.Equal(t, "paused", programs.Temporal.Schedule.State)
	require.Equal(t, "moving house", programs.Temporal.Schedule.Note)
	require.Nil(t, programs.Temporal.Schedule.NextRun)
	require.Regexp(t, `(?m)^schedule posthaste-prune +paused \(moving house\) +never +none$`, people)

	require.NoError(t, handle.Delete(t.Context()))
	sys.await("the schedule to be gone", 10*time.Second, func() bool {
		people, programs = read()
		return programs.Temporal.Schedule.State == "missing"
	})
	require.Regexp(t, `(?m)^schedule posthaste-prune +missing`, people)
	run(t, sys.env, "migrate", "up")
	_, programs = read()
	require.Equal(t, "active", programs.Temporal.Schedule.State)
}
