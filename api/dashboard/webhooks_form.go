package dashboard

import (
	"slices"
	"strconv"
	"strings"

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
	f := &hookForm{
		Profile: profile, Hook: hook, Name: c.PostForm("name"), URL: strings.TrimSpace(c.PostForm("url")),
		Every: c.PostForm("every") == "yes", Events: ticked(c, "events"), More: c.PostForm("moreEvents"),
		Sources: ticked(c, "sources"), Version: c.PostForm("version"),
		Campaign: c.PostForm("campaignId"), List: c.PostForm("listId"), Schema: c.PostForm("schemaId"),
		Mode: c.PostForm("mode"), OnCrash: c.PostForm("onCrash"),
		Initial: c.PostForm("initialSeconds"), Factor: c.PostForm("factor"), Max: c.PostForm("maxSeconds"),
		Attempts: c.PostForm("maxAttempts"), Delays: c.PostForm("delaysSeconds"),
		Timeout: c.PostForm("timeoutSeconds"), MaxPerSecond: c.PostForm("maxPerSecond"), Secret: c.PostForm("secret"),
	}
	names, values := c.PostFormArray("headerName"), c.PostFormArray("headerValue")
	for i, name := range names {
		if i < len(values) && (strings.TrimSpace(name) != "" || values[i] != "") {
			f.Headers = append(f.Headers, [2]string{strings.TrimSpace(name), values[i]})
		}
	}
	return f
}

func ticked(c *gin.Context, name string) map[string]bool {
	on := map[string]bool{}
	for _, value := range c.PostFormArray(name) {
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
