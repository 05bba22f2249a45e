package main

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many connections a server holds, so that who opens many
// keeps nobody else out: over the bound, the one that has been without a finished
// request for the longest time is closed. Whether it has a request under way makes
// no difference, since anybody can begin one and leave it at that. Who asks and is
// answered stays.
type connections struct {
	most int

	mu    sync.Mutex
	open  map[net.Conn]*list.Element
	order *list.List // of net.Conn, the one without a finished request for longest first
}

func newConnections(most int) *connections {
	return &connections{most: most, open: map[net.Conn]*list.Element{}, order: list.New()}
}

// changed is the server's ConnState hook.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if surplus := c.note(conn, state); surplus != nil {
		_ = surplus.Close() // it is gone either way, and its server notices
	}
}

// note keeps the books, and returns a connection that is one too many. One that
// was closed for that is no longer in them, whatever is told of it afterwards.
func (c *connections) note(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	place, known := c.open[conn]
	switch state {
	case http.StateNew:
		c.open[conn] = c.order.PushBack(conn)
	case http.StateIdle:
		if known {
			c.order.MoveToBack(place)
		}
	case http.StateClosed, http.StateHijacked:
		if known {
			c.forget(place)
		}
	case http.StateActive: // it has still to finish
	}
	if c.order.Len() <= c.most {
		return nil
	}
	return c.forget(c.order.Front())
}

func (c *connections) forget(place *list.Element) net.Conn {
	conn := c.order.Remove(place).(net.Conn)
	delete(c.open, conn)
	return conn
}
