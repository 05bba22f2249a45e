package main

import (
	"errors"
	"fmt"
	"log/slog"
)

// cleanup closes what was opened, the last first. The zero value is ready.
type cleanup struct {
	logger *slog.Logger // optional
	steps  []step
}

type step struct {
	name  string
	close func() error
}

// push adds something to close, by the name that logs and errors show.
func (c *cleanup) push(name string, close func() error) {
	c.steps = append(c.steps, step{name: name, close: close})
}

// pushFunc is push for what cannot fail to close.
func (c *cleanup) pushFunc(name string, close func()) {
	c.push(name, func() error { close(); return nil })
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
		if err := last.close(); err != nil {
			failures = append(failures, fmt.Errorf("close the %s: %w", last.name, err))
		}
	}
	return errors.Join(failures...)
}
