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
	Glances(ctx context.Context, tenant string, webhookIDs []string, since, until time.Time) (map[string]models.Glance, error)
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

// hookStatuses lists what a webhook can be, as the list offers it.
func hookStatuses() []string {
	return []string{models.StatusActive, models.StatusPaused, models.StatusBroken, models.StatusGone}
}

// choice is one that a form offers.
type choice struct{ Value, Label string }

func (p *webhookPages) list(c *gin.Context) error {
	who, given := viewerOf(c), readFilters(c)
	status := given.oneOf("status", hookStatuses()...)
	if err := given.done(); err != nil {
		return err
	}
	view := listView{
		Provider: c.Query("provider"), Status: status,
		Providers: p.providerChoices(), Here: c.Request.URL.RequestURI(),
	}
	found, err := p.store.Webhooks(c.Request.Context(), models.WebhookFilter{
		Tenant: who.Tenant, Provider: view.Provider, Status: view.Status, Limit: webhooksShown, Cursor: c.Query("cursor"),
	})
	if err != nil {
		return err
	}
	view.Next, view.First = pagePaths(c, found.NextCursor)
	states, err := p.healths(c.Request.Context(), who.Tenant, found.Items...)
	if err != nil {
		return err
	}
	for _, hook := range found.Items {
		view.Rows = append(view.Rows, hookRow{hook, states[hook.ID]})
	}
	return p.render(c, http.StatusOK, page{Title: "Webhooks", Nav: "/webhooks", Body: webhookList(view)})
}

// healths reads what came of the attempts of webhooks of late, by their ids, and
// of many with as few reads as of one.
func (p *webhookPages) healths(ctx context.Context, tenant string, hooks ...models.Webhook) (map[string]health, error) {
	ids := make([]string, len(hooks))
	for i := range hooks {
		ids[i] = hooks[i].ID
	}
	glances, err := p.store.Glances(ctx, tenant, ids, p.Now().Add(-healthSpan), p.Now())
	if err != nil {
		return nil, err
	}
	states := make(map[string]health, len(glances))
	for id, seen := range glances {
		state := health{Last: seen.Last, Attempts: seen.Attempts, Failed: seen.Failed, P95: models.Quantile(seen.Latency, 0.95)}
		for _, count := range seen.Latency {
			state.Timed += count
		}
		states[id] = state
	}
	return states, nil
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
	SignsUntil *time.Time // when the old secret stops
	Samples    []string   // event types that a test can send
	TakesAny   bool
	HasSecret  bool
	Resumable  bool
	Missing    bool // its provider's profile is
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
	states, err := p.healths(c.Request.Context(), hook.Tenant, hook)
	if err != nil {
		return err
	}
	recent, err := p.store.History(c.Request.Context(), models.HistoryFilter{
		Tenant: hook.Tenant, WebhookID: hook.ID, Limit: recentShown,
	})
	if err != nil {
		return err
	}
	view := showView{hookRow: hookRow{hook, states[hook.ID]}, Title: hook.Provider, Recent: recent.Items, SignsUntil: hook.OverlapUntil(p.Now())}
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
