package main

import (
	"context"
	"log/slog"
)

// pollFailed is what the SDK logs when a poll for work ends with an error.
const pollFailed = "Failed to poll for task."

// quietPolls drops the SDK's warnings about failed polls once stopping is true:
// the worker gives its polls up then, and that they fail is no news.
type quietPolls struct {
	slog.Handler
	stopping func() bool
}

// Handle passes on all records but those.
func (q quietPolls) Handle(ctx context.Context, record slog.Record) error {
	if record.Message == pollFailed && q.stopping() {
		return nil
	}
	return q.Handler.Handle(ctx, record)
}

// WithAttrs returns a handler that is as quiet.
func (q quietPolls) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietPolls{q.Handler.WithAttrs(attrs), q.stopping}
}

// WithGroup returns a handler that is as quiet.
func (q quietPolls) WithGroup(name string) slog.Handler {
	return quietPolls{q.Handler.WithGroup(name), q.stopping}
}
