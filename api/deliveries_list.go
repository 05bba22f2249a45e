package api

import (
	"slices"
	"strings"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// list shows the deliveries of a webhook, with those of which nothing was sent,
// that its history does not know.
func (h *deliveries) list(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	filter := models.DeliveryFilter{
		Tenant: tenantOf(c), WebhookID: id, States: q.states(), Limit: q.limit(defaultLimit), Cursor: q.cursor(),
	}
	if err := q.done(); err != nil {
		return err
	}
	page, err := h.store.WebhookDeliveries(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	return respondPage(c, paginationOf(filter.Limit, page.NextCursor), showDeliveries(page.Items))
}

// states returns the states that a list is narrowed to, one or several with
// commas between them; nil when absent.
func (q *query) states() []models.State {
	text := q.text("state")
	if text == "" {
		return nil
	}
	var states []models.State
	for _, word := range strings.Split(text, ",") {
		state := models.State(word)
		if !slices.Contains(models.States(), state) {
			q.faults["state"] = "must be one or more of " + joined(models.States()) + ", with commas between them"
			return nil
		}
		if !slices.Contains(states, state) {
			states = append(states, state)
		}
	}
	return states
}

func joined(states []models.State) string {
	words := make([]string, len(states))
	for i, state := range states {
		words[i] = string(state)
	}
	return strings.Join(words, ", ")
}
