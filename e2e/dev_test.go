package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// devRun is one `posthaste dev`, read as a person reads it.
type devRun struct {
	t    *testing.T
	cmd  *exec.Cmd
	mu   sync.Mutex
	text bytes.Buffer
	done chan struct{} // closed when it has ended
	exit error         // how it ended
}

// devPorts are the ports of one `posthaste dev`.
type devPorts struct{ http, temporal, ui, receiver int }

func newDevPorts() devPorts {
	return devPorts{freePort(), freePort(), freePort(), freePort()}
}

func (p devPorts) flags(dir string) []string {
	cli, _ := filepath.Abs("../bin/temporal")
	return []string{
		"dev", "--data-dir", dir, "--temporal-cli", cli,
		"--http", fmt.Sprintf("127.0.0.1:%d", p.http), "--receiver", fmt.Sprintf("127.0.0.1:%d", p.receiver),
		"--temporal-port", fmt.Sprint(p.temporal), "--temporal-ui-port", fmt.Sprint(p.ui),
	}
}

func startDev(t *testing.T, args []string, env ...string) *devRun {
	t.Helper()
	d := &devRun{t: t, cmd: exec.Command(posthaste, args...), done: make(chan struct{})}
	d.cmd.Env = append(os.Environ(), env...)
	reader, writer := io.Pipe()
	d.cmd.Stdout, d.cmd.Stderr = writer, writer
	require.NoError(t, d.cmd.Start())
	go func() {
		lines := bufio.NewScanner(reader)
		for lines.Scan() {
			d.mu.Lock()
			d.text.WriteString(lines.Text() + "\n")
			d.mu.Unlock()
		}
	}()
	go func() { d.exit = d.cmd.Wait(); _ = writer.Close(); close(d.done) }()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.done
		if t.Failed() {
			t.Logf("posthaste dev printed:\n%s", d.output())
		}
	})
	return d
}

func (d *devRun) output() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

func (d *devRun) awaitOutput(pattern string, within time.Duration) []string {
	d.t.Helper()
	expression := regexp.MustCompile(pattern)
	var found []string
	require.Eventually(d.t, func() bool {
		found = expression.FindStringSubmatch(d.output())
		return found != nil
	}, within, 20*time.Millisecond, "waiting for %q", pattern)
	return found
}

// interrupt is Ctrl-C.
func (d *devRun) interrupt() {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Signal(syscall.SIGINT))
	select {
	case <-d.done:
		require.NoError(d.t, d.exit, "Ctrl-C is an orderly end")
	case <-time.After(30 * time.Second):
		d.t.Fatal("did not end within 30 s of Ctrl-C")
	}
}

func TestDevIsARunningInstallationWithAPastableLine(t *testing.T) {
	t.Parallel()
	dir, ports := t.TempDir(), newDevPorts()
	d := startDev(t, ports.flags(dir))
	line := d.awaitOutput(`(?m)^\s*(curl .*)$`, 60*time.Second)[1]
	for _, port := range []int{ports.http, ports.ui, ports.receiver} {
		require.Contains(t, d.output(), fmt.Sprintf("http://127.0.0.1:%d", port))
	}

	paste(t, line)
	d.awaitOutput(`received order\.paid .* verified`, time.Second)
	page := exec.Command("curl", "-sSf", fmt.Sprintf("http://127.0.0.1:%d/", ports.ui))
	html, err := page.Output()
	require.NoError(t, err)
	require.Contains(t, string(html), "<html", "Temporal Web UI answers")

	d.interrupt()
	for _, port := range []int{ports.http, ports.temporal, ports.ui, ports.receiver} {
		requireFree(t, port)
	}

	t.Run("data survives a restart", func(t *testing.T) {
		d := startDev(t, ports.flags(dir))
		again := d.awaitOutput(`(?m)^\s*(curl .*)$`, 60*time.Second)[1]
		require.NotEmpty(t, again)
		paste(t, line) // the old line, with its old token
		d.awaitOutput(`received order\.paid .* verified`, time.Second)
		token := regexp.MustCompile(`Bearer (\S+?)'`).FindStringSubmatch(again)[1]
		sys := &system{t: t, canaries: newCanaries(), api: fmt.Sprintf("http://127.0.0.1:%d", ports.http), token: token}
		_, a := sys.call("GET", "/api/webhooks", "")
		webhooks := into[[]hook](t, a)
		require.Len(t, webhooks, 1, "one demo webhook, kept over the restart")
		sys.await("both on record", 10*time.Second, func() bool { return len(sys.history(webhooks[0].ID)) == 2 })
		d.interrupt()
	})
}

// paste runs a line in a shell, as a person does.
func paste(t *testing.T, line string) {
	t.Helper()
	output, err := exec.Command("sh", "-c", line).CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), `"status":"accepted"`)
}

func requireFree(t *testing.T, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err, "everything that was started has ended")
	require.NoError(t, listener.Close())
}

func TestDevWithoutDemoCreatesNothing(t *testing.T) {
	t.Parallel()
	ports := newDevPorts()
	d := startDev(t, append(ports.flags(t.TempDir()), "--demo=false"), "POSTHASTE_JWT_SECRET=a-secret-of-ours-with-32-characters")
	d.awaitOutput(`Ctrl-C stops it`, 60*time.Second)
	token := strings.TrimSpace(run(t, []string{"POSTHASTE_JWT_SECRET=a-secret-of-ours-with-32-characters"}, "token", "--tenant", "acme"))
	sys := &system{t: t, canaries: newCanaries(), api: fmt.Sprintf("http://127.0.0.1:%d", ports.http), token: token}
	code, a := sys.call("GET", "/api/webhooks", "")
	require.Equal(t, 200, code, "the secret of the environment is used: %s", a.raw)
	require.Empty(t, into[[]hook](t, a))
	requireFree(t, ports.receiver)
	d.interrupt()
}

func TestDevSaysWhatIsWrongInOneSentence(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		give func(t *testing.T, dir string, ports devPorts) []string
		want string
	}{
		{"port in use", func(t *testing.T, dir string, ports devPorts) []string {
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ports.http))
			require.NoError(t, err)
			t.Cleanup(func() { _ = listener.Close() })
			return ports.flags(dir)
		}, `127\.0\.0\.1:\d+ is in use.*--http`},
		{"Temporal's port in use", func(t *testing.T, dir string, ports devPorts) []string {
			listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", ports.temporal))
			require.NoError(t, err)
			t.Cleanup(func() { _ = listener.Close() })
			return ports.flags(dir)
		}, `in use.*--temporal-port`},
		{"missing CLI", func(_ *testing.T, dir string, ports devPorts) []string {
			return append(ports.flags(dir), "--temporal-cli", filepath.Join(dir, "nowhere"))
		}, `--temporal-cli must name the Temporal CLI`},
		{"broken database", func(t *testing.T, dir string, ports devPorts) []string {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "posthaste.db"), bytes.Repeat([]byte("not a database "), 400), 0o600))
			return ports.flags(dir)
		}, `posthaste\.db`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := startDev(t, tc.give(t, t.TempDir(), newDevPorts()))
			select {
			case <-d.done:
				require.Error(t, d.exit)
			case <-time.After(60 * time.Second):
				t.Fatal("did not give up")
			}
			lines := strings.Split(strings.TrimSpace(d.output()), "\n")
			require.Regexp(t, tc.want, lines[len(lines)-1])
			require.NotContains(t, d.output(), "goroutine ")
		})
	}
}
