package dashboard

import (
	"context"
	"fmt"

	"posthaste/models"
)

// How much trouble the overview shows, and among how many webhooks it looks for
// it, every time that it is shown.
const (
	troubleShown  = 5
	troubleSought = 1000
)

// trouble is the webhooks that somebody should look at.
type trouble struct {
	Hooks   []models.Webhook
	More    int  // of them that are not shown
	Partial bool // there are more webhooks than were looked at
}

// webhookLister lists webhooks, page by page.
type webhookLister interface {
	Webhooks(ctx context.Context, filter models.WebhookFilter) (models.Page[models.Webhook], error)
}

// findTrouble looks for webhooks that get nothing, which the store finds by
// their status, and then for those that fail among the active ones.
func findTrouble(ctx context.Context, store webhookLister, tenant string) (trouble, error) {
	var found trouble
	left := troubleSought
	for _, status := range []string{models.StatusBroken, models.StatusGone, models.StatusActive} {
		filter := models.WebhookFilter{Tenant: tenant, Status: status}
		for more := true; more; more = filter.Cursor != "" {
			filter.Limit = min(max(left, 1), models.MaxPage) // 1 tells whether there is any more
			hooks, err := store.Webhooks(ctx, filter)
			if err != nil {
				return trouble{}, err
			}
			if left == 0 && len(hooks.Items) > 0 {
				found.Partial = true
				return found, nil
			}
			found.add(hooks.Items)
			left -= len(hooks.Items)
			filter.Cursor = hooks.NextCursor
		}
	}
	return found, nil
}

// add takes in those of a page of webhooks that are in trouble.
func (t *trouble) add(hooks []models.Webhook) {
	for _, hook := range hooks {
		switch {
		case hook.Status == models.StatusActive && hook.FailingSince == nil:
		case len(t.Hooks) == troubleShown:
			t.More++
		default:
			t.Hooks = append(t.Hooks, hook)
		}
	}
}

// partlySought says that there may be more trouble than was found.
func partlySought() string {
	return fmt.Sprintf("You have so many webhooks that only %d of them were looked at for trouble.", troubleSought)
}
