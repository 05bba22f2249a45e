package audit

import (
	"fmt"
	"slices"
	"time"
)

// settled are the states in which nothing more comes.
var settled = map[string]bool{
	"delivered": true, "failed": true, "skipped": true, "suppressed": true, "cancelled": true, "unknown": true,
}

// pair is one event to one webhook.
type pair struct{ event, webhook string }

// join is the work of one audit.
type join struct {
	in         Input
	report     Report
	webhooks   map[string]Webhook
	accepted   map[string]Accepted
	deliveries map[pair][]Delivery
	byID       map[string]Delivery
	arrivals   map[pair][]Arrival
	strangers  map[string]map[string]bool // by mark, the events that arrived although nobody has an answer for them
	kinds      map[string]int
	first      map[string]string
	order      []string
}

// Audit joins the three sides.
func Audit(in Input) Report {
	j := &join{
		in: in, webhooks: map[string]Webhook{}, accepted: map[string]Accepted{}, deliveries: map[pair][]Delivery{},
		byID: map[string]Delivery{}, arrivals: map[pair][]Arrival{}, strangers: map[string]map[string]bool{},
		kinds: map[string]int{}, first: map[string]string{},
	}
	for _, w := range in.Webhooks {
		j.webhooks[w.ID] = w
	}
	for _, a := range in.Accepted {
		j.accepted[a.ID] = a
	}
	for _, d := range in.Deliveries {
		p := pair{d.EventID, d.WebhookID}
		j.deliveries[p] = append(j.deliveries[p], d)
		j.byID[d.ID] = d
	}
	for _, a := range in.Arrivals {
		j.checkArrival(a)
	}
	for _, a := range in.Accepted {
		for _, id := range a.Webhooks {
			j.checkPair(a, j.webhooks[id])
		}
	}
	j.checkStrangers()
	j.checkSharing()
	j.checkDuplicates()
	for _, kind := range j.order {
		text := j.first[kind]
		if more := j.kinds[kind] - 1; more > 0 {
			text += fmt.Sprintf(" (and %d more of this kind)", more)
		}
		j.report.Violations = append(j.report.Violations, text)
	}
	return j.report
}

// violated notes a broken invariant; of each kind the first is told in full.
func (j *join) violated(kind, format string, args ...any) {
	if j.kinds[kind]++; j.kinds[kind] == 1 {
		j.first[kind] = kind + ": " + fmt.Sprintf(format, args...)
		j.order = append(j.order, kind)
	}
}

// checkArrival files one request under the pair that it belongs to, and looks at
// all that can be wrong with it by itself.
func (j *join) checkArrival(a Arrival) {
	p := pair{a.EventID, a.WebhookID}
	j.arrivals[p] = append(j.arrivals[p], a)
	if !a.Signed {
		j.violated("signature", "event %s arrived at webhook %s with a signature that does not verify", a.EventID, a.WebhookID)
	}
	event, known := j.accepted[a.EventID]
	if !known {
		if j.strangers[a.Mark] == nil {
			j.strangers[a.Mark] = map[string]bool{}
		}
		j.strangers[a.Mark][a.EventID] = true
		return
	}
	if w, ok := j.webhooks[a.WebhookID]; ok && w.Tenant != event.Tenant {
		j.violated("tenant", "event %s of tenant %s arrived at webhook %s of tenant %s", a.EventID, event.Tenant, w.ID, w.Tenant)
	}
	if !slices.Contains(event.Webhooks, a.WebhookID) {
		j.violated("unwanted", "event %s arrived at webhook %s, which does not want it", a.EventID, a.WebhookID)
	}
	if a.Mark != event.Mark {
		j.violated("body", "event %s arrived with the body %s, not its own %s", a.EventID, a.Mark, event.Mark)
	}
	d, ok := j.byID[a.DeliveryID]
	if !ok && !j.in.SkippedIsRight {
		j.violated("delivery id", "event %s arrived as delivery %s, which the ledger does not have", a.EventID, a.DeliveryID)
	}
	if ok && (d.EventID != a.EventID || d.WebhookID != a.WebhookID) {
		j.violated("webhook-id", "delivery %s arrived with the webhook-id %s, not its own %s", a.DeliveryID, a.EventID, d.EventID)
	}
}

// checkPair holds one event and one webhook to I1, I2 and I3.
func (j *join) checkPair(event Accepted, w Webhook) {
	p := pair{event.ID, w.ID}
	arrivals, found := j.arrivals[p], j.deliveries[p]
	j.report.Accepted++
	if len(arrivals) > 0 {
		j.report.Arrived++
		first := slices.MinFunc(arrivals, func(a, b Arrival) int { return a.At.Compare(b.At) })
		j.report.LongestDelay = max(j.report.LongestDelay, first.At.Sub(event.At))
	}
	if len(found) == 0 && j.in.SkippedIsRight {
		return
	}
	if len(found) != 1 {
		if len(found) == 0 {
			j.report.Lost++
		}
		j.violated("I1", "event %s has %d deliveries for webhook %s, not one", event.ID, len(found), w.ID)
		return
	}
	d := found[0]
	if d.State == "unknown" {
		j.report.Unknown++
	}
	j.checkState(d, w, len(arrivals))
	j.checkRepetition(d, w, len(arrivals))
}

// checkState is I1 and I2: the delivery has settled, and rightly.
func (j *join) checkState(d Delivery, w Webhook, arrived int) {
	switch {
	case !settled[d.State]:
		j.report.Lost++
		j.violated("I1", "delivery %s has not settled: %s", d.ID, d.State)
	case d.State == "delivered" && arrived == 0:
		j.report.Lost++
		j.violated("I2", "delivery %s is called delivered and has not arrived", d.ID)
	case d.State == "delivered" && (len(d.Attempts) == 0 || !d.Attempts[len(d.Attempts)-1].Success):
		j.violated("ledger", "delivery %s is delivered without an attempt that succeeded", d.ID)
	case d.State == "failed" && j.wronglyFailed(d, w):
		j.report.Lost++
	case (d.State == "skipped" || d.State == "cancelled" || d.State == "suppressed") && !j.in.SkippedIsRight:
		j.report.Lost++
		j.violated("I2", "delivery %s is %s, and nobody asked for that", d.ID, d.State)
	case d.State == "unknown" && !w.AtMostOnce:
		j.report.Lost++
		j.violated("I2", "delivery %s is unknown, and its webhook is at least once", d.ID)
	case d.State == "unknown" && len(j.in.Crashes) == 0:
		j.violated("I3", "delivery %s is unknown although nothing crashed", d.ID)
	}
	answered := 0
	for i, attempt := range d.Attempts {
		if attempt.Number != i+1 {
			j.violated("ledger", "attempt %d of delivery %s has the number %d", i+1, d.ID, attempt.Number)
		}
		if attempt.Status != 0 {
			answered++
		}
	}
	if answered > arrived && (arrived > 0 || d.State != "delivered") {
		j.violated("ledger", "delivery %s has %d answered attempts and arrived %d times", d.ID, answered, arrived)
	}
}

// wronglyFailed tells whether a delivery was given up without the failures that
// its policy asks for. Without a single one nobody has tried, whatever is known
// of the policy.
func (j *join) wronglyFailed(d Delivery, w Webhook) bool {
	failures := 0
	for _, attempt := range d.Attempts {
		if !attempt.Success {
			failures++
		}
	}
	switch {
	case w.Accepts:
		j.violated("I2", "delivery %s is failed, and its receiver only ever answered 2xx", d.ID)
	case failures == 0:
		j.violated("I2", "delivery %s is failed without an attempt that failed", d.ID)
	case failures < w.Attempts:
		j.violated("I2", "delivery %s was given up after %d of %d attempts", d.ID, failures, w.Attempts)
	default:
		return false
	}
	return true
}

// checkRepetition is I3 and I4 for one delivery: an arrival without an attempt
// of its own is the trace of a crash.
func (j *join) checkRepetition(d Delivery, w Webhook, arrived int) {
	succeeded := 0
	for _, attempt := range d.Attempts {
		if attempt.Success {
			succeeded++
		}
	}
	unrecorded := arrived - len(d.Attempts)
	if d.State == "unknown" {
		unrecorded-- // that it may have arrived is what unknown says
	}
	duplicates := max(unrecorded, succeeded-1, 0)
	j.report.Duplicates += duplicates
	if w.AtMostOnce && arrived > max(1, len(d.Attempts)) || w.AtMostOnce && w.Never && arrived > 1 {
		j.violated("I3", "delivery %s arrived %d times at an at-most-once webhook", d.ID, arrived)
	}
	if w.Never && len(d.Attempts) > 1 {
		j.violated("I3", "delivery %s has %d attempts, and its policy is never", d.ID, len(d.Attempts))
	}
	if duplicates > len(j.in.Crashes) {
		j.violated("I4", "delivery %s arrived %d times with %d attempts on record and %d crashes", d.ID, arrived, len(d.Attempts), len(j.in.Crashes))
	}
}

// checkDuplicates is I4 over the whole run.
func (j *join) checkDuplicates() {
	allowed := 0
	for _, crash := range j.in.Crashes {
		allowed += crash.InFlight
	}
	if j.report.Duplicates > allowed {
		j.violated("I4", "%d duplicates, and at most %d POSTs were in flight when a process died", j.report.Duplicates, allowed)
	}
}

// Within reports as a violation what took longer than the bound.
func (r Report) Within(bound time.Duration) Report {
	if r.LongestDelay > bound {
		r.Violations = append(slices.Clone(r.Violations),
			fmt.Sprintf("delay: the longest took %v, more than %v", r.LongestDelay.Round(time.Millisecond), bound))
	}
	return r
}
