package api

import (
	"net/http"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/provider"

	"github.com/gin-gonic/gin"
)

// profiles finds the profile that a request is about.
type profiles struct {
	registry  *provider.Registry
	otherwise string // the name that stands for none
	rules     provider.URLRules
}

// chosen returns the profile of the provider that a request names; of the default
// when it names none. An unknown one is Invalid on the field "provider".
func (p profiles) chosen(name string) (*provider.Profile, error) {
	if name == "" {
		name = p.otherwise
	}
	return p.registry.Profile(name)
}

// named returns the profile of the provider that a stored webhook names. That it
// is missing is nothing the caller sent: another process may have it, and this
// one will when its folder is back.
func (p profiles) named(name string) (*provider.Profile, error) {
	profile, err := p.registry.Profile(name)
	return profile, errs.Wrap(err, errs.Unavailable,
		"This process does not know the provider %q of this webhook: its profile is missing from POSTHASTE_PROVIDERS_DIR", name)
}

// eventTypes answers which events there are.
type eventTypes struct {
	profiles profiles
}

// eventTypeBody is one event type in detail. The sample and the members behind it
// are those of an event that can be enqueued.
type eventTypeBody struct {
	Type        string             `json:"type"`
	Version     *string            `json:"version"`
	Category    *string            `json:"category"`
	Description *string            `json:"description"`
	Sample      webhook.JSON       `json:"sample"`
	Source      webhook.Source     `json:"source,omitempty"`
	Attributes  webhook.Attributes `json:"attributes,omitzero"`
	CustomData  webhook.JSON       `json:"customData,omitempty"`
}

func showEventType(one provider.EventType) eventTypeBody {
	shown := eventTypeBody{
		Type: one.Type, Version: optionalText(one.Version), Category: optionalText(one.Category),
		Description: optionalText(one.Description),
		Sample:      one.Sample, Attributes: one.SampleAttributes, CustomData: one.SampleCustomData,
	}
	if one.SampleSource != webhook.SourceSystem { // the default
		shown.Source = one.SampleSource
	}
	return shown
}

// list answers with the names in catalogue order, or with everything known of
// each.
func (h *eventTypes) list(c *gin.Context) error {
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	name, detail := q.text("provider"), q.flag("detail")
	if err := q.done(); err != nil {
		return err
	}
	profile, err := h.profiles.chosen(name)
	if err != nil {
		return err
	}
	if detail == nil || !*detail {
		return respond(c, http.StatusOK, profile.EventNames())
	}
	types := []eventTypeBody{}
	for _, one := range profile.EventTypes() {
		types = append(types, showEventType(one))
	}
	return respond(c, http.StatusOK, types)
}
