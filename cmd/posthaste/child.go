package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// childGrace is how long a child may take to end after it was asked to.
const childGrace = 10 * time.Second

// child is a program that runs beside us and never outlives us: stop ends its
// whole process group, and on Linux the kernel kills it when we die without
// having had the chance.
type child struct {
	command *exec.Cmd
	ended   chan struct{} // closed when the program has ended
	err     error         // how it ended; read after ended is closed
}

// startChild starts a program in a process group of its own, so that Ctrl-C in
// the terminal reaches us alone and we stop it in our own order.
func startChild(command *exec.Cmd, output io.Writer) (*child, error) {
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = childAttributes()
	c := &child{command: command, ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ties the child to the thread that started it, not to the process:
		// the thread must live as long as the child may.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			c.err = command.Wait()
			close(c.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", command.Path, err)
	}
	return c, nil
}

// stop asks the program to end, and makes it end after the grace or when ctx
// ends. It returns nil when the program is gone, however it went.
func (c *child) stop(ctx context.Context, grace time.Duration) error {
	if err := c.signal(syscall.SIGTERM); err != nil {
		return err
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
	case <-ctx.Done():
	}
	// Also after it ended: what it started in its group must not stay behind.
	if err := c.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-c.ended
	return nil
}

// signal reaches the whole process group. A group that is gone is no error:
// Linux says ESRCH then, macOS EPERM.
func (c *child) signal(signal syscall.Signal) error {
	err := syscall.Kill(-c.command.Process.Pid, signal)
	if err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("signal process group %d: %w", c.command.Process.Pid, err)
	}
	return nil
}
