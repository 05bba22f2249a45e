package main

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many connections a server holds, so that who opens many
// and sends nothing keeps nobody else out: over the bound, the one that has been
// without a request for the longest time is closed, and only when all have one,
// the newest.
type connections struct {
	most int

	mu    sync.Mutex
	open  map[net.Conn]*list.Element // nil while it has a request
	quiet *list.List                 // of net.Conn without a request, the longest first
}

func newConnections(most int) *connections {
	return &connections{most: most, open: map[net.Conn]*list.Element{}, quiet: list.New()}
}

// changed is the server's ConnState hook.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if surplus := c.note(conn, state); surplus != nil {
		_ = surplus.Close() // it is gone either way, and its server notices
	}
}

// note keeps the books, and returns a connection that is one too many.
func (c *connections) note(conn net.Conn, state http.ConnState) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if place := c.open[conn]; place != nil {
		c.quiet.Remove(place)
	}
	switch state {
	case http.StateNew, http.StateIdle:
		c.open[conn] = c.quiet.PushBack(conn)
	case http.StateActive:
		c.open[conn] = nil
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	}
	if len(c.open) <= c.most || c.quiet.Len() == 0 {
		return nil
	}
	longest := c.quiet.Remove(c.quiet.Front()).(net.Conn)
	delete(c.open, longest)
	return longest
}
