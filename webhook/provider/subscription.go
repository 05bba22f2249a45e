package provider

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"posthaste/webhook"
)

// Limits of a webhook.
const (
	maxNameLength  = 200
	maxEvents      = 256
	maxFilterChars = 256
	// MaxTimeoutSeconds is the longest that any provider may let an attempt take.
	MaxTimeoutSeconds = 30
)

// CheckSubscription holds a webhook that is created or changed to the profile
// and returns what is wrong with it by the API's field names (url, events[1],
// sources[0], version, filters.listId, headers.X-Team, retry.mode,
// timeoutSeconds, name, secret). It fills the default version and name and puts
// header names into canonical form.
//
// Secrets holds what the caller gave in this request and nothing else; leave it
// empty when a change gives none. Where a given secret is required, creating a
// webhook without one is for the caller to refuse (SecretRule().Required).
func (p *Profile) CheckSubscription(s *webhook.Subscription, rules URLRules) map[string]string {
	faults := map[string]string{}
	if fault := p.schema.URL.check(s.URL, rules); fault != "" {
		faults["url"] = fault
	}
	p.checkName(s, faults)
	p.checkVersion(s, faults)
	p.checkEvents(s, faults)
	p.checkSources(s, faults)
	p.checkFilters(s.Filters, faults)
	s.Headers = p.normaliseHeaders(s.Headers, faults)
	p.checkRetry(s.Retry, faults)
	if longest := p.schema.Timeout.MaxSeconds; s.TimeoutSeconds < 0 || s.TimeoutSeconds > longest {
		faults["timeoutSeconds"] = fmt.Sprintf("must be between 1 and %d", longest)
	}
	for _, secret := range s.Secrets {
		if fault := p.CheckSecret(secret); fault != "" {
			faults["secret"] = fault
		}
	}
	return faults
}

// checkName fills an absent name with the URL's host.
func (p *Profile) checkName(s *webhook.Subscription, faults map[string]string) {
	s.Name = strings.TrimSpace(s.Name)
	switch {
	case s.Name == "" && p.schema.NameRequired:
		faults["name"] = "is required"
	case s.Name == "":
		if parsed, err := url.Parse(s.URL); err == nil {
			s.Name = parsed.Hostname()
		}
	case utf8.RuneCountInString(s.Name) > maxNameLength:
		faults["name"] = fmt.Sprintf("must be at most %d characters", maxNameLength)
	case !utf8.ValidString(s.Name) || strings.ContainsFunc(s.Name, unicode.IsControl):
		faults["name"] = "must be text without control characters"
	}
}

func (p *Profile) checkVersion(s *webhook.Subscription, faults map[string]string) {
	names, standard := p.Versions()
	switch {
	case s.Version == "":
		s.Version = standard
	case len(names) == 0:
		faults["version"] = fmt.Sprintf("has no meaning: %s has no versions", p.schema.Title)
	case !slices.Contains(names, s.Version):
		faults["version"] = "must be one of " + strings.Join(names, ", ")
	}
}

func (p *Profile) checkEvents(s *webhook.Subscription, faults map[string]string) {
	switch {
	case len(s.Events) == 0:
		faults["events"] = "must name at least one event"
		return
	case len(s.Events) > maxEvents:
		faults["events"] = fmt.Sprintf("must name at most %d events", maxEvents)
		return
	}
	seen := map[string]bool{}
	for i, name := range s.Events {
		field := fmt.Sprintf("events[%d]", i)
		switch {
		case seen[name]:
			faults[field] = "is listed twice"
		case name == anyEventName && len(s.Events) > 1:
			faults[field] = "must stand alone: it means every event"
		case name != anyEventName:
			if fault := p.eventFault(name, s.Version); fault != "" {
				faults[field] = fault
			}
		}
		seen[name] = true
	}
}

// eventFault says why webhooks of the version cannot have the event. A version
// that does not exist is a fault of its own.
func (p *Profile) eventFault(name, version string) string {
	if len(p.kindsOf(name)) == 0 {
		return p.unknownEvent(name)
	}
	if _, known := p.generation(version); !known {
		return ""
	}
	if _, known := p.kind(version, name); !known {
		return "is no event of version " + version
	}
	return ""
}

func (p *Profile) checkSources(s *webhook.Subscription, faults map[string]string) {
	if len(s.Sources) > 0 && !p.schema.Sources {
		faults["sources"] = fmt.Sprintf("has no meaning: events of %s are not chosen by source", p.schema.Title)
		return
	}
	seen := map[webhook.Source]bool{}
	for i, source := range s.Sources {
		field := fmt.Sprintf("sources[%d]", i)
		if !slices.Contains(webhook.Sources(), source) {
			faults[field] = "must be one of " + joined(webhook.Sources())
		} else if seen[source] {
			faults[field] = "is listed twice"
		}
		seen[source] = true
	}
}

func (p *Profile) checkFilters(filters webhook.Filters, faults map[string]string) {
	for _, given := range []struct {
		filter Filter
		value  string
	}{{FilterCampaign, filters.CampaignID}, {FilterList, filters.ListID}, {FilterSchema, filters.SchemaID}} {
		field := "filters." + string(given.filter)
		switch {
		case given.value == "":
		case !slices.Contains(p.schema.Filters, given.filter):
			faults[field] = fmt.Sprintf("has no meaning: %s has no such filter", p.schema.Title)
		case utf8.RuneCountInString(given.value) > maxFilterChars:
			faults[field] = fmt.Sprintf("must be at most %d characters", maxFilterChars)
		}
	}
}

func (p *Profile) checkRetry(policy *webhook.RetryPolicy, faults map[string]string) {
	if policy == nil {
		return
	}
	for field, fault := range policy.Validate() {
		faults["retry."+field] = fault
	}
	if modes := p.schema.Retry.Modes; faults["retry.mode"] == "" && !slices.Contains(modes, policy.Mode) {
		faults["retry.mode"] = "must be " + joined(modes)
	}
}
