package main

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sink takes rows into a ledger, past the store: a chunk is one transaction.
type sink interface {
	write(ctx context.Context, tables []table) error
	finish(ctx context.Context) error
	close() error
}

func openSink(ctx context.Context, url string) (sink, error) {
	if !isPostgres(url) {
		const pragmas = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=cache_size(-64000)&_txlock=immediate"
		db, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite://")+pragmas)
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
		return liteSink{db}, nil
	}
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["posthaste.tenant"] = "*" // row-level security: the rows of all tenants
	config.RuntimeParams["synchronous_commit"] = "off"
	conn, err := pgx.ConnectConfig(ctx, config)
	return copySink{conn}, err
}

// copySink loads PostgreSQL by COPY. That is not allowed into a table with
// row-level security, so the rows go through a temporary one.
type copySink struct{ conn *pgx.Conn }

func (s copySink) write(ctx context.Context, tables []table) error {
	return pgx.BeginFunc(ctx, s.conn, func(tx pgx.Tx) error {
		for _, t := range tables {
			way := "load_" + t.name
			if _, err := tx.Exec(ctx, "CREATE TEMPORARY TABLE IF NOT EXISTS "+way+" (LIKE "+t.name+" INCLUDING DEFAULTS) ON COMMIT DELETE ROWS"); err != nil {
				return err
			}
			if _, err := tx.CopyFrom(ctx, pgx.Identifier{way}, t.columns, pgx.CopyFromRows(t.rows)); err != nil {
				return err
			}
			names := strings.Join(t.columns, ", ")
			if _, err := tx.Exec(ctx, "INSERT INTO "+t.name+" ("+names+") SELECT "+names+" FROM "+way); err != nil {
				return err
			}
		}
		return nil
	})
}

// finish does what autovacuum would do within minutes.
func (s copySink) finish(ctx context.Context) error {
	_, err := s.conn.Exec(ctx, "VACUUM ANALYZE events, deliveries, attempts, rollups")
	return err
}

func (s copySink) close() error { return s.conn.Close(context.Background()) }

type liteSink struct{ db *sql.DB }

func (s liteSink) write(ctx context.Context, tables []table) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := insertRows(ctx, tx, t); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

func insertRows(ctx context.Context, tx *sql.Tx, t table) error {
	insert, err := tx.PrepareContext(ctx, "INSERT INTO "+t.name+" ("+strings.Join(t.columns, ", ")+") VALUES (?"+
		strings.Repeat(", ?", len(t.columns)-1)+")")
	if err != nil {
		return err
	}
	defer func() { _ = insert.Close() }()
	for _, row := range t.rows {
		for i, value := range row {
			if at, ok := value.(time.Time); ok {
				row[i] = at.UTC().Format("2006-01-02T15:04:05.000000Z") // as models writes it
			}
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return nil
}

// finish leaves the file as writing leaves it: without statistics.
func (s liteSink) finish(context.Context) error { return nil }

func (s liteSink) close() error { return s.db.Close() }
