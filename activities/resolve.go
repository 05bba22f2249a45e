package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"

	"posthaste/failpoint"
	"posthaste/models"
	"posthaste/webhook/provider"
)

// ResolveSubscriptions writes each event and one delivery per webhook that wants
// it into the ledger, in one transaction. Run again after a crash it reads the
// ledger back, with what is already done. An event that belongs to another
// workflow run is reported as a duplicate, and nothing is made for it. Where it is
// asked for a part, events that this process cannot plan do not hold up the others.
func (a *Activities) ResolveSubscriptions(ctx context.Context, in ResolveInput) (ResolveResult, error) {
	run := activity.GetInfo(ctx).WorkflowExecution
	turns := a.newTurns()
	known, err := a.sift(in, run.ID, run.RunID)
	if err != nil {
		return ResolveResult{}, temporalError(err)
	}
	resolved, err := a.store.Resolve(ctx, models.ResolveInput{Events: known.rows, Match: a.matcher(known, turns)})
	if err != nil {
		return ResolveResult{}, temporalError(fmt.Errorf("resolve %d events: %w", len(known.rows), err))
	}
	result := ResolveResult{Events: make([]Resolved, 0, len(resolved)), Later: known.later}
	left := RunSize - in.Handled // what this run still handles itself
	for _, event := range resolved {
		if event.Reused {
			a.logger.WarnContext(ctx, "event not delivered: its Idempotency-Key stands for another one, which came at the same time",
				"tenant", in.Events[0].Tenant, "event", event.EventID)
		}
		planned := plan(event, left)
		turns.give(event.Deliveries, planned.Deliveries)
		left -= len(planned.Deliveries)
		result.Events = append(result.Events, planned)
	}
	turns.giveFast(in.Events[0].Tenant)
	failpoint.Here(failpoint.AfterResolve)
	return result, nil
}

// ReadPage reads one page of an event's deliveries back from the ledger.
func (a *Activities) ReadPage(ctx context.Context, in PageInput) (PageResult, error) {
	deliveries, err := a.store.EventDeliveries(ctx, in.Tenant, in.EventID, in.After, PageSize)
	if err != nil {
		return PageResult{}, temporalError(fmt.Errorf("read the deliveries of event %s: %w", in.EventID, err))
	}
	result := PageResult{Deliveries: make([]Planned, 0, len(deliveries))}
	for _, delivery := range deliveries {
		result.Deliveries = append(result.Deliveries, planned(delivery))
	}
	return result, nil
}

// matcher returns which of a tenant's webhooks want an event, by the rules of
// its provider.
func (a *Activities) matcher(known sifted, turns *turns) func(models.Event, []models.Webhook) []models.Match {
	return func(event models.Event, webhooks []models.Webhook) []models.Match {
		profile := known.profiles[event.Provider]
		var matches []models.Match
		for i := range webhooks {
			if match, wanted := a.match(profile, known.wire[event.ID], &webhooks[i]); wanted {
				matches = append(matches, match)
				turns.note(&webhooks[i])
			}
		}
		return matches
	}
}

// match asks the profile about one event and one webhook. Most webhooks of a
// tenant do not want an event: what only a delivery needs is worked out last.
func (a *Activities) match(profile *provider.Profile, event *Event, candidate *models.Webhook) (models.Match, bool) {
	subscription := viewOf(candidate)
	decision := profile.Match(*event, subscription)
	match := models.Match{WebhookID: candidate.ID, Reason: decision.Reason}
	switch decision.Verdict {
	case provider.Deliver:
		match.State = models.StatePending
	case provider.Skip:
		match.State = models.StateSkipped
	case provider.Suppress:
		match.State = models.StateSuppressed
	case provider.Ignore:
		return models.Match{}, false
	}
	match.Lane = string(a.laneFor(candidate))
	match.TimeoutSeconds = int(profile.Timeout(subscription).Seconds())
	return match, true
}

// plan tells the workflow what to do for one event. It handles so many more
// deliveries itself.
func plan(event models.ResolvedEvent, left int) Resolved {
	result := Resolved{EventID: event.EventID, Duplicate: event.Duplicate}
	if len(event.Deliveries) > min(PageSize, left) {
		for i := 0; i < len(event.Deliveries); i += PageSize {
			after := ""
			if i > 0 {
				after = event.Deliveries[i-1].ID
			}
			result.Pages = append(result.Pages, after)
		}
		return result
	}
	for _, delivery := range event.Deliveries {
		result.Deliveries = append(result.Deliveries, planned(delivery))
	}
	return result
}

// planned tells the workflow where a delivery stands and where it goes.
func planned(delivery models.Delivery) Planned {
	p := Planned{
		DeliveryID: delivery.ID, EventID: delivery.EventID, State: delivery.State,
		Name: delivery.WebhookName, Host: delivery.Host, TimeoutSeconds: delivery.TimeoutSeconds,
	}
	if !delivery.State.Settled() {
		p.Lane = Lane(delivery.Lane)
	}
	if delivery.State == models.StateRetrying {
		p.Lane = LaneDurable
	}
	return p
}

// laneFor routes a new delivery. The fast lane is for webhooks that behave, as
// the ledger and this process have seen them, and that have no rate limit to
// wait for; all others have the durable lane, where they hold up nobody.
func (a *Activities) laneFor(w *models.Webhook) Lane {
	if w.MaxPerSecond > 0 || w.FailedInARow > 0 || !a.fitness.fit(w.ID) {
		return LaneDurable
	}
	return LaneFast
}
