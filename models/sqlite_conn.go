package models

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// maxStatements is how many compiled statements a connection to SQLite keeps.
// The store has about a hundred; those that take a group of rows come in as many
// forms as there are sizes of groups.
const maxStatements = 300

// openKeeping opens a pool of SQLite connections that keep what they have
// compiled. Compiling a statement takes as long as running it, and database/sql
// has one compiled for each run within a transaction, which is all that the
// writer has.
func openKeeping(dsn string, connections int) (*sql.DB, error) {
	plain, err := sql.Open(sqliteDriver, dsn) // it connects to nothing yet
	if err != nil {
		return nil, err
	}
	pool := sql.OpenDB(keepingConnector{plain.Driver(), dsn})
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	return pool, plain.Close()
}

// keepingConnector makes the connections of a pool.
type keepingConnector struct {
	driver driver.Driver
	dsn    string
}

func (c keepingConnector) Driver() driver.Driver { return c.driver }

func (c keepingConnector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.dsn)
	if err != nil {
		return nil, err
	}
	full, ok := conn.(sqliteConn)
	if !ok {
		return nil, fmt.Errorf("a connection of the driver %s is a %T, which lacks methods", sqliteDriver, conn)
	}
	return &keepingConn{sqliteConn: full, kept: map[string]*keptStatement{}}, nil
}

// sqliteConn is what the driver's connections have beyond driver.Conn.
type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// keepingConn is a connection that keeps its compiled statements by their text.
// As any driver.Conn, it serves one goroutine at a time.
type keepingConn struct {
	sqliteConn
	kept map[string]*keptStatement
	runs uint64
}

// keptStatement is what the driver's statements have beyond driver.Stmt.
type keptStatement struct {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	text    string
	lastRun uint64
}

// ExecContext runs a statement that yields no rows.
func (c *keepingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	result, err := s.ExecContext(ctx, args)
	c.giveBack(s)
	return result, err
}

// QueryContext runs a statement that yields rows. Until they are closed they
// need the statement for themselves.
func (c *keepingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		c.giveBack(s)
		return nil, err
	}
	return &keptRows{rows, c, s}, nil
}

// take returns the compiled statement, which is the caller's until it gives it
// back.
func (c *keepingConn) take(ctx context.Context, query string) (*keptStatement, error) {
	if s := c.kept[query]; s != nil {
		delete(c.kept, query)
		return s, nil
	}
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	exec, executes := s.(driver.StmtExecContext)
	read, reads := s.(driver.StmtQueryContext)
	if !executes || !reads {
		_ = s.Close() // what it lacks is the error to tell
		return nil, fmt.Errorf("a statement of the driver %s is a %T, which lacks methods", sqliteDriver, s)
	}
	return &keptStatement{Stmt: s, StmtExecContext: exec, StmtQueryContext: read, text: query}, nil
}

// giveBack keeps the statement for the next time, in the place of the one that
// has not been run for longest if there is no room.
func (c *keepingConn) giveBack(s *keptStatement) {
	c.runs++
	s.lastRun = c.runs
	if c.kept[s.text] != nil { // two were in use at once
		_ = s.Close() // it fails only as its last run did, which was told
		return
	}
	if len(c.kept) >= maxStatements {
		oldest := s
		for _, other := range c.kept {
			if other.lastRun < oldest.lastRun {
				oldest = other
			}
		}
		delete(c.kept, oldest.text)
		_ = oldest.Close() // as above
	}
	c.kept[s.text] = s
}

// Close closes the statements and the connection.
func (c *keepingConn) Close() error {
	for _, s := range c.kept {
		_ = s.Close() // as above
	}
	c.kept = nil
	return c.sqliteConn.Close()
}

// keptRows gives its statement back when it is closed.
type keptRows struct {
	driver.Rows
	conn      *keepingConn
	statement *keptStatement
}

func (r *keptRows) Close() error {
	err := r.Rows.Close()
	if r.statement != nil {
		r.conn.giveBack(r.statement)
		r.statement = nil
	}
	return err
}
