package models

import (
	"fmt"
	"strings"
	"time"
)

// dialect is one of the two databases, where their SQL differs.
type dialect string

const (
	postgresDialect dialect = "postgres"
	sqliteDialect   dialect = "sqlite"
)

// kind is the type of a column in a batch of rows.
type kind int

const (
	textCol   kind = iota // string or *string
	numberCol             // int, int64 or *int
	boolCol               // bool
	bytesCol              // []byte; nil = NULL
	timeCol               // moment or *moment
)

// column is one column of a batch.
type column struct {
	name string
	kind kind
}

// batch is a set of rows that one statement sends: to be inserted, or to be
// joined with a table that is updated.
type batch struct {
	columns []column
	rows    [][]any
}

func (b *batch) add(values ...any) {
	if len(values) != len(b.columns) {
		panic(fmt.Sprintf("a row of %d values for %d columns", len(values), len(b.columns)))
	}
	b.rows = append(b.rows, values)
}

// names lists the columns for an INSERT.
func (b *batch) names() string {
	names := make([]string, len(b.columns))
	for i, c := range b.columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// maxBatch keeps the rows of one statement well under SQLite's limit of 32,766
// values, and a statement of PostgreSQL at a few megabytes.
const maxBatch = 1000

// parts cuts a batch into batches that one statement can send.
func (b *batch) parts() []*batch {
	var parts []*batch
	for from := 0; from < len(b.rows); from += maxBatch {
		parts = append(parts, &batch{columns: b.columns, rows: b.rows[from:min(from+maxBatch, len(b.rows))]})
	}
	return parts
}

// selectFrom returns a SELECT that yields the rows, and its arguments.
//
// PostgreSQL gets one array per column: the text of the statement, and with it
// the prepared statement, is the same for any number of rows. SQLite, which
// compiles a statement each time it runs, gets a VALUES list.
func (d dialect) selectFrom(b *batch) (string, []any) {
	if d == postgresDialect {
		return selectUnnest(b)
	}
	return selectValues(b)
}

func selectValues(b *batch) (string, []any) {
	var sql strings.Builder
	sql.WriteString("SELECT ")
	for i, c := range b.columns {
		if i > 0 {
			sql.WriteString(", ")
		}
		fmt.Fprintf(&sql, "column%d AS %s", i+1, c.name)
	}
	sql.WriteString(" FROM (VALUES ")
	row := "(?" + strings.Repeat(",?", len(b.columns)-1) + ")"
	args := make([]any, 0, len(b.rows)*len(b.columns))
	for i, values := range b.rows {
		if i > 0 {
			sql.WriteByte(',')
		}
		sql.WriteString(row)
		args = append(args, values...)
	}
	sql.WriteByte(')')
	return sql.String(), args
}

func selectUnnest(b *batch) (string, []any) {
	arrays := make([]string, len(b.columns))
	args := make([]any, len(b.columns))
	for i, c := range b.columns {
		switch c.kind {
		case textCol:
			arrays[i], args[i] = "?::text[]", arrayOf(b, i, asText)
		case numberCol:
			arrays[i], args[i] = "?::bigint[]", arrayOf(b, i, asNumber)
		case boolCol:
			arrays[i], args[i] = "?::boolean[]", arrayOf(b, i, func(v any) bool { return v.(bool) })
		case bytesCol:
			arrays[i], args[i] = "?::bytea[]", arrayOf(b, i, func(v any) []byte { return v.([]byte) })
		case timeCol:
			arrays[i], args[i] = "?::timestamptz[]", arrayOf(b, i, asInstant)
		}
	}
	return "SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ") AS u (" + b.names() + ")", args
}

// arrayOf collects one column. gorm spreads a slice into many arguments but
// passes a pointer to one on as it is.
func arrayOf[T any](b *batch, i int, convert func(any) T) *[]T {
	values := make([]T, len(b.rows))
	for r, row := range b.rows {
		values[r] = convert(row[i])
	}
	return &values
}

func asText(v any) *string {
	switch v := v.(type) {
	case string:
		return &v
	case *string:
		return v
	}
	panic(fmt.Sprintf("a text column got a %T", v))
}

func asNumber(v any) *int64 {
	switch v := v.(type) {
	case int:
		return new(int64(v))
	case int64:
		return &v
	case *int:
		if v == nil {
			return nil
		}
		return new(int64(*v))
	}
	panic(fmt.Sprintf("a number column got a %T", v))
}

func asInstant(v any) *time.Time {
	switch v := v.(type) {
	case moment:
		return new(time.Time(v))
	case *moment:
		return timePtr(v)
	}
	panic(fmt.Sprintf("a time column got a %T", v))
}

// in returns a condition that a column holds one of the values, and its
// argument.
func (d dialect) in(name string, values []string) (string, any) {
	if d == postgresDialect {
		return name + " = ANY(?)", &values
	}
	return name + " IN ?", values
}

// lock returns what a SELECT ends with to keep the rows of the table from being
// changed or deleted by others until the transaction ends. SQLite's one writer
// has them all already.
func (d dialect) lock(table string, skipLocked bool) string {
	switch {
	case d == sqliteDialect:
		return ""
	case skipLocked:
		return " FOR NO KEY UPDATE OF " + table + " SKIP LOCKED"
	}
	return " FOR NO KEY UPDATE OF " + table
}

// selectList writes columns of a table for a SELECT, each name with a prefix so
// that the columns of joined tables stay apart.
func selectList(table, prefix string, columns []string) string {
	items := make([]string, len(columns))
	for i, name := range columns {
		items[i] = table + "." + name + " AS " + prefix + name
	}
	return strings.Join(items, ", ")
}

// returning returns the end of an UPDATE that yields columns of the changed
// rows. SQLite knows them by their bare names alone.
func (d dialect) returning(table string, columns ...string) string {
	if d == sqliteDialect {
		return " RETURNING " + strings.Join(columns, ", ")
	}
	return " RETURNING " + selectList(table, "", columns)
}
