package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"posthaste/errs"
)

// retryAfter is how long a caller should stay away from a database that is
// down: about what a restart takes.
const retryAfter = 5 * time.Second

// The PostgreSQL conditions that we tell apart, by SQLSTATE.
const (
	pgUniqueViolation     = "23505"
	pgForeignKeyViolation = "23503"
	pgBadText             = "22021" // a zero byte or broken UTF-8
	pgSerialization       = "40001"
	pgDeadlock            = "40P01"
)

// pgUnavailable are the conditions that pass by themselves: connection lost,
// resources short (too many connections, disk full), the server starting or
// stopping, a statement or a lock timed out. A database that takes no writes is
// unavailable, too (pgNoWrites, sqliteNoWrites).
var pgUnavailable = []string{"08", "53", "57", "55P03", "40"}

// The SQLite result codes that we tell apart; the low byte is the family.
const (
	sqliteBusy       = 5
	sqliteLocked     = 6
	sqliteInterrupt  = 9
	sqliteIOError    = 10
	sqliteFull       = 13
	sqliteCannotOpen = 14
)

// sqliteError is what the driver's error looks like from outside.
type sqliteError interface {
	error
	Code() int
}

// translate gives an error of the database its code, and remembers a write that
// was refused. It is the only place that does so; an error that has a code already
// stays as it is.
func (s *Store) translate(err error) error {
	var coded *errs.Error
	switch {
	case err == nil || errors.As(err, &coded):
		return err
	case s.closed.Load():
		return unavailable(err, "The ledger is closed")
	}
	s.refused.note(err, s.now())
	return translate(err)
}

func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gorm.ErrRecordNotFound):
		return errs.Wrap(err, errs.NotFound, "There is no such record")
	case isDuplicate(err):
		return errs.Wrap(err, errs.Conflict, "This exists already")
	case isOrphan(err):
		return errs.Wrap(err, errs.NotFound, "What this belongs to does not exist")
	case isBadText(err):
		return errs.Wrap(err, errs.Invalid, "A text holds characters that cannot be stored")
	case takesNoWrites(err):
		return noWrites(err)
	case isUnavailable(err):
		return unavailable(err, "The database cannot be reached")
	}
	return errs.Wrap(err, errs.Internal, "The database refused a statement")
}

func unavailable(cause error, message string) error {
	return &errs.Error{Code: errs.Unavailable, Message: message, RetryAfter: retryAfter, Cause: cause}
}

func isDuplicate(err error) bool {
	return errors.Is(err, gorm.ErrDuplicatedKey) || pgState(err) == pgUniqueViolation
}

func isOrphan(err error) bool {
	return errors.Is(err, gorm.ErrForeignKeyViolated) || pgState(err) == pgForeignKeyViolation
}

func isBadText(err error) bool { return pgState(err) == pgBadText }

// worthRepeating reports whether the same transaction would succeed when run
// once more.
func worthRepeating(err error) bool {
	state := pgState(err)
	return state == pgSerialization || state == pgDeadlock
}

// isUnavailable reports whether the database, not the statement, is at fault.
// A caller that gave up (its context ended) is told the same: nothing is known
// to be wrong with what it asked for.
func isUnavailable(err error) bool {
	if takesNoWrites(err) {
		return true
	}
	if state := pgState(err); state != "" {
		return slices.ContainsFunc(pgUnavailable, func(prefix string) bool {
			return len(state) >= len(prefix) && state[:len(prefix)] == prefix
		})
	}
	var lite sqliteError
	if errors.As(err, &lite) {
		return slices.Contains([]int{
			sqliteBusy, sqliteLocked, sqliteInterrupt, sqliteCannotOpen,
		}, lite.Code()&0xff)
	}
	var connect *pgconn.ConnectError
	var network net.Error
	if errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) {
		return true
	}
	return slices.ContainsFunc([]error{
		driver.ErrBadConn, sql.ErrConnDone, sql.ErrTxDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		context.Canceled, context.DeadlineExceeded,
	}, func(known error) bool { return errors.Is(err, known) })
}

// pgState returns the SQLSTATE of a PostgreSQL error, "" for any other.
func pgState(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}
