package models_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
	"posthaste/models/modelstest"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

func (p past) partitions(table string) []string {
	p.t.Helper()
	names, err := p.store.Texts("SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = '" + table + "'::regclass ORDER BY 1")
	require.NoError(p.t, err)
	return names
}

func TestPartitionsAheadAreMadeOnce(t *testing.T) {
	t.Parallel()
	p := openPast(t, modelstest.Postgres, 3)
	for _, table := range []string{"events", "attempts"} {
		require.Subset(t, p.partitions(table), []string{table + "_20250501", table + "_20250508", table + "_default"})
		require.NotContains(t, p.partitions(table), table+"_20250509")
	}
	made, err := p.store.AddPartitions(t.Context())
	require.NoError(t, err)
	require.Zero(t, made)
	p.at.set(date(5, 2, 0))
	var all sync.WaitGroup
	var total atomic.Int64
	for range 4 {
		all.Go(func() {
			made, err := p.store.AddPartitions(t.Context())
			if err == nil {
				total.Add(int64(made))
			}
		})
	}
	all.Wait()
	require.GreaterOrEqual(t, total.Load(), int64(2))
	require.Contains(t, p.partitions("events"), "events_20250509")
}

// Rows of a day without a partition fall into the default one, are found there,
// and are sorted out later.
func TestMissingPartition(t *testing.T) {
	t.Parallel()
	p := openPast(t, modelstest.Postgres, 30)
	hook := p.webhook("acme")
	d := p.sent(hook, date(7, 1, 10), models.StepFailRetry)
	require.Equal(t, 1, p.count("SELECT COUNT(*) FROM events_default"))
	require.Equal(t, 1, p.count("SELECT COUNT(*) FROM attempts_default"))
	p.requireKept(d, 1)

	_, err := p.store.AddPartitions(t.Context())
	require.NoError(t, err)
	require.Zero(t, p.count("SELECT COUNT(*) FROM events_default")+p.count("SELECT COUNT(*) FROM attempts_default"))
	require.Equal(t, 1, p.count("SELECT COUNT(*) FROM events_20250701"))
	require.Equal(t, 1, p.count("SELECT COUNT(*) FROM attempts_20250701"))
	p.requireKept(d, 1)
	d, _ = p.reload(d)
	p.tried(d, date(7, 1, 11), models.StepDeliver)
	p.requireKept(d, 2)

	// What was never sorted out is forgotten all the same.
	old := p.sent(hook, date(9, 1, 10), models.StepDeliver)
	_, err = p.store.Prune(t.Context(), date(12, 1, 10), nil)
	require.NoError(t, err)
	p.requireGone(old)
	require.Zero(t, p.count("SELECT COUNT(*) FROM attempts"))
}

// Whoever asks a partition itself is held by the same lock as its table.
func TestPartitionsAreLocked(t *testing.T) {
	t.Parallel()
	p := openPast(t, modelstest.Postgres, 3)
	for _, tenant := range []string{"acme", "zeta"} {
		p.sent(p.webhook(tenant), date(5, 1, 10), models.StepDeliver)
		p.sent(p.webhook(tenant), date(6, 1, 10), models.StepDeliver)
	}
	for _, table := range []string{"events_20250501", "attempts_20250501", "events_default", "attempts_default"} {
		require.Equal(t, 2, p.count("SELECT COUNT(*) FROM "+table), table)
		seen, err := p.store.TextsAs(t.Context(), "acme", "SELECT tenant FROM "+table)
		require.NoError(t, err)
		require.Equal(t, []string{"acme"}, seen, table)
	}
}

// Lists and look-ups touch the partitions they need and no others.
func TestPartitionsArePassedOver(t *testing.T) {
	t.Parallel()
	p := openPast(t, modelstest.Postgres, 3)
	id := func(at time.Time) string { return models.NewID(at)[:13] }
	for sql, want := range map[string][]string{
		"SELECT 1 FROM events WHERE tenant = 'a' AND id = 'b' AND accepted_at >= '2025-05-03T10:00:00Z' AND accepted_at <= '2025-05-03T12:00:00Z'": {"events_20250503"},
		"SELECT 1 FROM attempts WHERE webhook_id = 'a' AND id > '" + id(date(5, 2, 1)) + "' AND id < '" + id(date(5, 3, 1)) + "' ORDER BY id DESC LIMIT 20": {
			"attempts_20250502", "attempts_20250503"},
	} {
		plan, err := p.store.Texts("EXPLAIN (FORMAT JSON) " + sql)
		require.NoError(t, err)
		require.Equal(t, want, relations(t, plan[0]), plan[0])
		require.NotContains(t, plan[0], "Seq Scan", "an index serves it")
	}
}

// relations lists the partitions of a plan but for the default ones, which no
// condition excludes.
func relations(t *testing.T, plan string) []string {
	t.Helper()
	var tree any
	require.NoError(t, json.Unmarshal([]byte(plan), &tree))
	var names []string
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, child := range node {
				walk(child)
			}
		case map[string]any:
			if name, ok := node["Relation Name"].(string); ok && partition.MatchString(name) && name[len(name)-7:] != "default" {
				names = append(names, name)
			}
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(tree)
	slices.Sort(names)
	return names
}

// Pages go on across the boundaries of days.
func TestHistoryAcrossPartitions(t *testing.T) {
	inThePast(t, 30, func(t *testing.T, p past) {
		hook := p.webhook("acme")
		var want []string
		for i := range 24 {
			d := p.sent(hook, date(5, 1, 0).Add(time.Duration(i)*8*time.Hour), models.StepDeliver)
			_, attempts := p.reload(d)
			want = append([]string{attempts[0].ID}, want...)
		}
		for _, limit := range []int{1, 5, 100} {
			var got []string
			cursor := ""
			for {
				page, err := p.store.History(t.Context(), models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID, Limit: limit, Cursor: cursor})
				require.NoError(t, err)
				for _, a := range page.Items {
					got = append(got, a.ID)
				}
				if cursor = page.NextCursor; cursor == "" {
					break
				}
			}
			require.Equal(t, want, got)
		}
	})
}

// Traffic goes on while partitions come and go: nothing fails, nothing waits
// long.
func TestTrafficWhilePartitionsComeAndGo(t *testing.T) {
	t.Parallel()
	p := openPast(t, modelstest.Postgres, 1)
	p.at.set(now())
	_, err := p.store.AddPartitions(t.Context())
	require.NoError(t, err)
	hook := p.webhook("acme")
	past := date(1, 1, 10)
	for i := range 20 { // to be dropped, day by day
		p.sent(hook, past.Add(time.Duration(i)*aDay), models.StepDeliver)
	}
	p.at.set(now())
	_, err = p.store.AddPartitions(t.Context())
	require.NoError(t, err)
	stop := make(chan struct{})
	var writers sync.WaitGroup
	var longest, rounds atomic.Int64
	failures := make(chan error, 100)
	for range 8 {
		writers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				if err := p.roundTrip(hook); err != nil {
					failures <- err
					return
				}
				rounds.Add(1)
				for took := int64(time.Since(began)); ; {
					so := longest.Load()
					if took <= so || longest.CompareAndSwap(so, took) {
						break
					}
				}
			}
		})
	}
	done, err := p.store.Prune(t.Context(), now(), nil)
	for i := range 10 { // one more day at each call
		if err == nil {
			p.at.set(now().Add(time.Duration(i) * aDay))
			_, err = p.store.AddPartitions(t.Context())
		}
	}
	close(stop)
	writers.Wait()
	require.NoError(t, err)
	require.Empty(t, failures)
	require.Positive(t, rounds.Load())
	require.Zero(t, p.count("SELECT COUNT(*) FROM events WHERE accepted_at < '2025-02-01'"))
	t.Logf("%d partitions dropped, %d postponed; %d rounds, the longest %s",
		done.Partitions, done.Postponed, rounds.Load(), time.Duration(longest.Load()))
	require.Less(t, time.Duration(longest.Load()), 5*time.Second)
}

// roundTrip does what traffic does: plan, read, record, list.
func (p past) roundTrip(hook models.Webhook) error {
	e := p.event(hook.Tenant, func(e *models.Event) { e.WebhookID = hook.ID })
	plans, err := p.store.Resolve(p.t.Context(), models.ResolveInput{Events: []models.Event{e}, Match: everyone})
	if err != nil {
		return err
	}
	due, err := p.store.DueDelivery(p.t.Context(), hook.Tenant, plans[0].Deliveries[0].ID)
	if err != nil {
		return err
	}
	if err := p.store.Record(p.t.Context(), models.Record{Delivery: due.Delivery, Step: models.StepDeliver, Attempt: attempt(200)}); err != nil {
		return err
	}
	if _, err := p.store.Events(p.t.Context(), models.EventFilter{Tenant: hook.Tenant}); err != nil {
		return err
	}
	_, err = p.store.History(p.t.Context(), models.HistoryFilter{Tenant: hook.Tenant, WebhookID: hook.ID})
	return err
}
