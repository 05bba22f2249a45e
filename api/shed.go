package api

import (
	"net/http"
	"sync"
	"time"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
)

// How much this process takes in at one time. A body is held several times over
// while it is on its way (as it came, canonical, and encoded for Temporal), and
// the garbage collector lets as much again gather: 3,000 callers with 200 KiB each
// at a Temporal that does not answer were measured to come to some 450 MiB, of
// which 200 are their connections. 24 MiB are 96 of the largest events, or three
// of the largest batches. Ordinary events of 2 KiB are bounded by their number,
// and 1,024 that take 20 ms each are 50,000 a second.
const (
	maxInFlight      = 1024
	maxInFlightBytes = 24 << 20
	// longestShedWait spreads those who are turned away over 1, 2 and 3 s.
	longestShedWait = 3
)

// shed turns requests away before their bodies are read, once more are in flight
// than memory is meant for: a process that says 503 works on, one that runs out
// of memory takes what it holds with it.
type shed struct {
	meter              Meter
	maxCount, maxBytes int64

	mu           sync.Mutex
	count, bytes int64
	refusals     int
}

func newShed(meter Meter) *shed {
	return &shed{meter: meter, maxCount: maxInFlight, maxBytes: maxInFlightBytes}
}

// bound lets requests through to a handler while there is room. Each counts with
// the size that its body announces, or with maxBody, the most that the handler
// reads, if it announces none or more.
func (s *shed) bound(maxBody int64, next func(*gin.Context) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		size := c.Request.ContentLength
		if size < 0 || size > maxBody {
			size = maxBody
		}
		if err := s.enter(size); err != nil {
			s.meter.Shed()
			return err
		}
		defer s.leave(size)
		return next(c)
	}
}

func (s *shed) enter(size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.count == s.maxCount || s.bytes+size > s.maxBytes {
		s.refusals++
		return &errs.Error{
			Code: errs.Unavailable, Message: "Too many requests are under way; try again shortly",
			RetryAfter: time.Duration(s.refusals%longestShedWait+1) * time.Second,
		}
	}
	s.count++
	s.bytes += size
	return nil
}

func (s *shed) leave(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	s.bytes -= size
}

// takesBody tells the methods whose requests may carry a body.
func takesBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}
