package dashboard

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSignedOutIsBounded holds that sessions which are over make room first, and
// that there is a bound even when none is.
func TestSignedOutIsBounded(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 5, 30, 22, 0, 0, 0, time.UTC)
	now := begin
	s := newSignedOut(func() time.Time { return now })
	for i := range signedOutKept {
		s.add(strconv.Itoa(i), begin.Add(time.Duration(i+1)*time.Second))
	}
	s.add("one more", begin.Add(time.Hour))
	require.Len(t, s.ends, signedOutKept)
	require.False(t, s.has("0"), "it had the least time left")
	require.True(t, s.has("1"))
	require.True(t, s.has("one more"))

	now = begin.Add(100 * time.Second)
	s.add("later", begin.Add(time.Hour))
	require.Len(t, s.ends, signedOutKept-98)
	require.False(t, s.has("99"))
	require.True(t, s.has("100"))
	require.True(t, s.has("later"))
}
