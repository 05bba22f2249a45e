package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// Keys under which a request carries what the middleware found out.
const (
	keyRequestID = "posthaste.requestID"
	keyTenant    = "posthaste.tenant"
	keyAPIKey    = "posthaste.apiKey"
	keySubject   = "posthaste.subject"
	keyOperator  = "posthaste.operator"
	keyError     = "posthaste.error"
)

const headerRequestID = "X-Request-Id"

// saneRequestID is what a caller's own request id may look like: it goes into
// logs and answers, so nothing that could break a line or fill a disk.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// withRequestID answers every request with an id: the caller's, or a new one.
func withRequestID(c *gin.Context) {
	id := c.GetHeader(headerRequestID)
	if !saneRequestID.MatchString(id) {
		id = uuid.NewString()
	}
	c.Set(keyRequestID, id)
	c.Header(headerRequestID, id)
	c.Next()
}

func requestID(c *gin.Context) string { return c.GetString(keyRequestID) }

// withSecurityHeaders sets the headers of an API that browsers must neither
// sniff, frame, cache nor share. There is no CORS, but for the one route that
// Temporal Web UI calls (codec.share): tokens of this API belong on servers, and
// the dashboard is served from the same origin.
func withSecurityHeaders(c *gin.Context) {
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("X-Frame-Options", "DENY")
	c.Header("Referrer-Policy", "no-referrer")
	c.Header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	c.Header("Cross-Origin-Resource-Policy", "same-origin")
	c.Header("Cache-Control", "no-store")
	c.Next()
}

// accessLog writes one line per request, with the error where there was one:
// the only place where an error of a handler is logged. It never logs a query
// or a header, which may hold secrets.
func accessLog(logger *slog.Logger, now func() time.Time) gin.HandlerFunc {
	return func(c *gin.Context) {
		started := now()
		c.Next()
		status := c.Writer.Status()
		attrs := []slog.Attr{
			slog.String("method", c.Request.Method),
			slog.String("path", c.Request.URL.Path),
			slog.Int("status", status),
			slog.Float64("ms", float64(now().Sub(started).Microseconds())/1000),
			slog.Int("bytes", max(c.Writer.Size(), 0)),
			slog.String("requestId", requestID(c)),
		}
		if tenant := tenantOf(c); tenant != "" {
			attrs = append(attrs, slog.String("tenant", tenant))
		}
		if key := c.GetString(keyAPIKey); key != "" {
			attrs = append(attrs, slog.String("apiKey", key))
		}
		if err, ok := c.Get(keyError); ok {
			attrs = append(attrs, slog.Any("error", err))
		}
		// The line must be written although the caller has gone.
		ctx := context.WithoutCancel(c.Request.Context())
		logger.LogAttrs(ctx, levelOf(c, status), "request", attrs...)
	}
}

// levelOf keeps probes out of the normal log and lifts our own faults out of it.
// A full door is no fault, and a flood at it must not look like so many.
func levelOf(c *gin.Context, status int) slog.Level {
	failure, _ := c.Get(keyError)
	err, _ := failure.(error)
	route := c.FullPath()
	switch {
	case errors.Is(err, errFull):
		return slog.LevelWarn
	case status >= http.StatusInternalServerError:
		return slog.LevelError
	case route == pathHealth || route == pathReady || route == pathMetrics:
		return slog.LevelDebug
	default:
		return slog.LevelInfo
	}
}

// recovery turns a panic into a 500 in the usual envelope.
func recovery(c *gin.Context) {
	defer recovered(c, writeError)
	c.Next()
}

// recovered, deferred, answers a panic as the fault of ours that it is. The stack
// goes into the access line through the error.
func recovered(c *gin.Context, answer func(*gin.Context, error)) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause) //nolint:forbidigo // net/http's own way to drop a connection
	}
	err := fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
	c.Set(keyError, err)
	c.Abort()
	if !c.Writer.Written() {
		answer(c, err)
	}
}
