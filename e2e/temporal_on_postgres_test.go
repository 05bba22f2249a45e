//go:build chaos

package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
	state, port := t.TempDir(), freePorts(t, stackPorts)
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

// freePorts returns the first of so many ports in a row that nobody has. Temporal's
// table of its members has no room for a port above 32767.
func freePorts(t *testing.T, many int) (first int) {
	t.Helper()
	for range 100 {
		first = 20_000 + rand.IntN(12_000)
		free := 0
		for ; free < many; free++ {
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", first+free))
			if err != nil {
				break
			}
			require.NoError(t, listener.Close())
		}
		if free == many {
			return first
		}
	}
	require.FailNow(t, "no ports in a row are free", "%d", many)
	return 0
}
