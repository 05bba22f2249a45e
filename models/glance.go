package models

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// Glance is how a webhook does, as a list of webhooks shows it. Test sends count
// as what happened last, and in no sum.
type Glance struct {
	// Last is the latest attempt, without bodies and headers; nil when there is
	// none.
	Last             *Attempt
	Attempts, Failed int64
	// Latency counts the attempts that sent something, as in StatsBucket; nil when
	// there was none.
	Latency []int64
}

// Glances tells of the webhooks named what came last and what the attempts since
// a time came to, until another; both are widened to whole hours. It is History
// and Stats of them all, in as many statements as for one. What the tenant does
// not have has nothing to tell.
func (s *Store) Glances(ctx context.Context, tenant string, webhookIDs []string, since, until time.Time) (map[string]Glance, error) {
	span, err := StatsFilter{Since: since, Until: until, Step: ByHour}.span(s.now())
	if err != nil {
		return nil, err
	}
	wanted := slices.DeleteFunc(distinct(webhookIDs), func(id string) bool { return !couldExist(id) })
	var last []attemptRow
	var sums []glanceRow
	err = s.readAs(ctx, tenant, func(tx *gorm.DB) error {
		if len(wanted) == 0 {
			return nil
		}
		var err error
		if last, err = s.lastAttempts(tx, tenant, wanted); err != nil {
			return err
		}
		sql, args := s.db.dialect.sumGlances(tenant, wanted, span)
		return query(tx, &sums, sql, args...)
	})
	if err != nil {
		return nil, err
	}
	return s.glancesOf(last, sums)
}

// glanceRow is what the attempts of a webhook came to.
type glanceRow struct {
	WebhookID        string
	Attempts, Failed int64
	Latency          string // JSON list
}

func (s *Store) glancesOf(last []attemptRow, sums []glanceRow) (map[string]Glance, error) {
	glances := map[string]Glance{}
	for _, row := range sums {
		g := Glance{Attempts: row.Attempts, Failed: row.Failed}
		if err := json.Unmarshal([]byte(row.Latency), &g.Latency); err != nil {
			return nil, errs.Wrap(err, errs.Internal, "Cannot read the rollups")
		}
		glances[row.WebhookID] = g
	}
	for i := range last {
		attempt, err := s.attemptFromRow(&last[i])
		if err != nil {
			return nil, err
		}
		g := glances[attempt.WebhookID]
		g.Last = &attempt
		glances[attempt.WebhookID] = g
	}
	return glances, nil
}

// glanceColumns are those of an attempt that a glance reads: a page of them
// would have no use for as many bodies.
var glanceColumns = slices.DeleteFunc(slices.Clone(attemptSummaryColumns), func(name string) bool { return name == "response_body" })

// lastAttempts reads the latest attempt of each webhook. As with a history, the
// latest days are looked at first, and further back only for those webhooks that
// had none.
func (s *Store) lastAttempts(tx *gorm.DB, tenant string, webhookIDs []string) ([]attemptRow, error) {
	var found []attemptRow
	for _, r := range s.reaches(HistoryFilter{}, nil) {
		var some []attemptRow
		sql, args := s.db.dialect.lastOf(tenant, webhookIDs, r)
		if err := query(tx, &some, sql, args...); err != nil {
			return nil, err
		}
		found = append(found, some...)
		webhookIDs = slices.DeleteFunc(slices.Clone(webhookIDs), func(id string) bool {
			return slices.ContainsFunc(some, func(row attemptRow) bool { return row.WebhookID == id })
		})
		if len(webhookIDs) == 0 {
			break
		}
	}
	return found, nil
}

// lastOf returns the statement that reads the latest attempt of each webhook
// within a reach: a step into an index for each of them.
func (d dialect) lastOf(tenant string, webhookIDs []string, r reach) (string, []any) {
	of, ids := d.in("w.id", webhookIDs)
	within, bounds := "n.webhook_id = w.id AND n.tenant = w.tenant AND n.id < ?", []any{r.before}
	if r.from != "" {
		within, bounds = within+" AND n.id >= ?", append(bounds, r.from)
	}
	latest := " FROM attempts AS n WHERE " + within + " ORDER BY n.id DESC LIMIT 1)"
	where := " WHERE " + of + " AND " + d.unindexed("w.tenant") + " = ?"
	columns := "SELECT " + selectList("a", "", glanceColumns)
	if d == postgresDialect {
		return columns + " FROM webhooks AS w CROSS JOIN LATERAL (SELECT " + selectList("n", "", glanceColumns) + latest + " AS a" + where,
			append(bounds, ids, tenant)
	}
	return columns + " FROM webhooks AS w JOIN attempts AS a ON a.webhook_id = w.id AND a.id = (SELECT n.id" + latest + where,
		append(bounds, ids, tenant)
}

// sumGlances returns the statement that sums up the rows of a span, by webhook.
func (d dialect) sumGlances(tenant string, webhookIDs []string, span statsSpan) (string, []any) {
	list := "json_array("
	if d == postgresDialect {
		list = "json_build_array("
	}
	sums := latencyColumns()
	for i, name := range sums {
		sums[i] = "SUM(" + name + ")"
	}
	of, ids := d.in("webhook_id", webhookIDs)
	return "SELECT webhook_id, SUM(attempts) AS attempts, SUM(failed) AS failed, " + list + strings.Join(sums, ", ") + ") AS latency" +
			" FROM rollups WHERE " + of + " AND " + d.unindexed("tenant") + " = ? AND hour >= ? AND hour < ? GROUP BY webhook_id",
		[]any{ids, tenant, moment(span.since), moment(span.until)}
}
