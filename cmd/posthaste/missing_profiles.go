package main

import (
	"context"
	"slices"

	"posthaste/api"
)

// warnOfMissingProfiles names the providers that have webhooks and no profile in
// this process: most often a setting was forgotten, and nothing else would say so
// before somebody misses an event. It is no failure, since other processes may
// have the profiles.
func (s *system) warnOfMissingProfiles(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, api.CheckTimeout)
	defer cancel()
	used, err := s.store.ProvidersInUse(ctx)
	if err != nil {
		s.logger.WarnContext(ctx, "cannot look for webhooks of providers that this process does not know", "error", err)
		return
	}
	known := s.providers.Names()
	missing := slices.DeleteFunc(used, func(name string) bool { return slices.Contains(known, name) })
	if len(missing) > 0 {
		s.logger.WarnContext(ctx, "this process does not know the providers of some webhooks, whose events wait until a worker does: set POSTHASTE_PROVIDERS_DIR to the folder with their profiles",
			"providers", missing)
	}
}
