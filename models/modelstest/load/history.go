package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"posthaste/models"
)

// table is rows for one table of the ledger.
type table struct {
	name    string
	columns []string
	rows    [][]any // text, numbers, bool, []byte, time.Time, nil
}

// history makes up what a webhook might have seen: most deliveries succeed at
// once, some are tried again, a few fail for good; five types of events, from
// frequent to rare. The same options give the same history, but for ids.
type history struct {
	options
	webhook string
	start   time.Time
	every   time.Duration
	random  *rand.Rand

	made, deliveries int
	hours            map[time.Time][]int // the rollups, in the order of their columns
}

func newHistory(o options, webhook string, now time.Time) *history {
	span := time.Duration(o.days) * 24 * time.Hour
	return &history{
		options: o, webhook: webhook, start: now.UTC().Truncate(time.Millisecond).Add(-span),
		every: span / time.Duration(o.attempts), random: rand.New(rand.NewPCG(1, 2)), hours: map[time.Time][]int{},
	}
}

var kinds = []struct {
	name  string
	share float64 // of this one and those before
}{{"order.paid", 0.6}, {"order.shipped", 0.85}, {"user.created", 0.95}, {"invoice.paid", 0.999}, {"account.closed", 1}}

func (h *history) kind() string {
	drawn := h.random.Float64()
	for _, k := range kinds {
		if drawn < k.share {
			return k.name
		}
	}
	return kinds[0].name
}

var (
	eventColumns = []string{"tenant", "id", "provider", "type", "source", "data", "custom_data", "attributes", "occurred_at",
		"accepted_at", "body_hash", "workflow_id", "run_id", "webhook_id", "test"}
	deliveryColumns = []string{"id", "tenant", "event_id", "webhook_id", "event_type", "workflow_id", "lane", "timeout_seconds", "state",
		"attempts", "round_start", "next_attempt_at", "last_status_code", "reason", "test", "created_at", "updated_at", "settled_at"}
	attemptColumns = []string{"id", "tenant", "webhook_id", "delivery_id", "event_id", "event_type", "number", "status_code", "success",
		"reason", "detail", "started_at", "duration_ms", "request_url", "request_headers", "request_body", "response_headers",
		"response_body", "response_truncated", "test"}
)

// next makes deliveries with about so many attempts, oldest first.
func (h *history) next(attempts int) []table {
	events := table{name: "events", columns: eventColumns}
	deliveries := table{name: "deliveries", columns: deliveryColumns}
	tries := table{name: "attempts", columns: attemptColumns}
	for end := h.made + attempts; h.made < end; {
		number, delivered := 1, true
		switch drawn := h.random.Float64(); {
		case drawn < 0.01:
			number, delivered = 3, false
		case drawn < 0.05:
			number = 2
		}
		number = min(number, end-h.made)
		h.add(&events, &deliveries, &tries, number, delivered)
	}
	return []table{events, deliveries, tries}
}

// add makes one event, its delivery and so many attempts.
func (h *history) add(events, deliveries, tries *table, number int, delivered bool) {
	at := h.start.Add(time.Duration(h.made) * h.every)
	event, kind := models.NewID(at), h.kind()
	delivery, workflow := models.DeliveryID(at, event, h.webhook), "event/"+h.tenant+"/"+event
	data := fmt.Sprintf(`{"id":%d,"total":%d,"currency":"EUR","note":%q}`, h.deliveries, h.random.IntN(100_000), strings.Repeat("n", 100))
	events.rows = append(events.rows, []any{h.tenant, event, "standard", kind, "system", data, "", "", at, at, "", workflow, "run", "", false})

	state, status, reason, settled := "delivered", 200, "", at
	for n := 1; n <= number; n++ {
		settled = h.start.Add(time.Duration(h.made) * h.every)
		ms := int64(5 + h.random.ExpFloat64()*80)
		success := delivered && n == number
		status, reason = 200, ""
		if !success {
			status, reason = 503, "server_error"
		}
		body := []byte(strings.Repeat("a", h.answer))
		tries.rows = append(tries.rows, []any{
			models.NewID(settled), h.tenant, h.webhook, delivery, event, kind, n, status, success, reason, "", settled, ms,
			"https://receiver.example/hook", nil, []byte(data), []byte(`[["Content-Type","text/plain"]]`), body, false, false,
		})
		h.count(settled, ms, success)
		h.made++
	}
	h.deliveries++
	h.hour(settled)[3]++
	if !delivered {
		state = "failed"
		h.hour(settled)[4]++
	}
	deliveries.rows = append(deliveries.rows, []any{
		delivery, h.tenant, event, h.webhook, kind, workflow, "fast", 30, state, number, 0, nil, status, reason, false, at, settled, settled,
	})
}

// bucketsFrom is where the counts of the buckets begin in those of an hour.
const bucketsFrom = 5

// hour returns the counts of an hour: attempts, delivered, failed, settled,
// exhausted, and one for each bucket.
func (h *history) hour(at time.Time) []int {
	hour := at.Truncate(time.Hour)
	if h.hours[hour] == nil {
		h.hours[hour] = make([]int, bucketsFrom+len(models.LatencyBuckets())+1)
	}
	return h.hours[hour]
}

func (h *history) count(at time.Time, ms int64, success bool) {
	counts := h.hour(at)
	counts[0]++
	if success {
		counts[1]++
	} else {
		counts[2]++
	}
	bucket := bucketsFrom
	for _, bound := range models.LatencyBuckets() {
		if ms <= bound {
			break
		}
		bucket++
	}
	counts[bucket]++
}

// rollups are the sums of what was made.
func (h *history) rollups() table {
	t := table{name: "rollups", columns: []string{"tenant", "webhook_id", "hour", "slot", "attempts", "delivered", "failed", "settled", "exhausted"}}
	for _, bound := range models.LatencyBuckets() {
		t.columns = append(t.columns, fmt.Sprintf("ms_%d", bound))
	}
	t.columns = append(t.columns, "ms_more")
	for hour, counts := range h.hours {
		row := []any{h.tenant, h.webhook, hour, 0}
		for _, n := range counts {
			row = append(row, n)
		}
		t.rows = append(t.rows, row)
	}
	return t
}
