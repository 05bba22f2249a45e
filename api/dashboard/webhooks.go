package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"posthaste/models"

	"github.com/a-h/templ"

	"github.com/gin-gonic/gin"
)

// webhookStore is what the pages of webhooks read. All find only the tenant's
// own: anything else is errs.NotFound.
type webhookStore interface {
	Webhook(ctx context.Context, tenant, id string) (models.Webhook, error)
	Webhooks(ctx context.Context, filter models.WebhookFilter) (models.Page[models.Webhook], error)
	History(ctx context.Context, filter models.HistoryFilter) (models.Page[models.Attempt], error)
	Stats(ctx context.Context, filter models.StatsFilter) ([]models.StatsBucket, error)
	Audit(ctx context.Context, filter models.AuditFilter) (models.Page[models.AuditEntry], error)
}

// How much the pages show at once.
const (
	webhooksShown = 25
	recentShown   = 10
	auditShown    = 25
	healthSpan    = 24 * time.Hour
)

// webhookPages are the pages of webhooks.
type webhookPages struct {
	*Dashboard
	store webhookStore
}

// health is how a webhook does: what came of its last attempt, and of those of
// the last day.
type health struct {
	Last             *models.Attempt // nil when there was none
	Attempts, Failed int64
	P95              time.Duration // of those that sent something
	Timed            int64         // how many did
}

// hookRow is a webhook in the list.
type hookRow struct {
	models.Webhook
	health
}

// listView is the list of webhooks.
type listView struct {
	Rows             []hookRow
	Providers        []choice
	Provider, Status string
	Next, First      string // paths; "" = none
	Here             string
}

// choice is one that a form offers.
type choice struct{ Value, Label string }

func (p *webhookPages) list(c *gin.Context) error {
	who := viewerOf(c)
	view := listView{
		Provider: c.Query("provider"), Status: c.Query("status"),
		Providers: p.providerChoices(), Here: c.Request.URL.RequestURI(),
	}
	found, err := p.store.Webhooks(c.Request.Context(), models.WebhookFilter{
		Tenant: who.Tenant, Provider: view.Provider, Status: view.Status, Limit: webhooksShown, Cursor: c.Query("cursor"),
	})
	if err != nil {
		return err
	}
	view.Next, view.First = pagePaths(c, found.NextCursor)
	for _, hook := range found.Items {
		state, err := p.health(c.Request.Context(), &hook)
		if err != nil {
			return err
		}
		view.Rows = append(view.Rows, hookRow{hook, state})
	}
	return p.render(c, http.StatusOK, page{Title: "Webhooks", Nav: "/webhooks", Body: webhookList(view)})
}

// health reads what came of a webhook's attempts of late.
func (p *webhookPages) health(ctx context.Context, hook *models.Webhook) (health, error) {
	var state health
	last, err := p.store.History(ctx, models.HistoryFilter{Tenant: hook.Tenant, WebhookID: hook.ID, Limit: 1})
	if err != nil {
		return state, err
	}
	if len(last.Items) > 0 {
		state.Last = &last.Items[0]
	}
	buckets, err := p.store.Stats(ctx, models.StatsFilter{
		Tenant: hook.Tenant, WebhookID: hook.ID, Since: p.Now().Add(-healthSpan), Until: p.Now(), Step: models.ByHour,
	})
	if err != nil {
		return state, err
	}
	latency := make([]int64, len(models.LatencyBuckets())+1)
	for _, bucket := range buckets {
		state.Attempts += bucket.Attempts
		state.Failed += bucket.Failed
		for i, count := range bucket.Latency {
			latency[i] += count
			state.Timed += count
		}
	}
	state.P95 = models.Quantile(latency, 0.95)
	return state, nil
}

// pagePaths returns where the next and the first page of a list are.
func pagePaths(c *gin.Context, nextCursor string) (next, first string) {
	query := c.Request.URL.Query()
	at := func(cursor string) string {
		query.Del("cursor")
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		if len(query) == 0 {
			return c.Request.URL.Path
		}
		return c.Request.URL.Path + "?" + query.Encode()
	}
	given := query.Get("cursor")
	if nextCursor != "" {
		next = at(nextCursor)
	}
	if given != "" {
		first = at("")
	}
	return next, first
}

// providerChoices lists the providers; the default one first.
func (p *webhookPages) providerChoices() []choice {
	list := []choice{}
	for _, name := range p.Providers.Names() {
		label := name
		if profile, err := p.Providers.Profile(name); err == nil {
			label = profile.Title()
		}
		list = append(list, choice{name, label})
	}
	slices.SortStableFunc(list, func(a, b choice) int {
		switch p.DefaultProvider {
		case a.Value:
			return -1
		case b.Value:
			return 1
		}
		return 0
	})
	return list
}

// showView is one webhook.
type showView struct {
	hookRow
	Title      string // of its provider
	Recent     []models.Attempt
	Samples    []string // event types that a test can send
	TakesAny   bool
	HasSecret  bool
	Resumable  bool
	RetryText  string
	TimeoutSec int
}

// find reads the webhook of the path.
func (p *webhookPages) find(c *gin.Context) (models.Webhook, error) {
	id, err := pathID(c, "webhook")
	if err != nil {
		return models.Webhook{}, err
	}
	return p.store.Webhook(c.Request.Context(), viewerOf(c).Tenant, id)
}

func (p *webhookPages) show(c *gin.Context) error {
	hook, err := p.find(c)
	if err != nil {
		return err
	}
	state, err := p.health(c.Request.Context(), &hook)
	if err != nil {
		return err
	}
	recent, err := p.store.History(c.Request.Context(), models.HistoryFilter{
		Tenant: hook.Tenant, WebhookID: hook.ID, Limit: recentShown,
	})
	if err != nil {
		return err
	}
	view := showView{hookRow: hookRow{hook, state}, Title: hook.Provider, Recent: recent.Items}
	p.describe(&view)
	return p.render(c, http.StatusOK, webhookPage(&hook, "", webhookOverview(view)))
}

// webhookPage is a page of one webhook: of the tab, which is "" for the first.
func webhookPage(hook *models.Webhook, title string, body templ.Component) page {
	trail := []crumb{{"Webhooks", "/webhooks"}}
	if title == "" {
		title = hook.Name
	} else {
		trail = append(trail, crumb{hook.Name, hookPath(hook, "")})
	}
	return page{Title: title, Nav: "/webhooks", Trail: trail, Body: body}
}

// hookPath is the path of a webhook's page or of something beneath it.
func hookPath(hook *models.Webhook, beneath string) string {
	return "/webhooks/" + url.PathEscape(hook.ID) + beneath
}

// auditView is what was done to a webhook.
type auditView struct {
	Hook        models.Webhook
	Entries     []models.AuditEntry
	Next, First string
}

func (p *webhookPages) audit(c *gin.Context) error {
	hook, err := p.find(c)
	if err != nil {
		return err
	}
	found, err := p.store.Audit(c.Request.Context(), models.AuditFilter{
		Tenant: hook.Tenant, WebhookID: hook.ID, Limit: auditShown, Cursor: c.Query("cursor"),
	})
	if err != nil {
		return err
	}
	view := auditView{Hook: hook, Entries: found.Items}
	view.Next, view.First = pagePaths(c, found.NextCursor)
	return p.render(c, http.StatusOK, webhookPage(&hook, "Audit log", webhookAudit(view)))
}
