package dashboard

import (
	"strconv"
	"strings"

	"posthaste/webhook"
	"posthaste/webhook/provider"
)

// field is an input of a form.
type field struct {
	Name, Label, Value string
	Path               string // the API's name of it; "" = Name
	Type               string // "" = text
	Placeholder, Hint  string
	Optional           string // what leaving it empty means; "" = it must not be empty
	Keyboard           string // which one a phone shows
	Class              string
	Mono               bool
}

func (one field) kind() string {
	if one.Type == "" {
		return "text"
	}
	return one.Type
}

func (one field) path() string {
	if one.Path == "" {
		return one.Name
	}
	return one.Path
}

// described names what a screen reader reads after the label.
func (one field) described(f *hookForm) string {
	var ids []string
	if len(f.faultsOf(one.path())) > 0 {
		ids = append(ids, one.Name+"-fault")
	}
	if one.Hint != "" {
		ids = append(ids, one.Name+"-hint")
	}
	return strings.Join(ids, " ")
}

func (f *hookForm) action() string {
	if f.Hook == nil {
		return "/webhooks"
	}
	return hookPath(f.Hook, "/edit")
}

// summary heads a form that was refused.
func (f *hookForm) summary() string {
	switch len(f.Faults) {
	case 0:
		return ended(f.Message)
	case 1:
		return "One field has to be mended; nothing was saved."
	default:
		return strconv.Itoa(len(f.Faults)) + " fields have to be mended; nothing was saved."
	}
}

func (f *hookForm) nameOptional() string {
	if f.Profile.NameRequired() {
		return ""
	}
	return "empty = the address's host"
}

// secretHint says how the secret comes about; "" when there is nothing to give.
func (f *hookForm) secretHint() string {
	switch f.Profile.SecretRule().Rule {
	case provider.SecretEither:
		return "Leave it empty and one is made, which the next page shows once."
	case provider.SecretGiven:
		return "Your receiver checks signatures with it."
	case provider.SecretGenerated, provider.SecretNone:
	}
	return ""
}

func (f *hookForm) secretOptional() string {
	rule := f.Profile.SecretRule()
	switch {
	case rule.Required:
		return ""
	case rule.Rule == provider.SecretGiven:
		return "empty = not signed"
	default:
		return "optional"
	}
}

func (f *hookForm) defaultTimeout() string {
	return strconv.Itoa(int(f.Profile.Timeout(webhook.Subscription{}).Seconds()))
}

func (f *hookForm) timeoutOptional() string {
	return "1 to " + strconv.Itoa(f.Profile.LongestTimeout()) + "; empty = " + f.defaultTimeout()
}

// headerRows are the headers with some empty rows below.
func (f *hookForm) headerRows() [][2]string {
	return append(f.Headers[:len(f.Headers):len(f.Headers)], make([][2]string, spareHeaders)...)
}

// modeLabel names a retry mode for people.
func modeLabel(mode webhook.RetryMode) string {
	switch mode {
	case webhook.RetryNever:
		return "Never try again"
	case webhook.RetryExponential:
		return "Try again, with waits that grow"
	case webhook.RetrySchedule:
		return "Try again, with waits that you list"
	default:
		return string(mode)
	}
}

// filterLabel names a filter for people.
func filterLabel(one provider.Filter) string {
	switch one {
	case provider.FilterCampaign:
		return "Campaign"
	case provider.FilterList:
		return "List"
	case provider.FilterSchema:
		return "Schema"
	default:
		return string(one)
	}
}
