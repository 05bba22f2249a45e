package models_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

func (w world) stats(f models.StatsFilter) []models.StatsBucket {
	w.t.Helper()
	list, err := w.store.Stats(w.t.Context(), f)
	require.NoError(w.t, err)
	return list
}

// total adds buckets up.
func total(list []models.StatsBucket) models.StatsBucket {
	sum := models.StatsBucket{Latency: make([]int64, len(models.LatencyBuckets())+1)}
	for _, b := range list {
		sum.Deliveries += b.Deliveries
		sum.DeliveriesFailed += b.DeliveriesFailed
		sum.Attempts += b.Attempts
		sum.Delivered += b.Delivered
		sum.Failed += b.Failed
		for i, n := range b.Latency {
			sum.Latency[i] += n
		}
	}
	return sum
}

// took is an attempt that started at a time and took so long.
func took(status int, at time.Time, ms int64) *models.Attempt {
	a := attempt(status)
	a.ID, a.StartedAt, a.DurationMS = models.NewID(at), at, ms
	return a
}

// busy makes a webhook whose attempts lie in two hours of two days, and a test
// send.
func (w world) busy(noon time.Time) models.Webhook {
	w.t.Helper()
	hook := w.webhook("acme")
	before := noon.Add(-13 * time.Hour) // 23:00 of the day before
	records := []models.Record{
		{Delivery: w.deliveryTo(hook), Step: models.StepDeliver, Attempt: took(200, before.Add(59*time.Minute), 5)},
		{Delivery: w.deliveryTo(hook), Step: models.StepDeliver, Attempt: took(200, noon, 6)},
		{Delivery: w.deliveryTo(hook), Step: models.StepFailFinal, Attempt: took(500, noon.Add(time.Hour-time.Microsecond), 30_001)},
		{Delivery: w.deliveryTo(hook), Step: models.StepFailRetry, Attempt: took(500, noon.Add(time.Minute), 180)},
		{Delivery: w.deliveryTo(hook), Step: models.StepSkip},
		{Delivery: w.deliveryTo(hook, func(e *models.Event) { e.Test = true }), Step: models.StepDeliver, Attempt: took(200, noon, 1)},
	}
	unsent := took(0, noon, 0)
	unsent.StatusCode, unsent.Success = nil, false
	records = append(records, models.Record{Delivery: w.deliveryTo(hook), Step: models.StepFailFinal, Attempt: unsent})
	for _, err := range w.recordAll(records) {
		require.NoError(w.t, err)
	}
	return hook
}

func TestStats(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		noon := now().Truncate(24 * time.Hour).Add(-36 * time.Hour) // of the day before yesterday
		hook := w.busy(noon)
		zone := time.FixedZone("", 5*3600+1800)
		hours := w.stats(models.StatsFilter{
			Tenant: "acme", WebhookID: hook.ID, Step: models.ByHour,
			Since: noon.Add(-13 * time.Hour).In(zone), Until: noon.Add(time.Minute),
		})
		require.Len(t, hours, 14, "from 23:00 to 13:00, since the last hour has begun")
		for i, b := range hours {
			require.Equal(t, noon.Add(time.Duration(i-13)*time.Hour), b.At)
			require.Len(t, b.Latency, len(models.LatencyBuckets())+1)
			require.Zero(t, b.Deliveries, "they settled today")
			if i > 0 && i < 13 {
				require.Equal(t, models.StatsBucket{At: b.At, Latency: make([]int64, len(b.Latency))}, b, "gaps are filled")
			}
		}
		require.Equal(t, []int64{1, 1, 0}, []int64{hours[0].Attempts, hours[0].Delivered, hours[0].Failed})
		require.Equal(t, []int64{4, 1, 3}, []int64{hours[13].Attempts, hours[13].Delivered, hours[13].Failed})
		require.Equal(t, []int64{1, 0}, hours[0].Latency[:2])
		last := len(models.LatencyBuckets())
		require.Equal(t, []int64{0, 1}, hours[13].Latency[:2])
		require.EqualValues(t, 1, hours[13].Latency[last], "longer than any bound")
		require.EqualValues(t, 1, hours[13].Latency[slices.Index(models.LatencyBuckets(), 200)])
		require.EqualValues(t, 4, sumOf(total(hours).Latency), "what sent nothing took no time")

		days := w.stats(models.StatsFilter{Tenant: "acme", WebhookID: hook.ID, Step: models.ByDay, Since: noon.Add(-24 * time.Hour), Until: noon})
		require.Len(t, days, 2)
		require.Equal(t, noon.Add(-36*time.Hour), days[0].At)
		require.Equal(t, []int64{1, 4}, []int64{days[0].Attempts, days[1].Attempts})
		require.Equal(t, total(hours), total(days))

		month := w.stats(models.StatsFilter{Tenant: "acme", Step: models.ByDay})
		require.Len(t, month, 31, "thirty days back from now touch 31")
		require.EqualValues(t, 4, total(month).Deliveries, "two delivered, two failed; not the one skipped, under way or a test")
		require.EqualValues(t, 2, total(month).DeliveriesFailed)
		require.Len(t, w.stats(models.StatsFilter{Tenant: "acme"}), 25)

		other := w.busy(noon)
		require.EqualValues(t, 10, total(w.stats(models.StatsFilter{Tenant: "acme", Step: models.ByDay})).Attempts)
		require.EqualValues(t, 5, total(w.stats(models.StatsFilter{Tenant: "acme", WebhookID: other.ID, Step: models.ByDay})).Attempts)
		require.Zero(t, total(w.stats(models.StatsFilter{Tenant: "zeta", Step: models.ByDay})).Attempts)

		require.NoError(t, w.store.DeleteWebhook(t.Context(), byTest, "acme", hook.ID))
		require.Zero(t, w.count("SELECT COUNT(*) FROM rollups WHERE webhook_id = ?", hook.ID))
		require.EqualValues(t, 5, total(w.stats(models.StatsFilter{Tenant: "acme", Step: models.ByDay})).Attempts)
	})
}

func sumOf(list []int64) (sum int64) {
	for _, n := range list {
		sum += n
	}
	return sum
}

func TestStatsSpans(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		at := time.Date(2026, 5, 30, 10, 0, 0, 0, time.UTC)
		const day = 24 * time.Hour
		for name, test := range map[string]struct {
			give models.StatsFilter
			want int    // buckets
			bad  string // the field at fault
		}{
			"31 days by hour":           {models.StatsFilter{Since: at.Add(-31 * day), Until: at}, 744, ""},
			"more than that":            {models.StatsFilter{Since: at.Add(-31*day - 1), Until: at}, 0, "since"},
			"400 days":                  {models.StatsFilter{Since: at.Add(-400 * day), Until: at, Step: models.ByDay}, 401, ""},
			"more days":                 {models.StatsFilter{Since: at.Add(-400*day - 1), Until: at, Step: models.ByDay}, 0, "since"},
			"no time at all":            {models.StatsFilter{Since: at, Until: at}, 1, ""},
			"a moment":                  {models.StatsFilter{Since: at.Add(-1), Until: at.Add(1)}, 2, ""},
			"ends before it begins":     {models.StatsFilter{Since: at, Until: at.Add(-1)}, 0, "until"},
			"begins in the future":      {models.StatsFilter{Since: time.Now().Add(day)}, 0, "until"},
			"the year 0":                {models.StatsFilter{Until: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)}, 0, "since"},
			"the end of time":           {models.StatsFilter{Until: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}, 25, ""},
			"another step":              {models.StatsFilter{Step: "minute"}, 0, "step"},
			"since alone is until now":  {models.StatsFilter{Since: time.Now().Add(-100 * day)}, 0, "since"},
			"until alone, a day before": {models.StatsFilter{Until: at}, 24, ""},
		} {
			test.give.Tenant = "acme"
			list, err := w.store.Stats(t.Context(), test.give)
			require.Len(t, list, test.want, name)
			if test.bad == "" {
				require.NoError(t, err, name)
				continue
			}
			requireCode(t, errs.Invalid, err)
			var coded *errs.Error
			require.ErrorAs(t, err, &coded)
			require.Contains(t, coded.Fields, test.bad, name)
		}
	})
}

// Several processes count for the same webhooks at the same time, in groups and
// alone: nothing is lost, nothing is counted twice.
func TestStatsOfManyProcesses(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		const processes, webhooks, each = 3, 4, 60
		var stores []world
		for range processes {
			stores = append(stores, world{t, modelstest.OpenWith(t, models.Options{URL: url})})
		}
		var hooks []models.Webhook
		for range webhooks {
			hooks = append(hooks, stores[0].webhook("acme"))
		}
		var all sync.WaitGroup
		for p, w := range stores {
			var records []models.Record
			for i := range each {
				d := w.deliveryTo(hooks[(i+p)%webhooks])
				record := models.Record{Delivery: d, Step: models.StepDeliver, Attempt: attempt(200)}
				records = append(records, record)
				if i%5 == 0 {
					records = append(records, record) // given twice, stored once
				}
			}
			all.Go(func() {
				for _, err := range w.recordAll(records) {
					require.NoError(t, err)
				}
			})
		}
		all.Wait()
		sum := total(stores[0].stats(models.StatsFilter{Tenant: "acme"}))
		require.EqualValues(t, processes*each, sum.Attempts)
		require.EqualValues(t, processes*each, sum.Deliveries)
		require.Equal(t, processes*each, stores[0].count("SELECT COUNT(*) FROM attempts"))
	})
}

// The migration counts what was recorded before it as Record would have.
func TestRollupsOfOldAttempts(t *testing.T) {
	onBothURLs(t, func(t *testing.T, url string) {
		w := world{t, modelstest.OpenWith(t, models.Options{URL: url})}
		hook := w.busy(now().Truncate(24 * time.Hour).Add(-36 * time.Hour))
		f := models.StatsFilter{Tenant: "acme", WebhookID: hook.ID, Since: now().Add(-4 * 24 * time.Hour)}
		before := w.stats(f)
		require.NoError(t, models.MigrateTo(t.Context(), url, 4))
		w = world{t, modelstest.OpenWith(t, models.Options{URL: url})}
		require.Equal(t, before, w.stats(f))
		w.record(w.deliveryTo(hook), models.StepDeliver)
		require.Equal(t, total(before).Attempts+1, total(w.stats(f)).Attempts, "and goes on from there")
	})
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	counts := func(n map[int]int64) []int64 {
		list := make([]int64, len(models.LatencyBuckets())+1)
		for i, count := range n {
			list[i] = count
		}
		return list
	}
	last := len(models.LatencyBuckets())
	for name, test := range map[string]struct {
		counts []int64
		q      float64
		want   time.Duration
	}{
		"nothing":             {counts(nil), 0.5, 0},
		"no counts":           {nil, 0.5, 0},
		"half of a bucket":    {counts(map[int]int64{4: 10}), 0.5, 40 * time.Millisecond}, // over 30 to 50
		"all of it":           {counts(map[int]int64{4: 10}), 1, 50 * time.Millisecond},
		"the fastest":         {counts(map[int]int64{4: 10}), 0, 30 * time.Millisecond},
		"in the second":       {counts(map[int]int64{0: 90, 12: 10}), 0.95, 875 * time.Millisecond},
		"at the edge":         {counts(map[int]int64{0: 90, 12: 10}), 0.9, 5 * time.Millisecond},
		"longer than all":     {counts(map[int]int64{last: 3}), 0.5, 30 * time.Second},
		"out of range":        {counts(map[int]int64{4: 10}), 7, 50 * time.Millisecond},
		"no more than counts": {counts(map[int]int64{0: 1})[:1], 0.99, 4950 * time.Microsecond},
	} {
		require.InDelta(t, test.want, models.Quantile(test.counts, test.q), 1000, name)
	}
}

// The error that the comment of Quantile promises.
func TestQuantileError(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	bounds := models.LatencyBuckets()
	for range 2000 {
		values := make([]int64, 1+random.IntN(200))
		counts := make([]int64, len(bounds)+1)
		for i := range values {
			values[i] = int64(1 + random.ExpFloat64()*random.Float64()*3000)
			values[i] = min(values[i], 30_000)
			bucket, _ := slices.BinarySearch(bounds, values[i])
			counts[bucket]++
		}
		slices.Sort(values)
		for _, q := range []float64{0.5, 0.95, 0.99} {
			rank := int(q * float64(len(values)))
			if float64(rank) < q*float64(len(values)) {
				rank++
			}
			exact := float64(values[rank-1])
			got := float64(models.Quantile(counts, q)) / float64(time.Millisecond)
			if exact <= 20 {
				require.InDelta(t, exact, got, 10)
				continue
			}
			require.LessOrEqual(t, got, exact*1.67)
			require.GreaterOrEqual(t, got, exact/1.67)
		}
	}
}
