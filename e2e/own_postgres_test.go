//go:build chaos

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"posthaste/models/modelstest"
)

// ownPostgres is a PostgreSQL that one test has for itself, and may kill, or whose
// disk it may fill.
type ownPostgres struct {
	t        *testing.T
	binaries string
	data     string              // the folder of the cluster
	log      string              // a file beside it
	user     *syscall.Credential // whom it runs as; ourselves when nil
	port     int                 // kept over a restart
	settings []string            // beyond what is always set, as name=value
	process  *exec.Cmd
	ended    chan struct{} // closed when the process has ended
}

// newPostgres makes a cluster below the folder and starts it with these settings.
// It is gone when the test ends.
func newPostgres(t *testing.T, below string, settings ...string) *ownPostgres {
	t.Helper()
	binaries, err := modelstest.Binaries()
	require.NoError(t, err)
	p := &ownPostgres{
		t: t, binaries: binaries, data: filepath.Join(below, "postgres"),
		log: filepath.Join(t.TempDir(), "postgres.log"), port: freePort(),
		settings: append([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"}, settings...),
	}
	require.NoError(t, os.Mkdir(p.data, 0o700))
	p.giveAway()
	// The write-ahead log comes in files of 1 MiB, so that it fits on a small disk.
	out, err := p.command("initdb", "-D", p.data, "-U", "postgres", "-A", "trust", "--wal-segsize=1", "--no-sync").CombinedOutput()
	require.NoError(t, err, "%s", out)
	p.start()
	t.Cleanup(p.stop)
	return p
}

// giveAway leaves the folder to somebody else where we are root, whom PostgreSQL
// refuses to work for.
func (p *ownPostgres) giveAway() {
	p.t.Helper()
	if os.Getuid() != 0 {
		return
	}
	account, err := modelstest.GiveAway(p.data)
	require.NoError(p.t, err)
	id := func(text string) uint32 {
		n, err := strconv.ParseUint(text, 10, 32)
		require.NoError(p.t, err)
		return uint32(n)
	}
	p.user = &syscall.Credential{Uid: id(account.Uid), Gid: id(account.Gid)}
	// A test's folders are in one that is the test's alone, but has to be passed.
	for _, dir := range []string{filepath.Dir(p.data), filepath.Dir(filepath.Dir(p.data))} {
		require.NoError(p.t, os.Chmod(dir, 0o711))
	}
}

func (p *ownPostgres) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(p.binaries, name), args...)
	command.Dir = p.data
	command.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	return command
}

// start runs the server and waits until it answers: for the first time, or again
// after its end.
func (p *ownPostgres) start() {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	require.NoError(p.t, err)
	defer func() { _ = log.Close() }() // the process has it open itself
	args := []string{"-D", p.data, "-p", fmt.Sprint(p.port)}
	for _, setting := range p.settings {
		args = append(args, "-c", setting)
	}
	process, ended := p.command("postgres", args...), make(chan struct{})
	process.Stdout, process.Stderr = log, log
	require.NoError(p.t, process.Start())
	go func() { _ = process.Wait(); close(ended) }()
	p.process, p.ended = process, ended
	for deadline := time.Now().Add(30 * time.Second); !p.answers(); <-time.After(50 * time.Millisecond) {
		if p.hasEnded() || time.Now().After(deadline) {
			text, _ := os.ReadFile(p.log)
			p.t.Fatalf("PostgreSQL does not answer:\n%s", last(text, 4_000))
		}
	}
}

func (p *ownPostgres) answers() bool {
	conn, err := pgx.Connect(p.t.Context(), p.url("postgres", "postgres"))
	return err == nil && conn.Close(p.t.Context()) == nil
}

// url is how a role reaches a database.
func (p *ownPostgres) url(role, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", role, p.port, database)
}

// ledger makes a database for Posthaste, whose role is an ordinary one.
func (p *ownPostgres) ledger() (url string) {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.url("postgres", "postgres"))
	require.NoError(p.t, err)
	defer func() { _ = conn.Close(p.t.Context()) }()
	for _, statement := range []string{"CREATE ROLE posthaste LOGIN", "CREATE DATABASE posthaste OWNER posthaste"} {
		_, err := conn.Exec(p.t.Context(), statement)
		require.NoError(p.t, err)
	}
	return p.url("posthaste", "posthaste")
}

// useUpLog writes into the write-ahead log until there is no room for more: on a
// full disk PostgreSQL refuses what a table has no room for, and panics for its log.
func (p *ownPostgres) useUpLog() {
	p.t.Helper()
	conn, err := pgx.Connect(p.t.Context(), p.url("postgres", "postgres"))
	if err != nil {
		return // it has panicked already
	}
	defer func() { _ = conn.Close(p.t.Context()) }()
	for range 1_000 {
		_, err := conn.Exec(p.t.Context(), "SELECT pg_logical_emit_message(false, 'more', repeat('x', 100000))")
		if err != nil {
			return
		}
	}
	require.FailNow(p.t, "there is room for more")
}

// hasEnded tells whether the server is gone, killed or by its own decision.
func (p *ownPostgres) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill ends the postmaster as a crash does; those that serve connections end when
// they see that it is gone, in the middle of whatever they do.
func (p *ownPostgres) kill() {
	_ = p.process.Process.Kill()
	<-p.ended
}

// stop ends the server for good. It does not write out what it has in memory.
func (p *ownPostgres) stop() {
	_ = p.process.Process.Signal(syscall.SIGQUIT)
	<-p.ended
}
