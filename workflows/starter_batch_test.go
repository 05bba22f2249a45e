package workflows

import (
	"fmt"
	"slices"
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
	sizes := func(events []activities.Event) (sizes []int) {
		next := 0
		for _, group := range shares(events) {
			sizes = append(sizes, len(group.events))
			for i, place := range group.places {
				require.Equal(t, next, place)
				require.Equal(t, events[place], group.events[i])
				next++
			}
		}
		return sizes
	}
	require.Equal(t, []int{64, 64, 22}, sizes(many))
	require.Equal(t, []int{1}, sizes(many[:1]))

	many[2].Data = webhook.JSON(strings.Repeat("x", maxSharedBytes))
	require.Equal(t, []int{2, 1, 3}, sizes(many[:6]), "a large one goes alone")
	many[2].Data = nil
	for i := range 3 {
		many[i].Attributes.ListIDs = []string{strings.Repeat("x", maxSharedBytes/2-100)}
	}
	require.Equal(t, []int{2, 4}, sizes(many[:6]), "attributes count")
}

func TestEventsWithKeysShareWithTheirLike(t *testing.T) {
	t.Parallel()
	var mixed []activities.Event
	for i := range 200 {
		event := order(fmt.Sprint(i))
		if i%4 == 0 {
			event.BodyHash = "hash"
		}
		mixed = append(mixed, event)
	}
	var places []int
	for _, group := range shares(mixed) {
		for i, place := range group.places {
			require.Equal(t, mixed[place], group.events[i])
			require.Equal(t, group.events[0].BodyHash, group.events[i].BodyHash)
		}
		places = append(places, group.places...)
	}
	require.Len(t, shares(mixed), 4, "50 with keys, and 150 without")
	slices.Sort(places)
	for i, place := range places {
		require.Equal(t, i, place)
	}
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
