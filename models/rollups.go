package models

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
)

// rollupSlots is how many rows one webhook may have for one hour. A process that
// counts for a webhook holds its row until the commit is durable; with one row
// for all, processes would make their commits one after the other.
const rollupSlots = 8

// chooseSlot returns the slot that this process counts in. Two may draw the same
// one: then they wait for each other now and then, and the sum is right all the
// same. SQLite has one writer.
func chooseSlot(d dialect) int {
	if d == sqliteDialect {
		return 0
	}
	return rand.IntN(rollupSlots) //nolint:gosec // it decides who waits for whom, nothing secret
}

// rollupKey is a row of the table rollups, but for the slot.
type rollupKey struct {
	tenant, webhookID string
	hour              time.Time
}

// rollup is what a group of records adds to such a row.
type rollup struct {
	attempts, delivered, failed int
	settled, exhausted          int   // deliveries; exhausted are those that ended failed or unknown
	latency                     []int // one for each bucket
}

// rollupsOf sums up the records of a group that were stored. Test sends do not
// count. An attempt counts in the hour in which it started, a delivery in that
// in which it settled.
func rollupsOf(group []*entry, moved map[string]*deliveryRow) map[rollupKey]*rollup {
	sums := map[rollupKey]*rollup{}
	sum := func(row *deliveryRow, tenant string, at time.Time) *rollup {
		key := rollupKey{tenant, row.WebhookID, at.UTC().Truncate(time.Hour)}
		if sums[key] == nil {
			sums[key] = &rollup{latency: make([]int, latencyBuckets)}
		}
		return sums[key]
	}
	for _, e := range group {
		row := moved[e.record.Delivery.ID]
		if row == nil || row.Test {
			continue
		}
		if a := e.attempt; a != nil {
			sum(row, e.record.Delivery.Tenant, a.StartedAt).add(a)
		}
		if e.to == StateDelivered || e.to == StateFailed || e.to == StateUnknown {
			sum(row, e.record.Delivery.Tenant, e.now).settle(e.to)
		}
	}
	return sums
}

func (r *rollup) add(a *Attempt) {
	r.attempts++
	if a.Success {
		r.delivered++
	} else {
		r.failed++
	}
	if a.StatusCode != nil || a.DurationMS > 0 { // otherwise nothing was sent
		r.latency[latencyBucket(a.DurationMS)]++
	}
}

func (r *rollup) settle(to State) {
	r.settled++
	if to != StateDelivered {
		r.exhausted++
	}
}

// rollupCounts are the columns that are added up.
var rollupCounts = append([]string{"attempts", "delivered", "failed", "settled", "exhausted"}, latencyColumns()...)

// latencyColumns names the columns of the buckets, the last one for what took
// longer than any bound.
func latencyColumns() []string {
	names := make([]string, 0, latencyBuckets)
	for _, bound := range LatencyBuckets() {
		names = append(names, fmt.Sprintf("ms_%d", bound))
	}
	return append(names, "ms_more")
}

var rollupBatch = func() []column {
	columns := []column{{"tenant", textCol}, {"webhook_id", textCol}, {"hour", timeCol}, {"slot", numberCol}}
	for _, name := range rollupCounts {
		columns = append(columns, column{name, numberCol})
	}
	return columns
}()

// rollupMerge ends the statement that adds rows to those that are there. WHERE
// keeps SQLite from taking ON for the condition of a join.
var rollupMerge = func() string {
	sums := make([]string, len(rollupCounts))
	for i, name := range rollupCounts {
		sums[i] = name + " = rollups." + name + " + excluded." + name
	}
	return " WHERE true ON CONFLICT (webhook_id, hour, slot) DO UPDATE SET " + strings.Join(sums, ", ")
}()

// addRollups writes what the stored records of a group add up to. The rows are
// taken in one order, and last of all, so that transactions that count for the
// same webhooks wait for each other briefly and never in a circle.
func (s *Store) addRollups(tx *gorm.DB, group []*entry, moved map[string]*deliveryRow) error {
	sums := rollupsOf(group, moved)
	keys := slices.SortedFunc(maps.Keys(sums), func(a, b rollupKey) int {
		return cmp.Or(strings.Compare(a.webhookID, b.webhookID), a.hour.Compare(b.hour))
	})
	b := &batch{columns: rollupBatch}
	for _, key := range keys {
		sum := sums[key]
		values := make([]any, 0, len(rollupBatch))
		values = append(values, key.tenant, key.webhookID, moment(key.hour), s.slot,
			sum.attempts, sum.delivered, sum.failed, sum.settled, sum.exhausted)
		for _, n := range sum.latency {
			values = append(values, n)
		}
		b.add(values...)
	}
	return s.db.dialect.inParts(b, func(source string, args []any) error {
		return tx.Exec("INSERT INTO rollups ("+b.names()+") "+source+rollupMerge, args...).Error
	})
}
