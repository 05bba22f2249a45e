package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"

	"posthaste/errs"
	"posthaste/failpoint"
	"posthaste/models"
	"posthaste/webhook/provider"
)

// ResolveSubscriptions writes each event and one delivery per webhook that wants
// it into the ledger, in one transaction. Run again after a crash it reads the
// ledger back, with what is already done. An event that belongs to another
// workflow run is reported as a duplicate, and nothing is made for it.
func (a *Activities) ResolveSubscriptions(ctx context.Context, in ResolveInput) (ResolveResult, error) {
	run := activity.GetInfo(ctx).WorkflowExecution
	turns := a.newTurns()
	match, err := a.matcher(in.Events, turns)
	if err != nil {
		return ResolveResult{}, temporalError(err)
	}
	request := models.ResolveInput{Match: match}
	for _, event := range in.Events {
		row, err := ledgerEvent(event, run.ID, run.RunID)
		if err != nil {
			return ResolveResult{}, temporalError(err)
		}
		request.Events = append(request.Events, row)
	}
	resolved, err := a.store.Resolve(ctx, request)
	if err != nil {
		return ResolveResult{}, temporalError(fmt.Errorf("resolve %d events: %w", len(in.Events), err))
	}
	result := ResolveResult{Events: make([]Resolved, 0, len(resolved))}
	left := RunSize // what this run still handles itself
	for _, event := range resolved {
		planned := plan(event, left)
		turns.give(event.Deliveries, planned.Deliveries)
		left -= len(planned.Deliveries)
		result.Events = append(result.Events, planned)
	}
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
// its provider. What could go wrong goes wrong here, before the ledger's
// transaction begins.
func (a *Activities) matcher(events []Event, turns *turns) (func(models.Event, []models.Webhook) []models.Match, error) {
	wire := make(map[string]*Event, len(events))
	profiles := make(map[string]*provider.Profile, 1)
	for i := range events {
		event := &events[i]
		profile, err := a.profile(event.Provider)
		if err != nil {
			return nil, fmt.Errorf("event %s: %w", event.ID, err)
		}
		if !profile.Knows(event.Type) {
			return nil, errs.New(errs.Internal, "event %s: this process does not know the type %s of provider %s yet", event.ID, event.Type, event.Provider)
		}
		wire[event.ID], profiles[event.Provider] = event, profile
	}
	return func(event models.Event, webhooks []models.Webhook) []models.Match {
		profile := profiles[event.Provider]
		var matches []models.Match
		for i := range webhooks {
			if match, wanted := a.match(profile, wire[event.ID], &webhooks[i]); wanted {
				matches = append(matches, match)
				turns.note(&webhooks[i])
			}
		}
		return matches
	}, nil
}

// profile returns a provider. One that was accepted at a door and is not known
// here is known to another process, or will be: a roll-out of profiles is under
// way, or a folder is missing. The event waits.
func (a *Activities) profile(name string) (*provider.Profile, error) {
	profile, err := a.providers.Profile(name)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "this process does not know the provider %s yet", name)
	}
	return profile, nil
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
