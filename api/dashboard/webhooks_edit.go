package dashboard

import (
	"net/http"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/webhook/provider"

	"github.com/gin-gonic/gin"
)

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
	profile, err := p.profileFor(&hook)
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
