package audit

import (
	"maps"
	"slices"
)

// checkStrangers allows for each event of unknown fate that it was accepted all
// the same, once. Whoever asked for at most once gets even such an event once.
func (j *join) checkStrangers() {
	unanswered := map[string]int{}
	for _, mark := range j.in.Unanswered {
		unanswered[mark]++
	}
	for _, mark := range slices.Sorted(maps.Keys(j.strangers)) {
		arrived := len(j.strangers[mark])
		j.report.Uncertain += arrived
		if arrived > unanswered[mark] {
			j.violated("stranger", "%d events with the body %s arrived that nobody has an answer for, and %d such requests had none",
				arrived, mark, unanswered[mark])
		}
	}
	for p, arrivals := range j.arrivals {
		_, known := j.accepted[p.event]
		if w := j.webhooks[p.webhook]; !known && w.AtMostOnce && w.Never && len(arrivals) > 1 {
			j.violated("I3", "event %s, which nobody has an answer for, arrived %d times at an at-most-once webhook", p.event, len(arrivals))
		}
	}
}

// checkSharing counts the events that share a workflow, and holds that these are
// not a few by chance where they must: of a burst of ten the first alone has none
// to share with, and a load may have quiet parts.
func (j *join) checkSharing() {
	began := map[string]map[string]bool{} // the events of a workflow
	for _, d := range j.in.Deliveries {
		if _, known := j.accepted[d.EventID]; !known || d.WorkflowID == "" {
			continue
		}
		if began[d.WorkflowID] == nil {
			began[d.WorkflowID] = map[string]bool{}
		}
		began[d.WorkflowID][d.EventID] = true
	}
	for _, events := range began {
		if len(events) > 1 {
			j.report.Shared += len(events)
		}
	}
	j.report.Events = len(j.accepted)
	if j.in.MustShare && j.report.Shared < j.report.Events/4 {
		j.violated("sharing", "only %d of %d events shared a workflow with another", j.report.Shared, j.report.Events)
	}
}
