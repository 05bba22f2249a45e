package models

import (
	"context"
	"slices"
	"time"
)

// Retention is reckoned in whole days of UTC: what was accepted on a day is
// forgotten when the end of that day lies as many days back as its tenant keeps
// things. So nothing goes early, and the rows of a day go together.

// How long is kept what outlives attempts, or as long as the longest retention,
// if that is longer.
const (
	rollupsKept = 400 * day
	auditKept   = 2 * 365 * day
)

// retention says for one run what is old.
type retention struct {
	at     time.Time
	days   int            // of tenants without a number of their own; 0 = for ever
	others map[string]int // those with one
}

func (s *Store) retention(ctx context.Context, at time.Time) (retention, error) {
	r := retention{at: at, days: s.days, others: map[string]int{}}
	var rows []tenantRow
	err := query(s.readAll(ctx), &rows, "SELECT id, retention_days FROM tenants WHERE retention_days IS NOT NULL")
	for _, row := range rows {
		r.others[row.ID] = *row.RetentionDays
	}
	return r, s.translate(err)
}

// before returns the first day that is kept for so many days; the zero time when
// all are.
func (r retention) before(days int) time.Time {
	if days == 0 {
		return time.Time{}
	}
	return dayOf(r.at.Add(-time.Duration(days) * day))
}

// of returns the first day that is kept of a tenant.
func (r retention) of(tenant string) time.Time {
	if days, ok := r.others[tenant]; ok {
		return r.before(days)
	}
	return r.before(r.days)
}

// span returns the day before which nobody keeps anything, and the day before
// which somebody forgets.
func (r retention) span() (nobody, somebody time.Time) {
	nobody = r.before(r.days)
	somebody = nobody
	for _, days := range r.others {
		first := r.before(days)
		if first.Before(nobody) {
			nobody = first
		}
		if first.After(somebody) {
			somebody = first
		}
	}
	return nobody, somebody
}

// forgets returns a condition that a row's tenant no longer keeps a day, and its
// arguments.
func (r retention) forgets(d dialect, column string, at time.Time) (string, []any) {
	var kept, gone []string
	for tenant := range r.others {
		if at.Before(r.of(tenant)) {
			gone = append(gone, tenant)
		} else {
			kept = append(kept, tenant)
		}
	}
	slices.Sort(kept)
	slices.Sort(gone)
	switch byDefault := at.Before(r.before(r.days)); {
	case byDefault && len(kept) == 0:
		return "true", nil
	case byDefault:
		condition, arg := d.in(column, kept)
		return "NOT (" + condition + ")", []any{arg}
	case len(gone) == 0:
		return "false", nil
	default:
		condition, arg := d.in(column, gone)
		return condition, []any{arg}
	}
}

// outlived returns before when something is forgotten that is kept for so long,
// or as long as the longest retention.
func (r retention) outlived(kept time.Duration) time.Time {
	first, _ := r.span()
	if at := r.at.Add(-kept); at.Before(first) {
		return at
	}
	return first
}
