package models

import (
	"context"
	"database/sql"
	"errors"
	"hash/crc32"
	"os"
	"syscall"
	"time"

	"github.com/pressly/goose/v3/lock"
)

// schemaLocker makes migrating processes wait for each other when, and only
// when, they migrate the same schema of the same database.
func schemaLocker(ctx context.Context, pool *sql.DB) (lock.SessionLocker, error) {
	var schema string
	if err := pool.QueryRowContext(ctx, "SELECT current_schema()::text").Scan(&schema); err != nil {
		return nil, err
	}
	id := int64(crc32.ChecksumIEEE([]byte("posthaste migrations of " + schema)))
	const everySecond, forFiveMinutes = 1, 300
	return lock.NewPostgresSessionLocker(lock.WithLockID(id), lock.WithLockTimeout(everySecond, forFiveMinutes))
}

// folderLocker makes processes that migrate an SQLite file wait for each other:
// SQLite itself locks only for one transaction, and two processes would find the
// same migration missing. It locks the file's folder, since closing a second
// descriptor of the file would drop SQLite's own locks
// (https://www.sqlite.org/howtocorrupt.html section 2.2) and a file just for
// locking would lie about. The kernel drops the lock when the process dies.
type folderLocker struct {
	folder string
	locked *os.File
}

const folderLockEvery = 20 * time.Millisecond

func (l *folderLocker) SessionLock(ctx context.Context, _ *sql.Conn) error {
	folder, err := os.Open(l.folder)
	if err != nil {
		return err
	}
	again := time.NewTicker(folderLockEvery)
	defer again.Stop()
	for {
		err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			l.locked = folder
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return errors.Join(err, folder.Close())
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), folder.Close())
		case <-again.C:
		}
	}
}

// SessionUnlock unlocks by name: a child that is being started holds a copy of
// the descriptor for a moment, and closing ours alone would leave it locked.
func (l *folderLocker) SessionUnlock(context.Context, *sql.Conn) error {
	return errors.Join(syscall.Flock(int(l.locked.Fd()), syscall.LOCK_UN), l.locked.Close())
}
