package models

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"gorm.io/gorm"

	"posthaste/errs"
)

// Steps of Stats.
const (
	ByHour = "hour"
	ByDay  = "day"
)

// StatsSteps lists the steps of Stats.
func StatsSteps() []string { return []string{ByHour, ByDay} }

// Spans of Stats: what is shown when nothing is asked for, and the most that one
// call may ask for.
const (
	usualHourly   = 24 * time.Hour
	usualDaily    = 30 * 24 * time.Hour
	LongestHourly = 31 * 24 * time.Hour  // by hour
	LongestDaily  = 400 * 24 * time.Hour // by day
)

// earliestStats bounds Since: nothing is older, and PostgreSQL knows no year 0.
var earliestStats = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// StatsFilter says what to sum up. Tenant is required.
type StatsFilter struct {
	Tenant    string
	WebhookID string // "" = all webhooks of the tenant that there are now
	// Since is inclusive, Until is not; both are widened to whole steps in UTC.
	// A zero Until is now, a zero Since 24 hours or 30 days before Until.
	Since, Until time.Time
	Step         string // ByHour or ByDay; "" = ByHour
}

// StatsBucket is what happened in one hour or one day (UTC). Test sends do not
// count.
type StatsBucket struct {
	At               time.Time // when it begins
	Deliveries       int64     // that ended delivered, failed or unknown
	DeliveriesFailed int64     // of them, those that ended failed or unknown
	Attempts         int64     // that started, Delivered and Failed together
	Delivered        int64     // attempts that succeeded
	Failed           int64     // attempts that did not
	// Latency counts the attempts that sent something by how long they took: one
	// number for each of LatencyBuckets, and one for what took longer.
	Latency []int64
}

// Stats sums up the deliveries and attempts of a webhook or of a tenant, one
// bucket for each hour or day, the oldest first and none left out. It reads the
// rollups that are written with each outcome; nothing is counted. Invalid, with
// fields, when the span or the step is none. NotFound when the tenant has no such
// webhook.
func (s *Store) Stats(ctx context.Context, f StatsFilter) ([]StatsBucket, error) {
	span, err := f.span(s.now())
	if err != nil {
		return nil, err
	}
	var rows []statsRow
	err = s.readAs(ctx, f.Tenant, func(tx *gorm.DB) error {
		if f.WebhookID != "" {
			if err := s.mustHave(tx, "webhooks", f.Tenant, f.WebhookID, noWebhook()); err != nil {
				return err
			}
		}
		sql, args := s.db.dialect.sumRollups(f, span)
		return query(tx, &rows, sql, args...)
	})
	if err != nil {
		return nil, err
	}
	return span.fill(rows)
}

// statsSpan is a span of whole steps.
type statsSpan struct {
	since, until time.Time
	step         time.Duration // a day of UTC always has 24 hours
}

func (f StatsFilter) span(now time.Time) (statsSpan, error) {
	step, usual, longest, limit := time.Hour, usualHourly, LongestHourly, "31 days by hour"
	switch f.Step {
	case ByHour, "":
	case ByDay:
		step, usual, longest, limit = 24*time.Hour, usualDaily, LongestDaily, "400 days by day"
	default:
		return statsSpan{}, errs.InvalidField("step", "must be one of %s", strings.Join(StatsSteps(), ", "))
	}
	since, until := f.Since.UTC(), f.Until.UTC()
	if f.Until.IsZero() {
		until = now.UTC()
	}
	if f.Since.IsZero() {
		since = until.Add(-usual)
	}
	switch {
	case until.Before(since):
		return statsSpan{}, errs.InvalidField("until", "must not be before since")
	case since.Before(earliestStats):
		return statsSpan{}, errs.InvalidField("since", "must not be before the year 2000")
	case until.Sub(since) > longest:
		return statsSpan{}, errs.InvalidField("since", "must be at most %s before until", limit)
	}
	span := statsSpan{since: since.Truncate(step), until: until.Truncate(step), step: step}
	if span.until.Before(until) || span.until.Equal(span.since) {
		span.until = span.until.Add(step)
	}
	return span, nil
}

// statsRow is one step that has something in it.
type statsRow struct {
	At                          moment
	Attempts, Delivered, Failed int64
	Settled, Exhausted          int64
	Latency                     string // JSON list
}

// sumRollups returns the statement that sums up the rows of a span.
func (d dialect) sumRollups(f StatsFilter, span statsSpan) (string, []any) {
	at, list := "hour", "json_array("
	if d == postgresDialect {
		list = "json_build_array("
	}
	switch {
	case span.step == time.Hour:
	case d == postgresDialect:
		at = "date_trunc('day', hour, 'UTC')"
	default:
		at = "substr(hour, 1, 10) || 'T00:00:00.000000Z'"
	}
	sums := latencyColumns()
	for i, name := range sums {
		sums[i] = "SUM(" + name + ")"
	}
	where, args := "tenant = ?", []any{f.Tenant}
	if f.WebhookID != "" {
		where, args = "webhook_id = ? AND tenant = ?", []any{f.WebhookID, f.Tenant}
	}
	return "SELECT " + at + " AS at, SUM(attempts) AS attempts, SUM(delivered) AS delivered, SUM(failed) AS failed, " +
		"SUM(settled) AS settled, SUM(exhausted) AS exhausted, " + list + strings.Join(sums, ", ") + ") AS latency FROM rollups WHERE " + where +
		" AND hour >= ? AND hour < ? GROUP BY 1 ORDER BY 1", append(args, moment(span.since), moment(span.until))
}

// fill makes a bucket of each step, with zeros where nothing happened.
func (s statsSpan) fill(rows []statsRow) ([]StatsBucket, error) {
	var buckets []StatsBucket
	for at := s.since; at.Before(s.until); at = at.Add(s.step) {
		b := StatsBucket{At: at, Latency: make([]int64, latencyBuckets)}
		if len(rows) > 0 && time.Time(rows[0].At).Equal(at) { // both are in order
			row := rows[0]
			rows = rows[1:]
			b.Attempts, b.Delivered, b.Failed = row.Attempts, row.Delivered, row.Failed
			b.Deliveries, b.DeliveriesFailed = row.Settled, row.Exhausted
			if err := json.Unmarshal([]byte(row.Latency), &b.Latency); err != nil {
				return nil, errs.Wrap(err, errs.Internal, "Cannot read the rollups")
			}
		}
		buckets = append(buckets, b)
	}
	return buckets, nil
}
