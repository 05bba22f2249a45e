package api

import (
	"net/http"

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

// named returns the profile of the name; of the default when it is empty. An
// unknown name is Invalid on the field "provider".
func (p profiles) named(name string) (*provider.Profile, error) {
	if name == "" {
		name = p.otherwise
	}
	return p.registry.Profile(name)
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
	profile, err := h.profiles.named(name)
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
