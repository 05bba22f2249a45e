package models

import (
	"context"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm/logger"
)

// plans notes the statements of a store as they are run, without their values.
type plans struct {
	logger.Interface
	mu         sync.Mutex
	statements []string
}

func (p *plans) Trace(_ context.Context, _ time.Time, statement func() (string, int64), _ error) {
	sql, _ := statement()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statements = append(p.statements, sql)
}

// ParamsFilter leaves the values out.
func (*plans) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) { return sql, nil }

// Plans returns how SQLite runs each statement that fn makes of a table, by
// statement.
func (s *Store) Plans(table string, fn func()) (map[string]string, error) {
	noted := &plans{Interface: logger.Discard}
	s.db.writer.Logger, s.db.reader.Logger = noted, noted
	fn()
	s.db.writer.Logger, s.db.reader.Logger = logger.Discard, logger.Discard
	found := map[string]string{}
	for _, sql := range noted.statements {
		if !strings.Contains(sql, table) {
			continue
		}
		var steps []struct{ Detail string }
		if err := s.db.reader.Raw("EXPLAIN QUERY PLAN " + strings.ReplaceAll(sql, "?", "'x'")).Scan(&steps).Error; err != nil {
			return nil, err
		}
		var plan strings.Builder
		for _, step := range steps {
			plan.WriteString(step.Detail + "\n")
		}
		found[sql] = plan.String()
	}
	return found, nil
}
