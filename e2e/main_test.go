// Package e2e runs the whole of Posthaste as its users do: the built binary, a
// real Temporal dev server, a real database, real HTTP receivers.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"posthaste/models/modelstest"
)

// The parts that all tests share. Each test has a Temporal namespace of its own,
// so that no worker takes another test's work.
var (
	posthaste     string                 // the built binary
	fragile       func() (string, error) // the one that can be told to die (failpoint), built when first asked for
	temporal      *temporalServer
	namespaces    atomic.Int64
	maxNamespaces = int64(200)
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
	fragile = sync.OnceValues(func() (string, error) {
		path := filepath.Join(dir, "posthaste-failpoints")
		output, err := exec.Command("go", "build", "-tags", "failpoints", "-o", path, "../cmd/posthaste").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("build with failpoints: %w: %s", err, output)
		}
		return path, err
	})
	names := make([]string, maxNamespaces)
	for i := range names {
		names[i] = namespaceName(int64(i) + 1)
	}
	if temporal, err = newTemporal(dir, names...); err != nil {
		return 0, err
	}
	defer temporal.kill()
	code := m.Run()
	temporal.kill()
	if err := leaksIntoTemporal(dir); err != nil {
		return 0, err
	}
	return code, nil
}

func namespaceName(i int64) string { return fmt.Sprintf("e2e-%02d", i) }

// freePort returns a port that nobody has, nor gets by asking for any.
func freePort() int {
	port, err := modelstest.FreePorts(1)
	if err != nil {
		panic(err)
	}
	return port
}
