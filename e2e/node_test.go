package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// needNode skips where Node is missing, unless POSTHASTE_TEST_REQUIRE names it.
func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err == nil {
		if _, err := exec.LookPath("npm"); err == nil {
			return
		}
	}
	if slices.Contains(strings.Split(os.Getenv("POSTHASTE_TEST_REQUIRE"), ","), "node") {
		t.Fatal("node and npm are required and missing")
	}
	t.Skip("node or npm is missing")
}

// TestNodeLibrariesVerifyWhatArrives puts a Node receiver at the other end that
// verifies with npm's standardwebhooks and svix.
func TestNodeLibrariesVerifyWhatArrives(t *testing.T) {
	t.Parallel()
	needNode(t)
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(folder, os.DirFS(filepath.Join("testdata", "receiver"))))
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = folder
	output, err := install.CombinedOutput()
	require.NoError(t, err, "npm ci: %s", output)

	sys, port := up(t, settings{}), freePort()
	w := sys.createWebhook(fmt.Sprintf("http://127.0.0.1:%d/", port), `"retry":{"mode":"never"}`)
	receiver := exec.Command("node", "receiver.mjs")
	receiver.Dir = folder
	receiver.Env = append(os.Environ(), "WEBHOOK_SECRET="+w.Secret, fmt.Sprintf("PORT=%d", port))
	receiver.Stderr = os.Stderr
	stdout, err := receiver.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, receiver.Start())
	t.Cleanup(func() { _ = receiver.Process.Kill(); _ = receiver.Wait() })
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "the receiver did not start")

	for _, data := range []string{
		`{"plain":"text","n":12.50}`, `{"html":"<b>&amp;</b>","ls":"\u2028\u2029","emoji":"\ud83d\ude00"}`,
		`{"10":"ten","9":"nine","b":1e21,"a":1e-7,"nested":{"empty":{},"list":[]}}`,
	} {
		event := sys.enqueue(`{"type":"order.paid","data":` + data + `}`)
		sys.awaitStates(event.ID, 10*time.Second, "delivered")
	}
}
