package dashboard

import (
	"net/http"
	"slices"
	"strings"

	"posthaste/webhook/provider"
	"posthaste/webhook/signing"

	"github.com/gin-gonic/gin"
)

// cataloguePages show what events there are and how a receiver verifies them.
type cataloguePages struct{ *Dashboard }

// catalogueView is a provider's catalogue.
type catalogueView struct {
	Profile    *provider.Profile
	Providers  []choice
	Categories []category
	Schemes    []schemeView
}

// category is a part of a catalogue.
type category struct {
	Name   string
	Events []sampleView
}

// sampleView is an event type in one version.
type sampleView struct {
	provider.EventType
	Data, Custom string // the sample, for people
}

// schemeView is how requests of a version are signed, and the code that verifies
// them.
type schemeView struct {
	Version  string // "" for providers without versions
	Signed   bool
	Headers  []string
	Content  string // what the signature covers
	Times    string // what is said of the request's time
	Standard bool
	Snippets []snippet
}

func (p *cataloguePages) show(c *gin.Context) error {
	profile, err := p.profileOf(c.Query("provider"))
	if err != nil {
		return err
	}
	view := catalogueView{Profile: profile, Providers: p.webhooks.providerChoices(), Categories: categories(profile)}
	if view.Schemes, err = schemes(profile); err != nil {
		return err
	}
	return p.render(c, http.StatusOK, page{Title: "Event catalogue", Nav: "/catalogue", Body: catalogue(view)})
}

// categories groups the catalogue, in its order.
func categories(profile *provider.Profile) []category {
	var list []category
	for _, one := range profile.EventTypes() {
		at := slices.IndexFunc(list, func(known category) bool { return known.Name == one.Category })
		if at < 0 {
			list, at = append(list, category{Name: one.Category}), len(list)
		}
		list[at].Events = append(list[at].Events, sampleView{one, pretty(one.Sample), pretty(one.SampleCustomData)})
	}
	return list
}

// schemes says how the provider signs, for each of its versions.
func schemes(profile *provider.Profile) ([]schemeView, error) {
	names, _ := profile.Versions()
	if len(names) == 0 {
		names = []string{""}
	}
	var list []schemeView
	for _, version := range slices.Backward(names) { // the newest first
		signer, known := profile.Signer(version)
		if !known {
			continue
		}
		spec := signer.Spec()
		view := schemeView{Version: version, Headers: signer.Headers(), Content: spec.Content, Standard: spec.Scheme == schemeStandard}
		if view.Standard {
			view.Content = "{webhook-id}.{webhook-timestamp}.{body}"
		}
		view.Times = timesText(spec)
		var err error
		if view.Snippets, err = snippetsOf(spec); err != nil {
			return nil, err
		}
		view.Signed = len(view.Snippets) > 0
		list = append(list, view)
	}
	return list, nil
}

// slug makes an id for a place in the page of a name.
func slug(name string) string {
	return "at-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// timesText says what keeps an old request from being sent again by somebody
// else.
func timesText(spec signing.Spec) string {
	p := schemeParts(spec)
	switch {
	case spec.Scheme == schemeStandard, p.Time && p.Covers("t"):
		return "A time more than five minutes off is refused."
	case p.Time:
		return "A time more than five minutes off is refused; the signature does not cover it, so remember what you have seen, too."
	default:
		return "No time is sent, so remember what you have seen: somebody who listened could send it again."
	}
}
