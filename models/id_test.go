package models_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// TestIDsSortByAnyTime makes ids at moments that their 48 bits of milliseconds
// hold, and at moments that they do not.
func TestIDsSortByAnyTime(t *testing.T) {
	epoch, last := time.UnixMilli(0), time.UnixMilli(1<<48-1)
	var ids []string
	for _, at := range []time.Time{epoch, now(), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), last} {
		ids = append(ids, models.NewID(at))
		require.Equal(t, models.NewID(at)[:13], ids[len(ids)-1][:13])
	}
	require.True(t, slices.IsSorted(ids), ids)
	for _, before := range []time.Time{{}, epoch.Add(-time.Millisecond), time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)} {
		require.Equal(t, "00000000-0000", models.NewID(before)[:13], before)
		require.Equal(t, "00000000-0000", models.DeliveryID(before, "e", "w")[:13], before)
	}
	for _, after := range []time.Time{last.Add(time.Millisecond), time.Date(12_000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		require.Equal(t, "ffffffff-ffff", models.NewID(after)[:13], after)
	}
}
