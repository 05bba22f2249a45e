package activities

import (
	"cmp"
	"fmt"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook/provider"
)

// sifted is what of an input this process can plan, and what it cannot.
type sifted struct {
	rows     []models.Event
	wire     map[string]*Event // by id
	profiles map[string]*provider.Profile
	later    []string // ids
}

// sift separates the events that this process can plan from the others. What
// could go wrong with one goes wrong here, before the ledger's transaction begins.
// It fails when nothing is left to plan, or not all and no part was asked for.
func (a *Activities) sift(in ResolveInput, workflowID, runID string) (sifted, error) {
	known := sifted{
		rows: make([]models.Event, 0, len(in.Events)), wire: make(map[string]*Event, len(in.Events)),
		profiles: make(map[string]*provider.Profile, 1),
	}
	var failure error
	for i := range in.Events {
		event := &in.Events[i]
		profile, err := a.profileFor(event)
		var row models.Event
		if err == nil {
			row, err = ledgerEvent(*event, workflowID, runID)
		}
		if err != nil {
			failure = cmp.Or(failure, err)
			known.later = append(known.later, event.ID)
			continue
		}
		known.rows = append(known.rows, row)
		known.wire[event.ID], known.profiles[event.Provider] = event, profile
	}
	if failure != nil && (!in.Partly || len(known.rows) == 0) {
		return sifted{}, failure
	}
	return known, nil
}

// profileFor returns the provider of an event, if this process knows it and has
// the event's type in its catalogue.
func (a *Activities) profileFor(event *Event) (*provider.Profile, error) {
	profile, err := a.profile(event.Provider)
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", event.ID, err)
	}
	if !profile.Knows(event.Type) {
		return nil, errs.New(errs.Internal, "event %s: this process does not know the type %s of provider %s yet", event.ID, event.Type, event.Provider)
	}
	return profile, nil
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
