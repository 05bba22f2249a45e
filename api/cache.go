package api

import (
	"container/list"
	"sync"
)

// cache keeps what was last used under a name, so many things at most; the one
// used longest ago makes room. How long a thing stays good is its own matter.
// It is safe for concurrent use.
type cache[V any] struct {
	mutex    sync.Mutex
	capacity int
	order    *list.List // of *cached[V], the one used last in front
	places   map[string]*list.Element
	changed  uint64
}

type cached[V any] struct {
	name  string
	value V
}

func newCache[V any](capacity int) *cache[V] {
	return &cache[V]{capacity: capacity, order: list.New(), places: map[string]*list.Element{}}
}

func (c *cache[V]) get(name string) (value V, found bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	place, found := c.places[name]
	if !found {
		return value, false
	}
	c.order.MoveToFront(place)
	return place.Value.(*cached[V]).value, true
}

// orMake returns what is there, or else keeps what fresh returns.
func (c *cache[V]) orMake(name string, fresh func() V) V {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if place, found := c.places[name]; found {
		c.order.MoveToFront(place)
		return place.Value.(*cached[V]).value
	}
	value := fresh()
	c.keep(name, value)
	return value
}

// changes counts the calls of change and drop: what someone began to read before
// one of them may be outdated.
func (c *cache[V]) changes() uint64 {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.changed
}

// fill keeps what was read since changes returned the number, unless something
// has been changed or dropped meanwhile.
func (c *cache[V]) fill(name string, value V, since uint64) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.changed == since {
		c.keep(name, value)
	}
}

// change keeps a value that is newer than anything read before.
func (c *cache[V]) change(name string, value V) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.changed++
	c.keep(name, value)
}

// drop forgets what matches.
func (c *cache[V]) drop(match func(V) bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.changed++
	for name, place := range c.places {
		if match(place.Value.(*cached[V]).value) {
			c.order.Remove(place)
			delete(c.places, name)
		}
	}
}

func (c *cache[V]) keep(name string, value V) {
	if place, found := c.places[name]; found {
		c.order.MoveToFront(place)
		place.Value.(*cached[V]).value = value
		return
	}
	c.places[name] = c.order.PushFront(&cached[V]{name, value})
	if c.order.Len() > c.capacity {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.places, oldest.Value.(*cached[V]).name)
	}
}
