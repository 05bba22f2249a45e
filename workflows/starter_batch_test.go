package workflows

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/activities"
	"posthaste/webhook"
)

func TestABatchIsCutByNumberAndBySize(t *testing.T) {
	t.Parallel()
	var many []activities.Event
	for i := range 150 {
		many = append(many, order(fmt.Sprint(i)))
	}
	require.Equal(t, []span{{0, 64}, {64, 128}, {128, 150}}, shares(many))
	require.Equal(t, []span{{0, 1}}, shares(many[:1]))

	many[2].Data = webhook.JSON(strings.Repeat("x", maxSharedBytes))
	require.Equal(t, []span{{0, 2}, {2, 3}, {3, 6}}, shares(many[:6]), "a large one goes alone")
	many[2].Data = nil
	for i := range 3 {
		many[i].Attributes.ListIDs = []string{strings.Repeat("x", maxSharedBytes/2-100)}
	}
	require.Equal(t, []span{{0, 2}, {2, 6}}, shares(many[:6]), "attributes count")
}

func TestSharedHashTellsBatchesApart(t *testing.T) {
	t.Parallel()
	keyed := func(id, hash string) activities.Event {
		event := order(id)
		event.BodyHash = hash
		return event
	}
	one, two := keyed("e1", "a"), keyed("e2", "b")
	require.Empty(t, sharedHash([]activities.Event{order("e1"), order("e2")}))
	require.Equal(t, "a", sharedHash([]activities.Event{one}))
	whole := sharedHash([]activities.Event{one, two})
	require.Equal(t, whole, sharedHash([]activities.Event{one, two}))
	for _, other := range [][]activities.Event{{two, one}, {one}, {one, keyed("e2", "c")}, {one, keyed("e3", "b")}, {one, two, two}} {
		require.NotEqual(t, whole, sharedHash(other))
	}
}
