package dashboard

import (
	"context"
	"net/http"
	"time"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// latestShown is how many events the overview shows.
const latestShown = 8

// overviewPages show how it goes: overall, and for one webhook.
type overviewPages struct {
	*Dashboard
	store ledgerStore
}

// overviewView is how it goes overall.
type overviewView struct {
	Charts  charts
	Trouble trouble
	Latest  []models.Event
	None    bool // there is no webhook yet
	Here    string
}

func (p *overviewPages) show(c *gin.Context) error {
	ctx, tenant := c.Request.Context(), viewerOf(c).Tenant
	view, given := overviewView{Here: c.Request.URL.RequestURI()}, readFilters(c)
	span := given.oneOf("span", chartSpanNames()...)
	if err := given.done(); err != nil {
		return err
	}
	hooks, err := p.store.Webhooks(ctx, models.WebhookFilter{Tenant: tenant, Limit: 1})
	if err != nil {
		return err
	}
	view.None = len(hooks.Items) == 0
	if view.Trouble, err = findTrouble(ctx, p.store, tenant); err != nil {
		return err
	}
	latest, err := p.store.Events(ctx, models.EventFilter{Tenant: tenant, Limit: latestShown})
	if err != nil {
		return err
	}
	view.Latest = latest.Items
	if view.Charts, err = p.charts(ctx, tenant, "", span); err != nil {
		return err
	}
	return p.render(c, http.StatusOK, page{Title: "Overview", Nav: "/", Body: overview(view)})
}

// charts reads and draws how it went, for a webhook or ("") for all.
func (p *overviewPages) charts(ctx context.Context, tenant, webhookID, name string) (charts, error) {
	span := spanNamed(name)
	step := map[string]time.Duration{models.ByHour: time.Hour, models.ByDay: 24 * time.Hour}[span.step]
	until := p.Now().Truncate(step).Add(step) // the end of the hour or day that it is
	buckets, err := p.store.Stats(ctx, models.StatsFilter{
		Tenant: tenant, WebhookID: webhookID, Since: until.Add(-span.length), Until: until, Step: span.step,
	})
	if err != nil {
		return charts{}, err
	}
	return drawn(span, buckets), nil
}

// chartsView is how it goes for one webhook.
type chartsView struct {
	Hook   models.Webhook
	Charts charts
	Here   string
}

func (p *overviewPages) webhook(c *gin.Context) error {
	hook, err := p.hookOf(c, p.store)
	if err != nil {
		return err
	}
	view, given := chartsView{Hook: hook, Here: c.Request.URL.RequestURI()}, readFilters(c)
	span := given.oneOf("span", chartSpanNames()...)
	if err := given.done(); err != nil {
		return err
	}
	if view.Charts, err = p.charts(c.Request.Context(), hook.Tenant, hook.ID, span); err != nil {
		return err
	}
	return p.render(c, http.StatusOK, webhookPage(&hook, "Charts", webhookCharts(view)))
}
