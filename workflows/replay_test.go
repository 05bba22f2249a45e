package workflows

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
)

// TestEveryRecordedHistoryReplays proves that workflows which are waiting now go
// on under the present code. Histories are added by `make histories` and never
// removed: testdata/histories/MANIFEST names each, so that a folder half emptied
// by accident is red.
func TestEveryRecordedHistoryReplays(t *testing.T) {
	t.Parallel()
	folder := filepath.Join("testdata", "histories")
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	require.NoError(t, err)
	manifest, err := os.ReadFile(filepath.Join(folder, "MANIFEST"))
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	require.Equal(t, strings.Fields(string(manifest)), names)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflow(DeliverEvent)
			replayer.RegisterWorkflow(DeliverPage)
			replayer.RegisterWorkflow(ResendDelivery)
			replayer.RegisterWorkflow(PruneHistory)
			replayer.RegisterWorkflow(ReplayDeliveries)
			replayer.RegisterWorkflow(ReplayPage)
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(quiet{}, file))
		})
	}
}

// quiet drops the SDK's own log lines.
type quiet struct{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
