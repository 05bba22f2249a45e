package api

import (
	"time"

	"github.com/gin-gonic/gin"
)

// Meter counts requests and events as they pass the door.
type Meter interface {
	// Requested notes a request that was answered. Method and route are those of
	// the route table, never the caller's own words, and empty where no route
	// matched.
	Requested(method, route string, status int, took time.Duration)
	// Accepted notes an event that was made durable; a duplicate is none.
	Accepted(provider string)
	// Shed notes a request that was turned away because too many were under way.
	Shed()
}

// measured tells the meter about every request.
func measured(meter Meter, now func() time.Time) gin.HandlerFunc {
	return func(c *gin.Context) {
		started := now()
		c.Next()
		method, route := c.Request.Method, c.FullPath()
		if route == "" {
			method = ""
		}
		meter.Requested(method, route, c.Writer.Status(), now().Sub(started))
	}
}
