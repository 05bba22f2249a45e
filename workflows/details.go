package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"posthaste/activities"
)

// What a person reads in Temporal Web UI. Limits of the server: a summary has
// at most 400 bytes, details at most 20,000. Sealing adds 60 bytes to a summary,
// its quotes 2.
const (
	maxSummaryBytes = 320
	maxDetailLines  = 100
)

// Summary is the one line by which an event's workflow is known:
// "order.paid · tenant acme", or "64 events · tenant acme".
func Summary(events []activities.Event) string {
	what := fmt.Sprintf("%d events", len(events))
	if len(events) == 1 {
		what = events[0].Type
	}
	if events[0].Test {
		what += " (test)"
	}
	return clip(fmt.Sprintf("%s · tenant %s", what, events[0].Tenant), maxSummaryBytes)
}

// summary names the webhook and its host: "CRM · hooks.acme.dev".
func (d *delivery) summary() string {
	if d.Name == "" {
		return clip(d.Host, maxSummaryBytes)
	}
	return clip(d.Name+" · "+d.Host, maxSummaryBytes)
}

// sliceSummary names one delivery, or counts and names several.
func sliceSummary(slice []*delivery) string {
	if len(slice) == 1 {
		return slice[0].summary()
	}
	names := make([]string, len(slice))
	for i, d := range slice {
		names[i] = d.summary()
	}
	return clip(fmt.Sprintf("%d deliveries: %s", len(slice), strings.Join(names, ", ")), maxSummaryBytes)
}

// show puts the list of deliveries under "current details". It is called only
// when something waits: a workflow that ends in its first task is read by its
// result.
func (r *round) show(ctx workflow.Context) {
	var text strings.Builder
	if r.waiting > 0 {
		fmt.Fprintf(&text, "- %d of %d events wait until their webhooks are found: see Pending Activities\n", r.waiting, len(r.events))
	}
	for i, d := range r.deliveries {
		if i == maxDetailLines {
			fmt.Fprintf(&text, "- and %d more\n", len(r.deliveries)-i)
			break
		}
		fmt.Fprintf(&text, "- **%s** %s\n", clip(d.summary(), 80), d.standing())
	}
	workflow.SetCurrentDetails(ctx, text.String())
}

// standing says how a settled delivery ended. Of one that waits, this workflow
// knows only that: its attempts and its next time change without it, and stand
// under pending activities.
func (d *delivery) standing() string {
	switch {
	case d.inLine:
		return "waits for its turn: its webhook, or its tenant, has enough under way"
	case !d.State.Settled():
		return "waits: see Pending Activities"
	case d.reason != "":
		return fmt.Sprintf("%s after %d attempts (%s)", d.State, d.attempts, d.reason)
	case d.attempts > 1:
		return fmt.Sprintf("%s after %d attempts", d.State, d.attempts)
	default:
		return string(d.State)
	}
}

// report sets the outcome attribute when not everything was delivered, and
// returns the counts.
func (r *round) report(ctx workflow.Context) (DeliverEventResult, error) {
	for _, outcome := range activities.Undelivered() {
		if r.counts[string(outcome)] == 0 {
			continue
		}
		if err := workflow.UpsertTypedSearchAttributes(ctx, AttributeOutcome.ValueSet(string(outcome))); err != nil {
			return DeliverEventResult{}, fmt.Errorf("set the outcome attribute: %w", err)
		}
		break
	}
	return DeliverEventResult{Deliveries: r.counts}, nil
}

// clip shortens text to at most limit bytes, at a character's edge.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	const ellipsis = "…"
	cut := limit - len(ellipsis)
	for cut > 0 && text[cut]&0xC0 == 0x80 {
		cut--
	}
	return text[:cut] + ellipsis
}
