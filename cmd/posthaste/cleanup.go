package main

import (
	"errors"
	"fmt"
	"log/slog"
)

// cleanup closes what was opened, the last first. The zero value is ready.
type cleanup struct {
	logger *slog.Logger // optional: is told of each step
	steps  []step
}

type step struct {
	name string
	stop func() error
}

// push adds something to close, by the name that logs and errors show.
func (c *cleanup) push(name string, stop func() error) {
	c.steps = append(c.steps, step{name: name, stop: stop})
}

// pushFunc is push for what cannot fail to close.
func (c *cleanup) pushFunc(name string, stop func()) {
	c.push(name, func() error { stop(); return nil })
}

// run closes everything, once, and returns what went wrong. A step that fails
// does not keep the others from running.
func (c *cleanup) run() error {
	var failures []error
	for len(c.steps) > 0 {
		last := c.steps[len(c.steps)-1]
		c.steps = c.steps[:len(c.steps)-1]
		if c.logger != nil {
			c.logger.Info("stopping", "part", last.name)
		}
		if err := last.stop(); err != nil {
			failures = append(failures, fmt.Errorf("close the %s: %w", last.name, err))
		}
	}
	return errors.Join(failures...)
}
