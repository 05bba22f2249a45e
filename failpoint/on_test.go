//go:build failpoints

package failpoint

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := parse("after-post=kill@3,before-post=pause:2s")
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.EqualValues(t, 3, got[AfterPost].hit)
	require.Zero(t, got[AfterPost].pause)
	require.Zero(t, got[BeforePost].hit)
	require.Equal(t, 2*time.Second, got[BeforePost].pause)
	for _, give := range []string{
		"after-post", "nowhere=kill", "after-post=", "after-post=stop", "after-post=kill@", "after-post=kill@0",
		"after-post=pause:", "after-post=pause:-1s",
	} {
		_, err := parse(give)
		require.Error(t, err, give)
	}
}
