package activities_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"

	"posthaste/activities"
	"posthaste/models"
)

func TestAPostIsNotCutWhenItsActivityIsCancelled(t *testing.T) {
	t.Parallel()
	inside, answer := make(chan struct{}), make(chan struct{})
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		close(inside)
		<-answer
		w.WriteHeader(http.StatusNoContent)
	})
	b.webhook(once)
	p := b.one()
	ctx, cancel := context.WithCancel(t.Context())
	b.options = worker.Options{BackgroundActivityContext: ctx}
	done := make(chan error, 1)
	go func() { _, err := b.deliver(p, activities.LaneDurable, false); done <- err }()
	<-inside
	cancel() // as the SDK does when Temporal has given the activity to another
	time.AfterFunc(200*time.Millisecond, func() { close(answer) })
	require.NoError(t, <-done)
	delivery, attempts := b.ledger(p)
	require.Equal(t, models.StateDelivered, delivery.State)
	require.Len(t, attempts, 1)
}
