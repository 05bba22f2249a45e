package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
)

// temporalServer is a Temporal dev server with a database file of its own: the
// one that most tests share, or one that a test has for itself and may kill.
type temporalServer struct {
	address string // host:port of the frontend
	metrics string // URL of its metrics

	cli        string
	dir        string
	namespaces []string
	dynamic    []string // dynamic configuration beyond what all servers have
	ports      [2]int   // of the frontend and of the metrics; kept over a restart
	process    *exec.Cmd
	ended      chan struct{} // closed when the process has ended
}

// ownTemporal starts a server with the one namespace "default" for one test
// alone; it is gone when the test ends. Hand it to install in the settings. Dynamic
// configuration is given as name=value.
func ownTemporal(t *testing.T, dynamic ...string) *temporalServer {
	t.Helper()
	server, err := prepareTemporal(t.TempDir(), "default")
	require.NoError(t, err)
	server.dynamic = dynamic
	require.NoError(t, server.run())
	t.Cleanup(server.kill)
	return server
}

// newTemporal starts a server that keeps everything in the folder, and returns
// when it serves all namespaces.
func newTemporal(dir string, namespaces ...string) (*temporalServer, error) {
	server, err := prepareTemporal(dir, namespaces...)
	if err != nil {
		return nil, err
	}
	return server, server.run()
}

// prepareTemporal is newTemporal without the start.
func prepareTemporal(dir string, namespaces ...string) (*temporalServer, error) {
	cli, err := filepath.Abs("../bin/temporal")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(cli); err != nil {
		return nil, errors.New("bin/temporal is missing: run `make bin/temporal`")
	}
	port, metrics := freePort(), freePort()
	return &temporalServer{
		address: fmt.Sprintf("127.0.0.1:%d", port), metrics: fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics),
		cli: cli, dir: dir, namespaces: namespaces, ports: [2]int{port, metrics},
	}, nil
}

// run starts the process and waits until it serves.
func (s *temporalServer) run() error {
	args := []string{
		"server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", fmt.Sprint(s.ports[0]),
		"--metrics-port", fmt.Sprint(s.ports[1]), "--log-level", "error",
		"--db-filename", filepath.Join(s.dir, "temporal.db"), "--sqlite-pragma", "journal_mode=WAL",
		"--sqlite-pragma", "synchronous=OFF", "--dynamic-config-value", "matching.enableFairness=true",
		"--dynamic-config-value", "system.enableActivityEagerExecution=true",
	}
	for _, setting := range s.dynamic {
		args = append(args, "--dynamic-config-value", setting)
	}
	for _, namespace := range s.namespaces {
		args = append(args, "--namespace", namespace)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "temporal.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // the process has it open itself
	process, ended := exec.Command(s.cli, args...), make(chan struct{})
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return fmt.Errorf("start Temporal: %w", err)
	}
	go func() { _ = process.Wait(); close(ended) }()
	s.process, s.ended = process, ended
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		if s.serves(s.namespaces[len(s.namespaces)-1]) {
			return nil
		}
		<-time.After(100 * time.Millisecond)
	}
	s.kill()
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("Temporal did not serve within a minute:\n%s", text)
}

// serves tells whether the server answers for a namespace.
func (s *temporalServer) serves(namespace string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{HostPort: s.address, Namespace: namespace, Logger: quiet{}})
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = c.WorkflowService().DescribeNamespace(ctx, describeNamespace(namespace))
	return err == nil
}

// kill ends the server as a crash does; what it has written to its file stays.
func (s *temporalServer) kill() {
	_ = s.process.Process.Kill()
	<-s.ended
}

// restart starts a server that was killed, on the same file and ports, and
// waits until it serves.
func (s *temporalServer) restart(t *testing.T) {
	t.Helper()
	require.NoError(t, s.run())
}

// freeze stops the server where it stands: connections stay open, and nothing
// is answered.
func (s *temporalServer) freeze(t *testing.T) {
	t.Helper()
	require.NoError(t, s.process.Process.Signal(syscall.SIGSTOP))
}

// thaw lets a frozen server go on.
func (s *temporalServer) thaw(t *testing.T) {
	t.Helper()
	require.NoError(t, s.process.Process.Signal(syscall.SIGCONT))
}
