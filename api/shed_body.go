package api

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// How slowly a body may come: 8 MiB in the whole of bodyPatience, which is also
// the server's bound, and never for long under bodyFloor. Who sends a byte a
// second holds room for no more than bodyGrace.
const (
	bodyPatience = 30 * time.Second
	bodyGrace    = 5 * time.Second
	bodyFloor    = 32 << 10 // bytes a second
	// formPatience is for the forms that anybody may send: a browser sends those
	// few kilobytes at once.
	formPatience = 5 * time.Second
)

// hurried gives a request's body so long to arrive, and less if it dawdles.
func hurried(patience time.Duration, next func(*gin.Context) error) func(*gin.Context) error {
	return func(c *gin.Context) error {
		if c.Request.Body != nil && c.Request.Body != http.NoBody {
			body := &hurriedBody{
				ReadCloser: c.Request.Body, connection: http.NewResponseController(c.Writer),
				began:    time.Now(), //nolint:forbidigo // a connection's deadline goes by no other clock
				patience: patience,
			}
			body.extend()
			c.Request.Body = body
		}
		return next(c)
	}
}

// hurriedBody moves the connection's deadline as bytes arrive.
type hurriedBody struct {
	io.ReadCloser
	connection *http.ResponseController
	began      time.Time // by the clock that connections go by
	patience   time.Duration
	granted    time.Duration
	arrived    int64
}

// Read implements io.Reader.
func (b *hurriedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	b.arrived += int64(n)
	switch {
	case err == nil:
		b.extend()
	case errors.Is(err, io.EOF):
		// A deadline that passes later would end the request's context.
		_ = b.connection.SetReadDeadline(time.Time{})
	}
	return n, err
}

// extend sets the deadline that the bytes so far have earned. A request that came
// over no connection has none.
func (b *hurriedBody) extend() {
	earned := min(b.patience, bodyGrace+time.Duration(b.arrived/bodyFloor)*time.Second)
	if earned > b.granted {
		b.granted = earned
		_ = b.connection.SetReadDeadline(b.began.Add(earned))
	}
}
