package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// parentMode makes this test binary play a posthaste that starts a child and
// then hangs, so that a test can kill it.
const parentMode = "POSTHASTE_TEST_CHILD_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentMode) != "" {
		_, err := startChild(exec.Command("/bin/sh", "-c", "echo ready; exec sleep 1000"), os.Stdout)
		if err != nil {
			os.Exit(3)
		}
		select {}
	}
	os.Exit(m.Run())
}

// familyOfTwo is a shell that has a child of its own; both hold the output
// open, so its end tells that both are gone.
const familyOfTwo = `sleep 1000 & echo ready; wait`

// deathWait is far past what a kernel needs to end a process.
const deathWait = 20 * time.Second

// begin starts a script as a child and returns the lines it writes.
func begin(t *testing.T, script string) (*child, *bufio.Reader) {
	t.Helper()
	read, write, err := os.Pipe()
	require.NoError(t, err)
	c, err := startChild(exec.Command("/bin/sh", "-c", script), write)
	require.NoError(t, err)
	require.NoError(t, write.Close())
	t.Cleanup(func() { require.NoError(t, c.stop(t.Context(), 0)); _ = read.Close() })
	require.NoError(t, read.SetReadDeadline(time.Now().Add(deathWait)))
	lines := bufio.NewReader(read)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return c, lines
}

// requireSilence holds when nobody has the output open any more.
func requireSilence(t *testing.T, lines io.Reader) {
	t.Helper()
	rest, err := io.ReadAll(lines)
	require.NoError(t, err, "someone still holds the output")
	require.Empty(t, rest)
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	c, lines := begin(t, familyOfTwo)
	require.NoError(t, c.stop(t.Context(), deathWait))
	requireSilence(t, lines)
	require.NoError(t, c.stop(t.Context(), deathWait), "stopping twice is no error")
}

func TestStopLetsTheChildEndByItself(t *testing.T) {
	t.Parallel()
	c, lines := begin(t, `exec 2>/dev/null; trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done`)
	require.NoError(t, c.stop(t.Context(), deathWait))
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	require.Equal(t, "saved\n", string(rest))
	require.NoError(t, c.err, "it ended with exit code 0, not by a signal")
}

func TestStopEndsAChildThatRefuses(t *testing.T) {
	t.Parallel()
	c, lines := begin(t, `trap '' TERM; echo ready; while :; do sleep 0.05; done`)
	require.NoError(t, c.stop(t.Context(), 100*time.Millisecond))
	requireSilence(t, lines)
	require.ErrorContains(t, c.err, "killed")
}

func TestAChildThatEndsIsNoticed(t *testing.T) {
	t.Parallel()
	c, _ := begin(t, `echo ready; exit 7`)
	select {
	case <-c.ended:
	case <-time.After(deathWait):
		require.Fail(t, "the end was not noticed")
	}
	require.ErrorContains(t, c.err, "exit status 7")
}

func TestAChildThatCannotStart(t *testing.T) {
	t.Parallel()
	_, err := startChild(exec.Command("/does/not/exist"), io.Discard)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTheChildDiesWithUs(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ties a child's life to its parent's")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = read.Close() }()
	require.NoError(t, read.SetReadDeadline(time.Now().Add(deathWait)))
	parent := exec.Command(self)
	parent.Env = append(os.Environ(), parentMode+"=1")
	parent.Stdout = write
	require.NoError(t, parent.Start())
	require.NoError(t, write.Close())
	lines := bufio.NewReader(read)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)

	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait())
	requireSilence(t, lines)
}
