package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"posthaste/codec"
	"posthaste/keyset"
	"posthaste/workflows"
)

// TestMigrateOfADevInstallation: what posthaste dev made, migrate can bring up to
// date, which has no keys; also where a dev from before made the schedule with
// them.
func TestMigrateOfADevInstallation(t *testing.T) {
	t.Parallel()
	dir, ports := t.TempDir(), newDevPorts()
	d := startDev(t, append(ports.flags(dir), "--demo=false"))
	d.awaitOutput(`Posthaste runs`, 90*time.Second)
	env := []string{
		"POSTHASTE_DATABASE_URL=sqlite://" + filepath.Join(dir, "posthaste.db"),
		fmt.Sprintf("POSTHASTE_TEMPORAL_ADDRESS=127.0.0.1:%d", ports.temporal),
	}
	options := client.Options{HostPort: fmt.Sprintf("127.0.0.1:%d", ports.temporal), Logger: quiet{}}
	plain, err := client.Dial(options)
	require.NoError(t, err)
	t.Cleanup(plain.Close)
	schedule := plain.ScheduleClient().GetHandle(t.Context(), workflows.PruneScheduleID)
	upToDate := func() {
		t.Helper()
		for range 2 {
			require.Contains(t, run(t, env, "migrate", "up"), "is up to date")
		}
		require.Regexp(t, `(?m)^schedule posthaste-prune +active `, run(t, env, "migrate", "status"))
		description, err := schedule.Describe(t.Context())
		require.NoError(t, err)
		require.Equal(t, "forget what is past its retention", description.Schedule.Action.(*client.ScheduleWorkflowAction).StaticSummary)
	}
	upToDate()

	line, err := os.ReadFile(filepath.Join(dir, "keyset"))
	require.NoError(t, err)
	keys, err := keyset.Parse(strings.TrimSpace(string(line)))
	require.NoError(t, err)
	options.DataConverter = codec.DataConverter(keys)
	sealing, err := client.Dial(options)
	require.NoError(t, err)
	t.Cleanup(sealing.Close)
	require.NoError(t, schedule.Delete(t.Context()))
	require.Eventually(t, func() bool { _, err := schedule.Describe(t.Context()); return err != nil }, 10*time.Second, 50*time.Millisecond)
	require.NoError(t, workflows.EnsureSchedules(t.Context(), sealing))
	_, err = schedule.Describe(t.Context())
	require.ErrorContains(t, err, "binary/encrypted", "the older dev's schedule is sealed")
	upToDate()
	d.interrupt()
}
