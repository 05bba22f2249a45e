package workflows

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"posthaste/activities"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	test := order("e1")
	test.Test = true
	for _, tc := range []struct {
		give []activities.Event
		want string
	}{
		{[]activities.Event{order("e1")}, "order.paid · tenant acme"},
		{[]activities.Event{order("e1"), order("e2")}, "2 events · tenant acme"},
		{[]activities.Event{test}, "order.paid (test) · tenant acme"},
	} {
		require.Equal(t, tc.want, Summary(tc.give))
	}
}

func TestClipCutsAtACharactersEdge(t *testing.T) {
	t.Parallel()
	require.Equal(t, "short", clip("short", 10))
	for limit := 4; limit < 20; limit++ {
		got := clip(strings.Repeat("é·", 40), limit)
		require.LessOrEqual(t, len(got), limit)
		require.True(t, utf8.ValidString(got), "%q", got)
	}
}
