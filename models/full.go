package models

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// refusedFor is how long a write that the database refused speaks against it.
// While records wait, one is tried at least every second, so that it does so for
// as long as there is no room; and where nothing is written any more, because of
// this very answer, somebody has to try again some time.
const refusedFor = 10 * time.Second

// pgNoWrites are the conditions in which PostgreSQL answers and takes no writes:
// its disk is full or broken, or it has become a standby.
var pgNoWrites = []string{"53100", "58030", "25006"}

// sqliteNoWrites are those of SQLite.
var sqliteNoWrites = []int{sqliteFull, sqliteIOError}

// takesNoWrites reports whether the database is there and cannot be written.
func takesNoWrites(err error) bool {
	var lite sqliteError
	if errors.As(err, &lite) {
		return slices.Contains(sqliteNoWrites, lite.Code()&0xff)
	}
	return slices.Contains(pgNoWrites, pgState(err))
}

func noWrites(cause error) error { return unavailable(cause, "The database cannot be written") }

// lastRefusal remembers the last write that such a database refused. A full disk
// shows in nothing else: what is there can still be read. Small writes may find
// room where larger ones do not, so one that succeeds says nothing. It is safe
// for concurrent use.
type lastRefusal struct {
	mu    sync.Mutex
	at    time.Time
	cause error
}

// note takes down how a statement ended.
func (l *lastRefusal) note(err error, now time.Time) {
	if !takesNoWrites(err) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.cause = now, err
}

// lately returns what was refused while that speaks against the database.
func (l *lastRefusal) lately(now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cause == nil || now.Sub(l.at).Abs() >= refusedFor { // a clock may be set back
		return nil
	}
	return noWrites(l.cause)
}
