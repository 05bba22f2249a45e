package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook"
	"posthaste/webhook/provider"

	"github.com/gin-gonic/gin"
)

// anyEvent in a webhook's events stands for every type.
const anyEvent = "*"

// providerRetry is the retry mode of webhooks that have no policy of their own.
const providerRetry = ""

// hookForm is what the form of a webhook holds, as it was typed: so it can be
// shown again beside what is wrong with it.
type hookForm struct {
	Profile *provider.Profile
	Hook    *models.Webhook // nil while it is being created

	Name, URL              string
	Every                  bool            // every event
	Events                 map[string]bool // those of the catalogue that are ticked
	More                   string          // names beside the catalogue, one a line
	Sources                map[string]bool
	Version                string
	Campaign, List, Schema string
	Headers                [][2]string
	Mode, OnCrash          string
	Initial, Factor, Max   string
	Attempts, Delays       string
	Timeout, MaxPerSecond  string
	Secret                 string

	Faults  map[string]string // by the API's field names
	Message string            // of the whole form
	sent    []string          // events in the order in which the API was sent them
}

// spareHeaders is how many empty rows the form has for further headers; sending
// it shows more.
const spareHeaders = 2

// newForm is the form of a webhook of the provider before anything is typed.
func newForm(profile *provider.Profile) *hookForm {
	_, version := profile.Versions()
	return &hookForm{Profile: profile, Events: map[string]bool{}, Sources: map[string]bool{}, Version: version, Every: profile.AnyEvent()}
}

// formOf is the form of a webhook as it is. Headers come from the API, which
// masks what is secret.
func formOf(hook *models.Webhook, profile *provider.Profile, headers map[string]string) (*hookForm, error) {
	f := newForm(profile)
	f.Hook, f.Name, f.URL, f.Version = hook, hook.Name, hook.URL, hook.Version
	f.setEvents(hook.Events)
	for _, source := range hook.Sources {
		f.Sources[source] = true
	}
	f.Campaign, f.List, f.Schema = hook.Filters.CampaignID, hook.Filters.ListID, hook.Filters.SchemaID
	for _, name := range sortedKeys(headers) {
		f.Headers = append(f.Headers, [2]string{name, headers[name]})
	}
	f.Timeout, f.MaxPerSecond = numberText(hook.TimeoutSeconds), numberText(hook.MaxPerSecond)
	policy, err := policyOf(hook)
	if err != nil || policy == nil {
		return f, err
	}
	f.Mode, f.OnCrash = string(policy.Mode), string(policy.OnCrash)
	f.Initial, f.Max, f.Attempts = numberText(policy.InitialSeconds), numberText(policy.MaxSeconds), numberText(policy.MaxAttempts)
	if policy.Factor != 0 {
		f.Factor = strconv.FormatFloat(policy.Factor, 'g', -1, 64)
	}
	delays := make([]string, len(policy.DelaysSeconds))
	for i, delay := range policy.DelaysSeconds {
		delays[i] = strconv.Itoa(delay)
	}
	f.Delays = strings.Join(delays, ", ")
	return f, nil
}

// setEvents ticks what the catalogue lists and writes down the rest.
func (f *hookForm) setEvents(names []string) {
	f.Every = slices.Contains(names, anyEvent)
	listed := f.Profile.EventNames()
	more := []string{}
	for _, name := range names {
		switch {
		case name == anyEvent:
		case slices.Contains(listed, name):
			f.Events[name] = true
		default:
			more = append(more, name)
		}
	}
	f.More = strings.Join(more, "\n")
}

// readForm is the form as a browser sent it.
func readForm(c *gin.Context, profile *provider.Profile, hook *models.Webhook) *hookForm {
	sent := c.Request.PostForm
	f := &hookForm{
		Profile: profile, Hook: hook, Name: sent.Get("name"), URL: strings.TrimSpace(sent.Get("url")),
		Every: sent.Get("every") == "yes", Events: ticked(sent, "events"), More: sent.Get("moreEvents"),
		Sources: ticked(sent, "sources"), Version: sent.Get("version"),
		Campaign: sent.Get("campaignId"), List: sent.Get("listId"), Schema: sent.Get("schemaId"),
		Mode: sent.Get("mode"), OnCrash: sent.Get("onCrash"),
		Initial: sent.Get("initialSeconds"), Factor: sent.Get("factor"), Max: sent.Get("maxSeconds"),
		Attempts: sent.Get("maxAttempts"), Delays: sent.Get("delaysSeconds"),
		Timeout: sent.Get("timeoutSeconds"), MaxPerSecond: sent.Get("maxPerSecond"), Secret: sent.Get("secret"),
	}
	names, values := sent["headerName"], sent["headerValue"]
	for i, name := range names {
		if i < len(values) && (strings.TrimSpace(name) != "" || values[i] != "") {
			f.Headers = append(f.Headers, [2]string{strings.TrimSpace(name), values[i]})
		}
	}
	return f
}

func ticked(sent url.Values, name string) map[string]bool {
	on := map[string]bool{}
	for _, value := range sent[name] {
		on[value] = true
	}
	return on
}

// body is the request that the API gets for the form. What a number should be
// and is none goes as text, so that the API says what it wants.
func (f *hookForm) body() map[string]any {
	body := map[string]any{
		"name": f.Name, "url": f.URL, "events": f.events(), "headers": f.headers(), "retry": f.retry(),
		"timeoutSeconds": optionalNumber(f.Timeout), "maxPerSecond": optionalNumber(f.MaxPerSecond),
	}
	if f.Profile.HasSources() {
		body["sources"] = sortedKeys(f.Sources)
	}
	if names, _ := f.Profile.Versions(); len(names) > 0 {
		body["version"] = f.Version
	}
	if offered := f.Profile.Filters(); len(offered) > 0 {
		filters := map[string]string{}
		for _, one := range offered {
			filters[string(one)] = strings.TrimSpace(f.filter(one))
		}
		body["filters"] = filters
	}
	if f.Hook == nil {
		body["provider"] = f.Profile.Name()
		if f.Secret != "" {
			body["secret"] = f.Secret
		}
	}
	return body
}

// events lists what the form asks for, the catalogue's first and in its order.
func (f *hookForm) events() []string {
	f.sent = []string{}
	if f.Every {
		f.sent = append(f.sent, anyEvent)
		return f.sent
	}
	for _, name := range f.Profile.EventNames() {
		if f.Events[name] {
			f.sent = append(f.sent, name)
		}
	}
	for _, name := range strings.FieldsFunc(f.More, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ' ' }) {
		if !slices.Contains(f.sent, name) {
			f.sent = append(f.sent, name)
		}
	}
	return f.sent
}

func (f *hookForm) headers() map[string]string {
	headers := map[string]string{}
	for _, row := range f.Headers {
		headers[row[0]] = row[1]
	}
	return headers
}

func (f *hookForm) filter(one provider.Filter) string {
	switch one {
	case provider.FilterCampaign:
		return f.Campaign
	case provider.FilterList:
		return f.List
	case provider.FilterSchema:
		return f.Schema
	default:
		return ""
	}
}

// retry is the policy; nil is the provider's own. Only what belongs to the mode
// is sent: the form keeps the fields of all three.
func (f *hookForm) retry() any {
	if f.Mode == providerRetry {
		return nil
	}
	policy := map[string]any{"mode": f.Mode}
	if f.OnCrash != "" {
		policy["onCrash"] = f.OnCrash
	}
	switch webhook.RetryMode(f.Mode) {
	case webhook.RetryExponential:
		for name, text := range map[string]string{"initialSeconds": f.Initial, "factor": f.Factor, "maxSeconds": f.Max, "maxAttempts": f.Attempts} {
			if strings.TrimSpace(text) != "" {
				policy[name] = numberOrText(text)
			}
		}
	case webhook.RetrySchedule:
		delays := []any{}
		for _, text := range strings.FieldsFunc(f.Delays, func(r rune) bool { return strings.ContainsRune(" ,;\r\n\t", r) }) {
			delays = append(delays, numberOrText(text))
		}
		policy["delaysSeconds"] = delays
	case webhook.RetryNever:
	}
	return policy
}

func optionalNumber(text string) any {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	return numberOrText(text)
}

func numberText(number int) string {
	if number == 0 {
		return ""
	}
	return strconv.Itoa(number)
}

// newPage shows the form for a webhook of the provider that was chosen.
func (p *webhookPages) newPage(c *gin.Context) error {
	profile, err := p.profile(c.Query("provider"))
	if err != nil {
		return err
	}
	return p.showForm(c, http.StatusOK, newForm(profile))
}

// profile returns the provider of a name; the default one for none.
func (p *webhookPages) profile(name string) (*provider.Profile, error) {
	if name == "" {
		name = p.DefaultProvider
	}
	profile, err := p.Providers.Profile(name)
	return profile, errs.Wrap(err, errs.NotFound, "There is no such provider")
}

func (p *webhookPages) showForm(c *gin.Context, status int, f *hookForm) error {
	if f.Hook != nil {
		return p.render(c, status, webhookPage(f.Hook, "Edit", webhookForm(f, nil)))
	}
	return p.render(c, status, page{
		Title: "New webhook", Nav: "/webhooks", Trail: []crumb{{"Webhooks", "/webhooks"}}, Body: webhookForm(f, p.providerChoices()),
	})
}

// create makes a webhook; the next page shows its secret once.
func (p *webhookPages) create(c *gin.Context) error {
	profile, err := p.profile(c.Request.PostFormValue("provider"))
	if err != nil {
		return err
	}
	f := readForm(c, profile, nil)
	var made struct{ ID, Name, Secret string }
	if err := p.ask(c, http.MethodPost, "/api/webhooks", f.body(), &made); err != nil {
		return p.refused(c, f, err)
	}
	secret := made.Secret
	if f.Secret != "" { // whoever gave it has it
		secret = ""
	}
	return p.tell(c, "/webhooks/"+made.ID, flash{Text: made.Name + " was created and is active.", Secret: secret})
}

// editPage shows the form of a webhook as it is.
func (p *webhookPages) editPage(c *gin.Context) error {
	hook, profile, err := p.findBoth(c)
	if err != nil {
		return err
	}
	var shown struct{ Headers map[string]string }
	if err := p.ask(c, http.MethodGet, apiPath(&hook, ""), nil, &shown); err != nil {
		return err
	}
	f, err := formOf(&hook, profile, shown.Headers)
	if err != nil {
		return err
	}
	return p.showForm(c, http.StatusOK, f)
}

// edit changes a webhook into what the form says.
func (p *webhookPages) edit(c *gin.Context) error {
	hook, profile, err := p.findBoth(c)
	if err != nil {
		return err
	}
	f := readForm(c, profile, &hook)
	if err := p.ask(c, http.MethodPatch, apiPath(&hook, ""), f.body(), nil); err != nil {
		return p.refused(c, f, err)
	}
	return p.tell(c, hookPath(&hook, ""), flash{Text: "Saved. Deliveries that wait go by the new settings."})
}

func (p *webhookPages) findBoth(c *gin.Context) (models.Webhook, *provider.Profile, error) {
	hook, err := p.find(c)
	if err != nil {
		return hook, nil, err
	}
	profile, err := p.Providers.Profile(hook.Provider)
	return hook, profile, err
}

// refused shows the form again, with what is wrong.
func (p *webhookPages) refused(c *gin.Context, f *hookForm, err error) error {
	var mendable bool
	if f.Faults, f.Message, mendable = canBeMended(err); !mendable {
		return err
	}
	return p.showForm(c, http.StatusUnprocessableEntity, f)
}
