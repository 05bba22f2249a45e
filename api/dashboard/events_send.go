package dashboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"posthaste/errs"
	"posthaste/webhook"
	"posthaste/webhook/provider"

	"github.com/gin-gonic/gin"
)

// sendForm is the form for an event, as it was typed.
type sendForm struct {
	Profile                      *provider.Profile
	Type, Source, OccurredAt     string
	Data, CustomData, Attributes string // JSON
	Faults                       map[string]string
	Message                      string
}

// sources lists what a form offers for where an event comes from; "" is the
// provider's default.
func sources() []choice {
	list := []choice{{"", "Default"}}
	for _, one := range webhook.Sources() {
		list = append(list, choice{string(one), titled(string(one))})
	}
	return list
}

// senders lists the providers whose events may come from outside.
func (p *eventPages) senders() []choice {
	return slices.DeleteFunc(p.webhooks.providerChoices(), func(one choice) bool {
		profile, err := p.Providers.Profile(one.Value)
		return err != nil || profile.Internal()
	})
}

// profileOf finds the provider that a form names; without one, the default.
func (d *Dashboard) profileOf(name string) (*provider.Profile, error) {
	if name == "" {
		name = d.DefaultProvider
	}
	return d.Providers.Profile(name)
}

// senderOf is profileOf for who has an event to send.
func (d *Dashboard) senderOf(name string) (*provider.Profile, error) {
	profile, err := d.profileOf(name)
	if err == nil && profile.Internal() {
		return nil, errs.InvalidField("provider", "is not for sending: its events are made by Posthaste alone")
	}
	return profile, err
}

// newPage has the form for an event, filled in with the sample of a type or with
// an earlier event.
func (p *eventPages) newPage(c *gin.Context) error {
	if id := c.Query("like"); id != "" {
		return p.likeAnother(c, id)
	}
	profile, err := p.senderOf(c.Query("provider"))
	if err != nil {
		return err
	}
	form := sendForm{Profile: profile, Type: c.Query("type")}
	if form.Type == "" && len(profile.EventNames()) > 0 {
		form.Type = profile.EventNames()[0]
	}
	if sample, known := profile.Sample(form.Type, ""); known {
		form.fill(sample)
	} else if sample, known := anyVersion(profile, form.Type); known {
		form.fill(sample)
	}
	return p.form(c, http.StatusOK, form)
}

// anyVersion finds a sample of a type that the default version does not have.
func anyVersion(profile *provider.Profile, name string) (provider.EventType, bool) {
	types := profile.EventTypes()
	i := slices.IndexFunc(types, func(one provider.EventType) bool { return one.Type == name })
	if i < 0 {
		return provider.EventType{}, false
	}
	return types[i], true
}

func (f *sendForm) fill(sample provider.EventType) {
	f.Data, f.CustomData = pretty(sample.Sample), pretty(sample.SampleCustomData)
	if text, err := json.Marshal(sample.SampleAttributes); err == nil {
		f.Attributes = pretty(text)
	}
	if sample.SampleSource != webhook.SourceSystem { // the default
		f.Source = string(sample.SampleSource)
	}
}

func (p *eventPages) likeAnother(c *gin.Context, id string) error {
	found, err := p.store.Event(c.Request.Context(), viewerOf(c).Tenant, id)
	if err != nil {
		return err
	}
	profile, err := p.senderOf(found.Provider)
	if err != nil {
		return err
	}
	return p.form(c, http.StatusOK, sendForm{
		Profile: profile, Type: found.Type, Source: found.Source,
		Data: pretty(found.Data), CustomData: pretty(found.CustomData), Attributes: pretty(found.Attributes),
	})
}

func (p *eventPages) form(c *gin.Context, status int, form sendForm) error {
	return p.render(c, status, page{Title: "Send an event", Nav: "/events", Trail: eventTrail(), Body: eventForm(&form, p.senders())})
}

// send hands an event to the API, and what the API says of it back to the form.
func (p *eventPages) send(c *gin.Context) error {
	given := func(name string) string { return strings.TrimSpace(c.Request.PostFormValue(name)) }
	profile, err := p.senderOf(given("provider"))
	if err != nil {
		return err
	}
	form := sendForm{
		Profile: profile, Type: given("type"), Source: given("source"), OccurredAt: given("occurredAt"),
		Data: given("data"), CustomData: given("customData"), Attributes: given("attributes"), Faults: map[string]string{},
	}
	body := map[string]any{"provider": profile.Name(), "type": form.Type}
	for name, text := range map[string]string{"source": form.Source, "occurredAt": wireMoment(form.OccurredAt)} {
		if text != "" {
			body[name] = text
		}
	}
	for name, text := range map[string]string{"data": form.Data, "customData": form.CustomData, "attributes": form.Attributes} {
		if fault := jsonFault(text); fault != "" {
			form.Faults[name] = fault
			body[name] = struct{}{} // the API may have something to say of the rest
		} else if text != "" {
			body[name] = json.RawMessage(text)
		}
	}
	if len(form.Faults) > 0 {
		form.Message = "The event is not well-formed"
		return p.form(c, http.StatusUnprocessableEntity, form)
	}
	var made struct{ ID string }
	if err := p.ask(c, http.MethodPost, "/api/events", body, &made); err != nil {
		faults, message, mendable := canBeMended(err)
		if !mendable {
			return err
		}
		maps.Copy(form.Faults, faults)
		form.Message = message
		return p.form(c, http.StatusUnprocessableEntity, form)
	}
	return p.tell(c, sentPath(made.ID, p.Now()), flash{Text: "The event was accepted: " + form.Type + "."})
}

// jsonFault says where a text stops being JSON; "" when it is none or sound.
func jsonFault(text string) string {
	if text == "" {
		return ""
	}
	var value json.RawMessage
	err := json.Unmarshal([]byte(text), &value)
	if err == nil {
		return ""
	}
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		return "must be JSON"
	}
	before := text[:min(int(syntax.Offset), len(text))]
	line := 1 + strings.Count(before, "\n")
	return fmt.Sprintf("must be JSON: %s, in line %d", syntax.Error(), line)
}

// faultsOf returns what is wrong with a field and with what is inside it.
func (f *sendForm) faultsOf(field string) []string {
	var texts []string
	for _, path := range sortedKeys(f.Faults) {
		rest, within := strings.CutPrefix(path, field)
		switch {
		case !within:
		case rest == "":
			texts = append(texts, sentence(f.Faults[path]))
		case rest[0] == '[' || rest[0] == '.':
			texts = append(texts, strings.TrimPrefix(rest, ".")+" "+ended(f.Faults[path]))
		}
	}
	return texts
}

// strayFaults are those of members that the form does not have.
func (f *sendForm) strayFaults() []string {
	var texts []string
	for _, path := range sortedKeys(f.Faults) {
		if !slices.ContainsFunc([]string{"type", "source", "occurredAt", "data", "customData", "attributes"}, func(field string) bool {
			return path == field || strings.HasPrefix(path, field+".") || strings.HasPrefix(path, field+"[")
		}) {
			texts = append(texts, path+" "+ended(f.Faults[path]))
		}
	}
	return texts
}

// more tells whether the rarer fields are to be seen at once.
func (f *sendForm) more() bool {
	if f.CustomData != "" || f.Attributes != "" || f.OccurredAt != "" {
		return true
	}
	for _, name := range []string{"customData", "attributes", "occurredAt", "source"} {
		if len(f.faultsOf(name)) > 0 {
			return true
		}
	}
	return false
}

// refusedWhy returns the message above a form that was refused; the fields say
// the rest.
func (f *sendForm) refusedWhy() string {
	if len(f.Faults) > 0 {
		return "The event was not sent: " + counted(int64(len(f.Faults)), "field") + " to mend."
	}
	return ended(f.Message)
}
