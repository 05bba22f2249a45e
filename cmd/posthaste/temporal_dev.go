package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"

	"go.temporal.io/sdk/client"

	"posthaste/workflows"
)

// Times of the Temporal dev server.
const (
	// devServerStart is past the slowest start seen: a first one, on a loaded
	// machine, with a cold disk.
	devServerStart = 90 * time.Second
	// devServerPoll is how often we look whether it serves.
	devServerPoll = 100 * time.Millisecond
)

// temporalDev is a Temporal dev server to start.
type temporalDev struct {
	cli     string
	dir     dataDir
	port    int
	uiPort  int      // 0 runs it without Web UI
	codec   string   // the endpoint that opens payloads for Web UI
	environ []string // what the child gets to see

	metricsPort int // 0 leaves that to the server
}

func (t temporalDev) address() string { return net.JoinHostPort(loopback, strconv.Itoa(t.port)) }

func (t temporalDev) uiURL() string {
	return "http://" + net.JoinHostPort(loopback, strconv.Itoa(t.uiPort))
}

// args of the dev server: state in a file that survives us, in SQLite's faster
// safe mode, and with fairness on, which open source servers ship switched off.
func (t temporalDev) args() []string {
	args := []string{
		"server", "start-dev",
		"--ip", loopback, "--port", strconv.Itoa(t.port),
		"--db-filename", t.dir.file(fileTemporalDB),
		"--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL",
		"--log-level", "warn",
		"--dynamic-config-value", "matching.enableFairness=true",
		// Off in servers before 1.32: an activity then costs a write more.
		"--dynamic-config-value", "system.enableActivityEagerExecution=true",
		// One worker process needs no partitions: fewer hops, better order.
		"--dynamic-config-value", "matching.numTaskqueueReadPartitions=1",
		"--dynamic-config-value", "matching.numTaskqueueWritePartitions=1",
		"--dynamic-config-value", "frontend.enableServerVersionCheck=false",
	}
	if t.uiPort != 0 {
		args = append(args, "--ui-port", strconv.Itoa(t.uiPort), "--ui-codec-endpoint", t.codec)
	} else {
		args = append(args, "--headless")
	}
	if t.metricsPort != 0 {
		args = append(args, "--metrics-port", strconv.Itoa(t.metricsPort))
	}
	for _, name := range workflows.SearchAttributes() {
		args = append(args, "--search-attribute", name+"=Keyword")
	}
	return args
}

// start runs the dev server and returns when it serves. Its output goes to a
// file of the data directory.
func (t temporalDev) start(ctx context.Context) (*child, error) {
	output, err := os.OpenFile(t.dir.file(fileTemporal), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, failed(err, "cannot write %s: %v", t.dir.file(fileTemporal), err)
	}
	defer func() { _ = output.Close() }()       // the child has its own copy of the descriptor
	command := exec.Command(t.cli, t.args()...) //nolint:noctx,gosec // ended by its process group, gently first; the operator named the program
	command.Env = t.environ
	server, err := startChild(command, output)
	if err != nil {
		return nil, failed(err, "the Temporal CLI %s does not start (%v): build one with `make bin/temporal`", t.cli, errors.Unwrap(err))
	}
	if err := t.wait(ctx, server); err != nil {
		return nil, errors.Join(err, server.stop(ctx, childGrace))
	}
	return server, nil
}

// wait returns when the server answers for its namespace.
func (t temporalDev) wait(ctx context.Context, server *child) error {
	ctx, cancel := context.WithTimeoutCause(ctx, devServerStart,
		failed(nil, "Temporal does not answer on %s after %v: read %s", t.address(), devServerStart, t.dir.file(fileTemporal)))
	defer cancel()
	tick := time.NewTicker(devServerPoll)
	defer tick.Stop()
	for {
		if t.serves(ctx) {
			return nil
		}
		select {
		case <-server.ended:
			return t.died(server)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

func (t temporalDev) serves(ctx context.Context) bool {
	connection, err := (&net.Dialer{Timeout: devServerPoll}).DialContext(ctx, "tcp", t.address())
	if err != nil {
		return false // the SDK's dial would wait for seconds where this fails at once
	}
	_ = connection.Close()
	c, err := client.DialContext(ctx, client.Options{HostPort: t.address(), Logger: quietLogger{}})
	if err != nil {
		return false
	}
	defer c.Close()
	return checkNamespace(ctx, c, client.DefaultNamespace) == nil
}

// died says that the server ended by itself, with the end of its output.
func (t temporalDev) died(server *child) error {
	cause := "without an error"
	if server.err != nil {
		cause = server.err.Error()
	}
	return failed(server.err, "the Temporal server ended (%s); the end of %s:\n%s", cause, t.dir.file(fileTemporal), lastLines(t.dir.file(fileTemporal), 5))
}

// lastLines is the end of what a child wrote into its file.
func lastLines(file string, n int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Sprintf("  (cannot be read: %v)", err)
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "  " + string(bytes.Join(lines, []byte("\n  ")))
}

// childEnvironment is what the dev server gets to see. TEMPORAL_* variables
// would steer it elsewhere, and POSTHASTE_* ones are no business of its.
func childEnvironment(lookupEnv func(string) (string, bool)) []string {
	var environ []string
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "TZ", "LANG"} {
		if value, ok := lookupEnv(name); ok {
			environ = append(environ, name+"="+value)
		}
	}
	return environ
}
