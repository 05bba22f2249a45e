package api

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCacheForgetsWhatWasUsedLongestAgo(t *testing.T) {
	t.Parallel()
	c := newCache[int](2)
	c.change("a", 1)
	c.change("b", 2)
	_, found := c.get("a")
	require.True(t, found)
	c.change("c", 3)
	_, found = c.get("b")
	require.False(t, found)
	require.Equal(t, 1, c.orMake("a", func() int { return 9 }))
	require.Equal(t, 2, c.orMake("b", func() int { return 2 }))
	_, found = c.get("c")
	require.False(t, found)
}

// What was read before a change must not undo it.
func TestCacheKeepsNothingOutdated(t *testing.T) {
	t.Parallel()
	c := newCache[int](8)
	before := c.changes()
	c.change("a", 2)
	c.fill("a", 1, before)
	got, _ := c.get("a")
	require.Equal(t, 2, got)

	before = c.changes()
	c.drop(func(value int) bool { return value == 2 })
	c.fill("a", 2, before)
	_, found := c.get("a")
	require.False(t, found)

	c.fill("a", 3, c.changes())
	got, _ = c.get("a")
	require.Equal(t, 3, got)
}

// Whatever is done to it, a cache holds no more than its capacity, and what it
// holds is what was kept last.
func TestCacheBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 4).Draw(t, "capacity")
		c := newCache[int](capacity)
		last := map[string]int{}
		for step, name := range rapid.SliceOf(rapid.StringMatching(`[a-f]`)).Draw(t, "names") {
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				c.change(name, step)
				last[name] = step
			case 1:
				c.fill(name, step, c.changes())
				last[name] = step
			case 2:
				last[name] = c.orMake(name, func() int { return step })
			case 3:
				c.drop(func(value int) bool { return value == last[name] })
			}
			if got, found := c.get(name); found && got != last[name] {
				t.Fatalf("%s is %d and should be %d", name, got, last[name])
			}
			if len(c.places) > capacity || c.order.Len() != len(c.places) {
				t.Fatalf("%d places and %d in order, of %d", len(c.places), c.order.Len(), capacity)
			}
		}
	})
}

func TestCacheTakesManyAtOnce(t *testing.T) {
	t.Parallel()
	c := newCache[int](4)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 200 {
				name := fmt.Sprint(n % 6)
				c.fill(name, i, c.changes())
				c.get(name)
				c.orMake(name, func() int { return i })
				c.drop(func(value int) bool { return value == n%3 })
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, len(c.places), 4)
}
