// Package e2e runs the whole of Posthaste as its users do: the built binary, a
// real Temporal dev server, a real database, real HTTP receivers.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
)

// The parts that all tests share. Each test has a Temporal namespace of its own,
// so that no worker takes another test's work.
var (
	posthaste string // the built binary
	temporal  struct {
		address, metrics string
		stop             func()
	}
	namespaces    atomic.Int64
	maxNamespaces = int64(60)
)

func TestMain(m *testing.M) {
	code, err := runAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	os.Exit(code)
}

func runAll(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "posthaste-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	posthaste = filepath.Join(dir, "posthaste")
	build := exec.Command("go", "build", "-o", posthaste, "../cmd/posthaste")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 0, fmt.Errorf("build the binary: %w", err)
	}
	if err := startTemporal(dir); err != nil {
		return 0, err
	}
	defer temporal.stop()
	return m.Run(), nil
}

// startTemporal runs the Temporal CLI's dev server with all namespaces.
func startTemporal(dir string) error {
	cli, err := filepath.Abs("../bin/temporal")
	if err != nil {
		return err
	}
	if _, err := os.Stat(cli); err != nil {
		return errors.New("bin/temporal is missing: run `make bin/temporal`")
	}
	port, metrics := freePort(), freePort()
	args := []string{
		"server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", fmt.Sprint(port),
		"--metrics-port", fmt.Sprint(metrics), "--log-level", "error",
		"--db-filename", filepath.Join(dir, "temporal.db"), "--sqlite-pragma", "journal_mode=WAL",
		"--sqlite-pragma", "synchronous=OFF", "--dynamic-config-value", "matching.enableFairness=true",
	}
	for i := range maxNamespaces {
		args = append(args, "--namespace", namespaceName(i+1))
	}
	log, err := os.Create(filepath.Join(dir, "temporal.log"))
	if err != nil {
		return err
	}
	server := exec.Command(cli, args...)
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		return fmt.Errorf("start Temporal: %w", err)
	}
	var once sync.Once
	temporal.stop = func() { once.Do(func() { _ = server.Process.Kill(); _ = server.Wait() }) }
	temporal.address = fmt.Sprintf("127.0.0.1:%d", port)
	temporal.metrics = fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics)
	deadline := time.Now().Add(60 * time.Second)
	for time.Now().Before(deadline) {
		if temporalServes(namespaceName(maxNamespaces)) {
			return nil
		}
		<-time.After(200 * time.Millisecond)
	}
	temporal.stop()
	text, _ := os.ReadFile(log.Name())
	return fmt.Errorf("Temporal did not serve within a minute:\n%s", text)
}

func temporalServes(namespace string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{HostPort: temporal.address, Namespace: namespace, Logger: quiet{}})
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = c.WorkflowService().DescribeNamespace(ctx, describeNamespace(namespace))
	return err == nil
}

func namespaceName(i int64) string { return fmt.Sprintf("e2e-%02d", i) }

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().(*net.TCPAddr).Port
}
