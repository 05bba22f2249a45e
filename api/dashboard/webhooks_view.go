package dashboard

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// describe fills what the profile says of a webhook. Where that is missing, the
// webhook is shown as it is stored.
func (p *webhookPages) describe(view *showView) {
	profile, err := p.profileFor(&view.Webhook)
	if err != nil {
		view.Missing, view.Resumable, view.TimeoutSec = true, view.Status != models.StatusGone, view.TimeoutSeconds
		if policy, err := policyOf(&view.Webhook); err == nil && policy != nil {
			view.RetryText = retryText(*policy)
		}
		return
	}
	view.Title, view.TakesAny = profile.Title(), profile.AnyEvent()
	view.HasSecret = profile.SecretRule().Rule != provider.SecretNone
	view.Resumable = view.Status != models.StatusGone || profile.Gone() != provider.GoneFinal
	view.Samples = view.Events
	if slices.Contains(view.Events, anyEvent) {
		view.Samples = profile.EventNames()
	}
	s := webhook.Subscription{TimeoutSeconds: view.TimeoutSeconds}
	if s.Retry, err = policyOf(&view.Webhook); err != nil {
		return
	}
	view.RetryText = retryText(profile.Policy(s))
	view.TimeoutSec = int(profile.Timeout(s).Seconds())
}

// profileFor returns the profile of a webhook's provider. That it is missing is
// for whoever runs Posthaste to mend, and for nobody who fills in a form.
func (p *webhookPages) profileFor(hook *models.Webhook) (*provider.Profile, error) {
	profile, err := p.Providers.Profile(hook.Provider)
	return profile, errs.Wrap(err, errs.Unavailable, "%s", missingText(hook.Provider))
}

// missingText says that a provider's profile is missing, and what mends it.
func missingText(provider string) string {
	return "This process has no profile of the provider " + provider + ". Events for its webhooks wait until a worker has one. " +
		"Whoever runs Posthaste puts it into the folder that POSTHASTE_PROVIDERS_DIR names, and restarts it."
}

// policyOf reads a webhook's own retry policy; nil when it goes by its
// provider's.
func policyOf(hook *models.Webhook) (*webhook.RetryPolicy, error) {
	if len(hook.Retry) == 0 {
		return nil, nil //nolint:nilnil // no policy of its own is no failure
	}
	var policy webhook.RetryPolicy
	err := json.Unmarshal(hook.Retry, &policy)
	return &policy, errs.Wrap(err, errs.Internal, "The retry policy of webhook %s cannot be read", hook.ID)
}

// retryText says a policy in words.
func retryText(policy webhook.RetryPolicy) string {
	text := "Never: one attempt, whatever comes back"
	switch policy.Mode {
	case webhook.RetryNever:
	case webhook.RetryExponential:
		text = fmt.Sprintf("Up to %d attempts; the first wait is %s, each next one ×%s, at most %s", policy.MaxAttempts,
			span(policy.InitialSeconds), strconv.FormatFloat(policy.Factor, 'g', -1, 64), span(policy.MaxSeconds))
	case webhook.RetrySchedule:
		waits := make([]string, len(policy.DelaysSeconds))
		for i, seconds := range policy.DelaysSeconds {
			waits[i] = span(seconds)
		}
		text = "After " + strings.Join(waits, ", ")
	}
	if policy.OnCrash == webhook.CrashUnknown {
		text += "; at most once if a worker crashes"
	}
	return text
}

// span writes seconds as people do: 5 s, 30 min, 2 h, 1 d.
func span(seconds int) string {
	for _, unit := range []struct {
		length int
		name   string
	}{{86400, "d"}, {3600, "h"}, {60, "min"}} {
		if seconds >= unit.length && seconds%unit.length == 0 {
			return strconv.Itoa(seconds/unit.length) + nbsp + unit.name
		}
	}
	return strconv.Itoa(seconds) + nbsp + "s"
}

// hostOf is where a webhook leads, without what may be secret in its path.
func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" {
		return address
	}
	return parsed.Host
}

// eventsText says which events a webhook wants, briefly.
func eventsText(events []string) string {
	switch {
	case slices.Contains(events, anyEvent):
		return "Every event"
	case len(events) == 1:
		return events[0]
	default:
		return strconv.Itoa(len(events)) + " events"
	}
}

// eventGroup is a category of a provider's catalogue.
type eventGroup struct {
	Name   string
	Events []eventLine
}

// eventLine is an event type with all versions it exists in.
type eventLine struct {
	Type, Description string
	Versions          []string
}

// groups lists the catalogue by category, in its order.
func (f *hookForm) groups() []eventGroup {
	var groups []eventGroup
	_, standard := f.Profile.Versions()
	versions := map[string][]string{}
	for _, one := range f.Profile.EventTypes() {
		versions[one.Type] = append(versions[one.Type], one.Version)
	}
	listed := map[string]bool{}
	for _, one := range f.Profile.EventTypes() {
		if listed[one.Type] || one.Version != standard && slices.Contains(versions[one.Type], standard) {
			continue // it stands where the default version has it
		}
		listed[one.Type] = true
		at := slices.IndexFunc(groups, func(g eventGroup) bool { return g.Name == one.Category })
		if at < 0 {
			groups, at = append(groups, eventGroup{Name: one.Category}), len(groups)
		}
		line := eventLine{Type: one.Type, Description: one.Description}
		if one.Version != "" {
			line.Versions = versions[one.Type]
		}
		groups[at].Events = append(groups[at].Events, line)
	}
	return groups
}

// faultsOf returns what is wrong with a field and with what is inside it, each
// naming its place where there is one.
func (f *hookForm) faultsOf(field string) []string {
	var texts []string
	for _, path := range sortedKeys(f.Faults) {
		rest, within := strings.CutPrefix(path, field)
		switch {
		case !within:
		case rest == "":
			texts = append(texts, sentence(f.Faults[path]))
		case rest[0] == '[' || rest[0] == '.':
			texts = append(texts, f.placed(field, rest)+" "+ended(f.Faults[path]))
		}
	}
	return texts
}

// placed names a place inside a field: an event or a header by its name, a wait
// by its number.
func (f *hookForm) placed(field, rest string) string {
	rest = strings.Trim(rest, ".[]")
	at, err := strconv.Atoi(rest)
	switch {
	case err != nil:
		return rest
	case field == "events" && at < len(f.sent):
		return f.sent[at]
	default:
		return "Number " + strconv.Itoa(at+1)
	}
}

// formFields lists the fields that show their own faults.
var formFields = []string{
	"name", "url", "events", "sources", "version", "filters.campaignId", "filters.listId", "filters.schemaId", "headers",
	"retry.mode", "retry.onCrash", "retry.initialSeconds", "retry.factor", "retry.maxSeconds", "retry.maxAttempts",
	"retry.delaysSeconds", "timeoutSeconds", "maxPerSecond", "secret",
}

// strayFaults are those of fields that the form does not have.
func (f *hookForm) strayFaults() []string {
	var texts []string
	for _, path := range sortedKeys(f.Faults) {
		if !slices.ContainsFunc(formFields, func(field string) bool {
			rest, within := strings.CutPrefix(path, field)
			return within && (rest == "" || rest[0] == '[' || rest[0] == '.')
		}) {
			texts = append(texts, path+" "+ended(f.Faults[path]))
		}
	}
	return texts
}

// sentence makes a sentence of a fault, which says what a field must be.
func sentence(fault string) string { return ended(titled(fault)) }

// changeLine is one member in an entry of the audit log.
type changeLine struct{ Name, From, To string }

// changesOf reads the changes of an entry; what cannot be read is left out.
func changesOf(entry models.AuditEntry) []changeLine {
	var changes map[string]struct{ From, To json.RawMessage }
	if json.Unmarshal(entry.Changes, &changes) != nil {
		return nil
	}
	lines := make([]changeLine, 0, len(changes))
	for _, name := range sortedKeys(changes) {
		lines = append(lines, changeLine{name, valueText(changes[name].From), valueText(changes[name].To)})
	}
	return lines
}

// valueText writes a value of the audit log: texts without their quotes, and
// nothing for none.
func valueText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	shown := string(value)
	if slices.Contains([]string{"", "null", "[]", "{}", `""`}, shown) {
		return ""
	}
	return shown
}

// actionText names what was done, for people.
func actionText(action string) string { return titled(strings.ReplaceAll(action, "-", " ")) }

// actorText names who did it.
func actorText(by models.Actor) string {
	switch {
	case by.Kind == models.ActorSystem:
		return "Posthaste"
	case by.Name == "":
		return "a token"
	case by.Kind == models.ActorAPIKey:
		return "API key " + by.Name
	default:
		return by.Name
	}
}

// p95Text writes the 95th percentile of a webhook's attempts.
func p95Text(h health) string {
	if h.Timed == 0 {
		return "–"
	}
	return latencyText(h.P95)
}

// allSamples names the choice of one sample of each event.
func allSamples(names []string) string {
	if len(names) == 1 {
		return "The one it subscribes to"
	}
	return "One of each of its " + strconv.Itoa(len(names)) + " events"
}
