package models

import (
	"errors"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
	_ "modernc.org/sqlite" // the driver "sqlite": SQLite in Go, without a C compiler
)

// sqliteDriver is the name of the driver for database/sql.
const sqliteDriver = "sqlite"

// SQLite's extended result codes of constraints (https://sqlite.org/rescode.html).
const (
	sqliteForeignKey = 787
	sqlitePrimaryKey = 1555
	sqliteUnique     = 2067
)

// sqliteDialector tells gorm how SQLite differs, as far as the store goes: goose
// makes the tables, and most statements are our own (decision 23).
type sqliteDialector struct{ pool gorm.ConnPool }

// Name is what gorm calls the database.
func (sqliteDialector) Name() string { return string(sqliteDialect) }

// Initialize gives gorm the pool and the clauses that SQLite has.
func (d sqliteDialector) Initialize(db *gorm.DB) error {
	db.ConnPool = d.pool
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses: []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses: []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses: []string{"DELETE", "FROM", "WHERE", "RETURNING"},
	})
	return nil
}

// Migrator is nil: goose migrates.
func (sqliteDialector) Migrator(*gorm.DB) gorm.Migrator { return nil }

// DataTypeOf is asked for migrations alone.
func (sqliteDialector) DataTypeOf(field *schema.Field) string { return string(field.DataType) }

// DefaultValueOf is what stands for a value that the database chooses.
func (sqliteDialector) DefaultValueOf(*schema.Field) clause.Expression {
	return clause.Expr{SQL: "NULL"}
}

// BindVarTo writes the place of a value.
func (sqliteDialector) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) { _ = w.WriteByte('?') }

// QuoteTo writes a name, which may be that of a column with its table's before.
func (sqliteDialector) QuoteTo(w clause.Writer, name string) {
	for i, part := range strings.Split(name, ".") {
		if i > 0 {
			_ = w.WriteByte('.')
		}
		_, _ = w.WriteString("`" + strings.ReplaceAll(part, "`", "``") + "`")
	}
}

// Explain writes a statement with its values, for logs.
func (sqliteDialector) Explain(sql string, values ...any) string {
	return logger.ExplainSQL(sql, nil, `'`, values...)
}

// Translate gives gorm's names to what SQLite says of constraints.
func (sqliteDialector) Translate(err error) error {
	var lite sqliteError
	if !errors.As(err, &lite) {
		return err
	}
	switch lite.Code() {
	case sqliteUnique, sqlitePrimaryKey:
		return gorm.ErrDuplicatedKey
	case sqliteForeignKey:
		return gorm.ErrForeignKeyViolated
	}
	return err
}
