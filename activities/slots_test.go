package activities

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSlotsCapEachKeyByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(2, time.Second)
		first, ok := s.take(t.Context(), "a", nil)
		require.True(t, ok)
		_, ok = s.take(t.Context(), "a", nil)
		require.True(t, ok)
		_, ok = s.take(t.Context(), "b", nil)
		require.True(t, ok, "another key has its own")

		began := time.Now()
		_, ok = s.take(t.Context(), "a", nil)
		require.False(t, ok)
		require.Equal(t, time.Second, time.Since(began), "waits its whole patience")

		time.AfterFunc(300*time.Millisecond, first)
		began = time.Now()
		_, ok = s.take(t.Context(), "a", nil)
		require.True(t, ok)
		require.Equal(t, 300*time.Millisecond, time.Since(began), "and no longer than needed")
	})
}

func TestSlotsAreNotWaitedForInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1, time.Hour)
		_, ok := s.take(t.Context(), "a", nil)
		require.True(t, ok)
		began := time.Now()
		_, ok = s.take(t.Context(), "a", func() bool { return time.Since(began) < time.Second })
		require.False(t, ok)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestSlotsGiveUpWithTheCaller(t *testing.T) {
	t.Parallel()
	s := newSlots(1, time.Hour)
	_, ok := s.take(t.Context(), "a", nil)
	require.True(t, ok)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, ok = s.take(ctx, "a", nil)
	require.False(t, ok)
}

func TestUnusedKeysTakeNoMemory(t *testing.T) {
	t.Parallel()
	s := newSlots(1, time.Millisecond)
	release, ok := s.take(t.Context(), "a", nil)
	require.True(t, ok)
	_, ok = s.take(t.Context(), "a", nil)
	require.False(t, ok)
	release()
	require.Empty(t, s.keys)
}
