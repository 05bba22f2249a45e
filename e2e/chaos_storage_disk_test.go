//go:build chaos

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// smallDisk is a file system with little room, in memory. Something else on it can
// take all the room there is, as a log that nobody rotates does.
type smallDisk struct {
	x     *experiment
	dir   string
	other string // the file of the something else
	stop  func()
}

// newSmallDisk mounts one. It is gone when the test ends.
func (x *experiment) newSmallDisk(mebibytes int) *smallDisk {
	x.t.Helper()
	d := &smallDisk{x: x, dir: x.t.TempDir(), stop: func() {}}
	d.other = filepath.Join(d.dir, "other.log")
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0711", mebibytes), "posthaste-small-disk", d.dir).CombinedOutput()
	if err != nil {
		x.row.Seen = "not run: a small disk could not be mounted, which takes Linux and root"
		x.t.Fatalf("%s: %v: %s", x.row.Seen, err, out)
	}
	x.t.Cleanup(func() {
		d.stop()
		out, err := exec.Command("umount", d.dir).CombinedOutput()
		require.NoError(x.t, err, "%s", out)
	})
	return d
}

// fill takes all the room, and goes on taking what becomes free.
func (d *smallDisk) fill() {
	d.x.t.Helper()
	file, err := os.Create(d.other)
	require.NoError(d.x.t, err)
	require.ErrorIs(d.x.t, writeUntilFull(file), syscall.ENOSPC)
	stop, done := make(chan struct{}), make(chan struct{})
	d.stop = sync.OnceFunc(func() { close(stop); <-done })
	go func() {
		defer close(done)
		defer func() { _ = file.Close() }()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = writeUntilFull(file) // it is full again
			case <-stop:
				return
			}
		}
	}()
}

// writeUntilFull writes until there is no room for one more byte.
func writeUntilFull(file *os.File) error {
	for zeros := make([]byte, 64<<10); ; {
		if _, err := file.Write(zeros); err != nil {
			return err
		}
	}
}

// free gives the room back, as an operator does.
func (d *smallDisk) free() {
	d.x.t.Helper()
	d.stop()
	require.NoError(d.x.t, os.Remove(d.other))
}
