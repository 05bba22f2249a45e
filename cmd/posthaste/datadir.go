package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// dataDir is the folder where `posthaste dev` keeps everything: databases,
// secrets, Temporal's output.
type dataDir struct{ path string }

// Files of the data directory.
const (
	fileLock       = "lock"
	fileDatabase   = "posthaste.db"
	fileTemporalDB = "temporal.db"
	fileTemporal   = "temporal.log"
	fileJWTSecret  = "jwt-secret"
	fileKeyset     = "keyset"
	fileCheck      = "keyset-check"
	fileDemoSecret = "demo-secret"
)

// openDataDir makes the folder if need be and locks it until unlock: two
// servers on one SQLite file would ruin each other's day. The kernel drops the
// lock when the process dies.
func openDataDir(path string) (dir dataDir, unlock func() error, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return dataDir{}, nil, fmt.Errorf("data directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return dataDir{}, nil, failed(err, "cannot make the data directory %s (%v): choose another with --data-dir", path, err)
	}
	dir = dataDir{path}
	lock, err := os.OpenFile(dir.file(fileLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return dataDir{}, nil, failed(err, "cannot write in the data directory %s (%v): choose another with --data-dir", path, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(lock, 20)) // who holds it is a courtesy
		_ = lock.Close()
		return dataDir{}, nil, failed(err, "another posthaste dev%s runs on %s: stop it, or choose another folder with --data-dir", process(holder), path)
	}
	if err := errors.Join(lock.Truncate(0), writePID(lock)); err != nil {
		return dataDir{}, nil, errors.Join(fmt.Errorf("write the lock: %w", err), lock.Close())
	}
	unlock = func() error {
		// Unlocked by name: a child that is being started holds a copy of the
		// descriptor for a moment, and closing ours alone would leave it locked.
		return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
	}
	return dir, unlock, nil
}

func writePID(lock *os.File) error {
	_, err := fmt.Fprintf(lock, "%d\n", os.Getpid())
	return err
}

func process(holder []byte) string {
	if pid := strings.TrimSpace(string(holder)); pid != "" {
		return " (process " + pid + ")"
	}
	return ""
}

func (d dataDir) file(name string) string { return filepath.Join(d.path, name) }

// databaseURL is the SQLite database of the folder.
func (d dataDir) databaseURL() string { return "sqlite://" + d.file(fileDatabase) }

// jwtSecret returns the folder's own secret for tokens.
func (d dataDir) jwtSecret() (string, error) {
	return d.secret(fileJWTSecret, func() (string, error) { return hex.EncodeToString(randomBytes(32)), nil })
}

// demoSecret returns the signing secret of the demo webhook, in the form of
// Standard Webhooks. The receiver needs it too, and the API shows it only once.
func (d dataDir) demoSecret() (string, error) {
	return d.secret(fileDemoSecret, func() (string, error) {
		return "whsec_" + base64.StdEncoding.EncodeToString(randomBytes(32)), nil
	})
}

// secret reads a secret of the folder, making it first if it is not there.
func (d dataDir) secret(name string, generate func() (string, error)) (string, error) {
	path := d.file(name)
	text, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(text))) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", failed(err, "cannot read %s: %v", path, err)
	}
	fresh, err := generate()
	if err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	if err := os.WriteFile(path, []byte(fresh+"\n"), 0o600); err != nil {
		return "", failed(err, "cannot write %s: %v", path, err)
	}
	return fresh, nil
}

// randomBytes never fails: crypto/rand ends the process rather than return
// less randomness than was asked for.
func randomBytes(n int) []byte {
	bytes := make([]byte, n)
	_, _ = rand.Read(bytes)
	return bytes
}
