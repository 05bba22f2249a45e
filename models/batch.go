package models

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"posthaste/errs"
)

// kind is the type of a column in a batch of rows.
type kind int

const (
	textCol   kind = iota // string or *string
	numberCol             // int, int64, or a pointer to either
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

// add appends a row: one value per column.
func (b *batch) add(values ...any) { b.rows = append(b.rows, values) }

// names lists the columns for an INSERT.
func (b *batch) names() string {
	names := make([]string, len(b.columns))
	for i, c := range b.columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// Bounds of one statement.
const (
	// maxBatch rows keep a statement of PostgreSQL at a few megabytes.
	maxBatch = 1000
	// maxValues bounds those of SQLite, whose driver looks for each value among all
	// of them: a hundred deliveries at once took a fifth longer than in parts. And
	// what comes in few sizes is compiled once for each.
	maxValues = 250
)

// inParts gives send a SELECT for each part of the batch that one statement can
// take, in order, until one fails. Without rows it sends nothing.
func (d dialect) inParts(b *batch, send func(source string, args []any) error) error {
	size := maxBatch
	if d == sqliteDialect {
		size = max(1, maxValues/len(b.columns))
	}
	for rows := range slices.Chunk(b.rows, size) {
		source, args, err := d.selectFrom(&batch{columns: b.columns, rows: rows})
		if err != nil {
			return err
		}
		if err := send(source, args); err != nil {
			return err
		}
	}
	return nil
}

// selectFrom returns a SELECT that yields the rows, and its arguments. An error
// means that a row does not fit its columns.
//
// PostgreSQL gets one array per column: the text of the statement, and with it
// the prepared statement, is the same for any number of rows. SQLite has no
// arrays and gets a VALUES list.
func (d dialect) selectFrom(b *batch) (string, []any, error) {
	for _, row := range b.rows {
		if len(row) != len(b.columns) {
			return "", nil, errs.New(errs.Internal, "A row has %d values for %d columns", len(row), len(b.columns))
		}
	}
	if d == postgresDialect {
		return selectUnnest(b)
	}
	sql, args := selectValues(b)
	return sql, args, nil
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

func selectUnnest(b *batch) (string, []any, error) {
	arrays := make([]string, len(b.columns))
	args := make([]any, len(b.columns))
	for i, c := range b.columns {
		var err error
		switch c.kind {
		case textCol:
			arrays[i] = "?::text[]"
			args[i], err = arrayOf(b, i, asText)
		case numberCol:
			arrays[i] = "?::bigint[]"
			args[i], err = arrayOf(b, i, asNumber)
		case boolCol:
			arrays[i] = "?::boolean[]"
			args[i], err = arrayOf(b, i, as[bool])
		case bytesCol:
			arrays[i] = "?::bytea[]"
			args[i], err = arrayOf(b, i, as[[]byte])
		case timeCol:
			arrays[i] = "?::timestamptz[]"
			args[i], err = arrayOf(b, i, asInstant)
		}
		if err != nil {
			return "", nil, err
		}
	}
	return "SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ") AS u (" + b.names() + ")", args, nil
}

// arrayOf collects one column. gorm spreads a slice into many arguments but
// passes a pointer to one on as it is.
func arrayOf[T any](b *batch, i int, convert func(any) (T, bool)) (*[]T, error) {
	values := make([]T, len(b.rows))
	for r, row := range b.rows {
		var ok bool
		if values[r], ok = convert(row[i]); !ok {
			return nil, errs.New(errs.Internal, "The column %s got a %T", b.columns[i].name, row[i])
		}
	}
	return &values, nil
}

func as[T any](v any) (T, bool) {
	value, ok := v.(T)
	return value, ok
}

func asText(v any) (*string, bool) {
	switch v := v.(type) {
	case string:
		return &v, true
	case *string:
		return v, true
	}
	return nil, false
}

func asNumber(v any) (*int64, bool) {
	switch v := v.(type) {
	case int:
		return new(int64(v)), true
	case int64:
		return &v, true
	case *int64:
		return v, true
	case *int:
		if v == nil {
			return nil, true
		}
		return new(int64(*v)), true
	}
	return nil, false
}

func asInstant(v any) (*time.Time, bool) {
	switch v := v.(type) {
	case moment:
		return new(time.Time(v)), true
	case *moment:
		return timePtr(v), true
	}
	return nil, false
}
