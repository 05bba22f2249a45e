package models

import (
	"context"
	"database/sql"
	"net"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"
)

// Traffic counts what a store asks of its database.
type Traffic struct {
	// Statements are those of a transaction's beginning and end too.
	Statements atomic.Int64
	// Trips are the times that something was sent to PostgreSQL and an answer
	// waited for, as seen on the wire. SQLite is in the process and has none.
	Trips atomic.Int64
}

// OpenCounted is Open with a count.
func OpenCounted(ctx context.Context, o Options) (*Store, *Traffic, error) {
	t, err := parseURL(o.URL)
	if err != nil {
		return nil, nil, err
	}
	traffic := &Traffic{}
	if t.dialect == postgresDialect {
		t.postgres.DialFunc = traffic.dial(t.postgres.DialFunc)
	}
	s, err := openTarget(ctx, t, o)
	if err != nil {
		return nil, nil, err
	}
	if t.dialect == postgresDialect {
		if err := s.db.trustConnections(t.postgres); err != nil {
			return nil, nil, err
		}
	}
	for _, handle := range []*gorm.DB{s.db.writer, s.db.reader} {
		if _, counted := handle.ConnPool.(countedPool); !counted { // on PostgreSQL they are the same
			handle.ConnPool = countedPool{handle.ConnPool, traffic}
			handle.Statement.ConnPool = handle.ConnPool
		}
	}
	return s, traffic, nil
}

// trustConnections makes the pool anew as one that never asks whether a connection
// still lives. The usual one asks those that nobody took for a second, so that a
// machine that is held up for so long would make one more trip.
func (d *database) trustConnections(config *pgx.ConnConfig) error {
	never := stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false })
	usual, pool := d.pools[0], stdlib.OpenDB(*config, never)
	pool.SetMaxIdleConns(usual.Stats().MaxOpenConnections)
	pool.SetMaxOpenConns(usual.Stats().MaxOpenConnections)
	d.pools[0], d.writer.ConnPool, d.writer.Statement.ConnPool = pool, pool, pool
	return usual.Close()
}

type countedPool struct {
	gorm.ConnPool
	traffic *Traffic
}

// transaction is what gorm uses of one, with kept statements or without.
type transaction interface {
	gorm.ConnPool
	gorm.TxCommitter
}

type countedTx struct {
	transaction
	traffic *Traffic
}

func (c countedPool) BeginTx(ctx context.Context, o *sql.TxOptions) (gorm.ConnPool, error) {
	c.traffic.Statements.Add(1)
	if plain, ok := c.ConnPool.(gorm.TxBeginner); ok {
		tx, err := plain.BeginTx(ctx, o)
		return &countedTx{tx, c.traffic}, err
	}
	tx, err := c.ConnPool.(gorm.ConnPoolBeginner).BeginTx(ctx, o)
	if err != nil {
		return nil, err
	}
	return &countedTx{tx.(transaction), c.traffic}, nil
}

func (c countedPool) ExecContext(ctx context.Context, sql string, args ...any) (sql.Result, error) {
	c.traffic.Statements.Add(1)
	return c.ConnPool.ExecContext(ctx, sql, args...)
}

func (c countedPool) QueryContext(ctx context.Context, sql string, args ...any) (*sql.Rows, error) {
	c.traffic.Statements.Add(1)
	return c.ConnPool.QueryContext(ctx, sql, args...)
}

func (c *countedTx) ExecContext(ctx context.Context, sql string, args ...any) (sql.Result, error) {
	c.traffic.Statements.Add(1)
	return c.transaction.ExecContext(ctx, sql, args...)
}

func (c *countedTx) QueryContext(ctx context.Context, sql string, args ...any) (*sql.Rows, error) {
	c.traffic.Statements.Add(1)
	return c.transaction.QueryContext(ctx, sql, args...)
}

func (c *countedTx) Commit() error {
	c.traffic.Statements.Add(1)
	return c.transaction.Commit()
}

func (t *Traffic) dial(dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &countedConn{Conn: conn, traffic: t}, err
	}
}

// countedConn counts a trip with the first thing that is sent after something
// was read.
type countedConn struct {
	net.Conn
	traffic *Traffic
	sending atomic.Bool
}

func (c *countedConn) Write(b []byte) (int, error) {
	if !c.sending.Swap(true) {
		c.traffic.Trips.Add(1)
	}
	return c.Conn.Write(b)
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.sending.Store(false)
	return n, err
}
