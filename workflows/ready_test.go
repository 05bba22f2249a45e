package workflows

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
)

func TestTheLastStartIsRemembered(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	starts := lastStart{now: func() time.Time { return now }}
	require.NoError(t, starts.lost(), "nothing was started")

	away := serviceerror.NewUnavailable("the disk is full")
	starts.note(away)
	require.ErrorIs(t, starts.lost(), errAway)
	now = now.Add(lostFor - time.Millisecond)
	require.ErrorIs(t, starts.lost(), errAway, "still")
	now = now.Add(time.Millisecond)
	require.NoError(t, starts.lost(), "somebody has to try again")

	starts.note(away)
	now = now.Add(lostFor / 2)
	starts.note(fmt.Errorf("%w: %w", errAway, errors.New("the next one")))
	now = now.Add(lostFor / 2)
	require.ErrorIs(t, starts.lost(), errAway, "counted from the last")

	for name, success := range map[string]error{"one that succeeds": nil, "a duplicate": serviceerror.NewWorkflowExecutionAlreadyStarted("there", "", "")} {
		starts.note(away)
		require.Error(t, starts.lost())
		starts.note(success)
		require.NoError(t, starts.lost(), name)
	}
}

func TestWhatSaysNothingOfTheLastStart(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"a caller that left":      leftError{context.DeadlineExceeded},
		"a refusal of our own":    fmt.Errorf("%w lately: %w", errAway, gobreaker.ErrOpenState),
		"one at a time":           fmt.Errorf("%w lately: %w", errAway, gobreaker.ErrTooManyRequests),
		"a refusal of Temporal's": serviceerror.NewInvalidArgument("bad"),
		"too much at once":        serviceerror.NewResourceExhausted(0, "slow down"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			starts := lastStart{now: time.Now}
			starts.note(err)
			require.NoError(t, starts.lost())
			starts.note(errAway)
			starts.note(err)
			require.ErrorIs(t, starts.lost(), errAway, "nor is it a success")
		})
	}
}
