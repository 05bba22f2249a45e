package api

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// How much this process takes in at one time. A body is held several times over
// while it is on its way (as it came, canonical, and encoded for Temporal), and
// the garbage collector lets as much again gather: with 24 MiB, 3,000 callers with
// 200 KiB each at a Temporal that does not answer were measured to come to some
// 450 MiB, of which 200 are their connections. 32 MiB, which are 128 of the
// largest events, come to some 530 by the same reckoning. Ordinary events of
// 2 KiB are bounded by their number, and 1,024 that take 20 ms each are 50,000 a
// second.
//
// Room is taken by what a body announces, before it is there, so whoever sends
// slowly holds it for long. One tenant therefore gets no more than its part: a
// quarter, which is one of the largest batches, or 12,800 ordinary events a
// second.
const (
	maxInFlight      = 1024
	maxInFlightBytes = 32 << 20
	tenantParts      = 4
	// longestShedWait spreads those who are turned away over 1, 2 and 3 s.
	longestShedWait = 3
)

// errFull marks a request as turned away here: that is the door at its work, no
// fault.
var errFull = errors.New("the door is full")

// load is what is under way: requests, and the bytes that they hold.
type load struct{ count, bytes int64 }

func (l load) plus(more load) load   { return load{l.count + more.count, l.bytes + more.bytes} }
func (l load) minus(less load) load  { return load{l.count - less.count, l.bytes - less.bytes} }
func (l load) within(most load) bool { return l.count <= most.count && l.bytes <= most.bytes }

// shed turns requests away before their bodies are read, or what they ask for is,
// once more are in flight than memory is meant for, or than is one tenant's part:
// a process that says 503 works on, one that runs out of memory takes what it
// holds with it.
type shed struct {
	meter           Meter
	most, mostOfOne load

	mu       sync.Mutex
	all      load
	tenants  map[string]load // of those that have something under way
	refusals int
}

func newShed(meter Meter, bytes int64) *shed {
	return &shed{
		meter: meter, tenants: map[string]load{},
		most:      load{maxInFlight, bytes},
		mostOfOne: load{maxInFlight / tenantParts, bytes / tenantParts},
	}
}

// bound lets requests through to a handler while there is room. Each counts with
// the size that its body announces, or with maxBody, the most that the handler
// reads, if it announces none or more. The caller is known by then.
func (s *shed) bound(maxBody int64, next func(*gin.Context) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		size := c.Request.ContentLength
		if size < 0 || size > maxBody {
			size = maxBody
		}
		return s.within(tenantOf(c), size, func() error { return next(c) })
	}
}

// within runs what takes so much room of a tenant's, if there is that much.
func (s *shed) within(tenant string, size int64, run func() error) error {
	room := load{1, size}
	if err := s.enter(tenant, room); err != nil {
		return err
	}
	defer s.leave(tenant, room)
	return run()
}

func (s *shed) enter(tenant string, room load) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, one := s.all.plus(room), s.tenants[tenant].plus(room)
	if !all.within(s.most) || !one.within(s.mostOfOne) {
		s.refusals++
		s.meter.Shed()
		return &errs.Error{
			Code: errs.Unavailable, Message: "Too many requests are under way; try again shortly",
			RetryAfter: time.Duration(s.refusals%longestShedWait+1) * time.Second, Cause: errFull,
		}
	}
	s.all, s.tenants[tenant] = all, one
	return nil
}

func (s *shed) leave(tenant string, room load) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.tenants[tenant] = s.all.minus(room), s.tenants[tenant].minus(room)
	if s.tenants[tenant].count == 0 {
		delete(s.tenants, tenant)
	}
}

// takesBody tells the methods whose requests may carry a body.
func takesBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}
