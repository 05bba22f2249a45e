package modelstest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// clusterScript makes a cluster in $1 with the binaries in $2, runs it on port
// $3 and stops and removes it when its input ends: when the test process does,
// however it does. The data is worth nothing, so nothing waits for the disk.
const clusterScript = `set -e
exec 3<&0 </dev/null
trap 'rm -rf "$1"' EXIT
"$2/initdb" -D "$1/data" -A trust -U postgres --no-sync >"$1/log" 2>&1
"$2/postgres" -D "$1/data" -p "$3" -k "$1" -c listen_addresses=127.0.0.1 \
  -c fsync=off -c max_connections=300 >>"$1/log" 2>&1 &
echo started
cat <&3 >/dev/null || true
kill -INT $! && wait $! || true
`

// startCluster runs a throwaway PostgreSQL from installed binaries and returns
// its URL.
func startCluster() (string, error) {
	binaries, err := Binaries()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "posthaste-postgres-")
	if err != nil {
		return "", err
	}
	port, err := FreePorts(1)
	if err != nil {
		return "", err
	}
	args := []string{"sh", "-c", clusterScript, "sh", dir, binaries, strconv.Itoa(port)}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		account, err := GiveAway(dir)
		if err != nil {
			return "", err
		}
		args = append([]string{"runuser", "-u", account.Username, "--"}, args...)
	}
	if err := launch(args); err != nil {
		return "", err
	}
	target := fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable", port)
	return target, awaitServer(target)
}

// launch starts the script and returns once the server has been started. The
// pipe to its input stays open, unread, until this process ends.
func launch(args []string) error {
	command := exec.Command(args[0], args[1:]...)
	command.Dir = os.TempDir()
	if _, err := command.StdinPipe(); err != nil {
		return err
	}
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		return fmt.Errorf("initdb failed (%q): %w", line, errors.Join(err, command.Wait()))
	}
	return nil
}

// Binaries returns the folder of the newest installed PostgreSQL.
func Binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errors.Join(errors.New("initdb is not installed"), err)
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return majorOf(a) - majorOf(b) })
	return filepath.Dir(newest), nil
}

func majorOf(path string) int {
	major, _ := strconv.Atoi(strings.Split(path, "/")[4]) // 0 for a name that is no version
	return major
}

// GiveAway makes the folder belong to a user that is not root, which PostgreSQL
// refuses to run as, and returns the user.
func GiveAway(dir string) (*user.User, error) {
	for _, name := range []string{"postgres", "nobody"} {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(account.Uid)
		if err != nil {
			continue
		}
		return account, os.Chown(dir, uid, -1)
	}
	return nil, errors.New("there is no user to run PostgreSQL as")
}

// awaitServer returns when the server answers.
func awaitServer(target string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, target)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the throwaway server does not answer: %w", err)
		case <-tick.C:
		}
	}
}
