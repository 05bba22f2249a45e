package activities

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASignOfLifeAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began, at := time.Now(), []time.Duration(nil)
		go repeatedly(ctx, func() { at = append(at, time.Since(began)) })
		<-time.After(2*holdEvery + time.Second)
		cancel()
		synctest.Wait()
		require.Equal(t, []time.Duration{0, holdEvery, 2 * holdEvery}, at)
	})
}
