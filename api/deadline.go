package api

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"
)

// How long a request may take in all, beside the arrival of its body, which the
// server bounds. It matters when a part takes what it is given and never answers;
// with the body's 30 s, a batch stays inside the server's 60 s for an answer.
const (
	requestTimeout = 10 * time.Second
	batchTimeout   = 25 * time.Second
)

const keyDeadline = "posthaste.deadline"

// deadline ends a request's context when its time is over.
type deadline struct {
	timer   *time.Timer
	timeout time.Duration
}

// timed bounds the steps of a request. The error that they return then is that of
// whoever was waited for.
func timed(timeout time.Duration, steps ...func(*gin.Context) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		ctx, cancel := context.WithCancelCause(c.Request.Context())
		defer cancel(nil)
		limit := &deadline{timeout: timeout, timer: time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })}
		defer limit.timer.Stop()
		c.Set(keyDeadline, limit)
		c.Request = c.Request.WithContext(ctx)
		for _, step := range steps {
			if err := step(c); err != nil {
				return err
			}
		}
		return nil
	}
}

// untimed runs what depends on the caller's own speed; the request's time begins
// anew afterwards.
func untimed(c *gin.Context, run func()) {
	value, _ := c.Get(keyDeadline)
	limit, found := value.(*deadline)
	if found {
		limit.timer.Stop()
		defer limit.timer.Reset(limit.timeout)
	}
	run()
}
