package models

import "strings"

// dialect is one of the two databases, where their SQL differs.
type dialect string

const (
	postgresDialect dialect = "postgres"
	sqliteDialect   dialect = "sqlite"
)

// in returns a condition that a column holds one of the values, and its
// argument.
func (d dialect) in(name string, values []string) (string, any) {
	if d == postgresDialect {
		return name + " = ANY(?)", &values
	}
	return name + " IN ?", values
}

// unindexed returns a column for a condition that rows are filtered by and not
// looked for, beside a list of ids. SQLite without statistics, and PostgreSQL
// before it has some, would prefer an index of the tenant, and read all that the
// tenant has, to looking for two dozen ids.
func (d dialect) unindexed(column string) string {
	if d == sqliteDialect {
		return "+" + column
	}
	return "(" + column + " || '')"
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

// along names a table to be read along an index. SQLite keeps no statistics
// here, and might choose a shorter index and read in vain; PostgreSQL chooses
// well.
func (d dialect) along(table, index string) string {
	if d == sqliteDialect {
		return table + " INDEXED BY " + index
	}
	return table
}
