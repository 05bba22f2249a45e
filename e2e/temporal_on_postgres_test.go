//go:build chaos

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/models/modelstest"
)

// stackPorts is how many ports the stack takes, one after the other.
const stackPorts = 10

// temporalOn starts Temporal as in production, its executions and visibility in
// this PostgreSQL and with 512 shards: what `make bench-stack` starts, in a folder
// of its own. It is gone when the test ends.
func temporalOn(t *testing.T, store *ownPostgres) *temporalServer {
	t.Helper()
	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^TEMPORAL_VERSION\s*= (\S+)$`).FindSubmatch(makefile)
	require.NotNil(t, version)
	server, sqlTool := fmt.Sprintf("bin/temporal-server-%s", version[1]), fmt.Sprintf("bin/temporal-sql-tool-%s", version[1])
	for _, binary := range []string{server, sqlTool} {
		_, err := os.Stat(filepath.Join("..", binary))
		require.NoError(t, err, "run `make %s`", binary)
	}
	port, err := modelstest.FreePorts(stackPorts)
	require.NoError(t, err)
	state := t.TempDir()
	up := exec.Command("sh", "deploy/bench/stack.sh", "up")
	up.Dir = ".."
	up.Env = append(os.Environ(), "TEMPORAL_CLI=bin/temporal", "TEMPORAL_SERVER="+server, "TEMPORAL_SQL_TOOL="+sqlTool, "BENCH_STATE="+state,
		fmt.Sprintf("BENCH_TEMPORAL_PORT=%d", port), fmt.Sprintf("BENCH_POSTGRES=127.0.0.1:%d", store.port), "BENCH_POSTGRES_USER=postgres", "PGPASSWORD=")
	t.Cleanup(func() { killStack(filepath.Join(state, "pid")) })
	out, err := up.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return &temporalServer{address: fmt.Sprintf("127.0.0.1:%d", port), dir: state, namespaces: []string{"default"}}
}

// killStack ends the server of the stack: its databases go with their cluster, so
// nothing is lost by haste.
func killStack(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return // it was never started
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		if process, err := os.FindProcess(pid); err == nil {
			_ = process.Kill()
		}
	}
}
