package dashboard

import (
	"context"
	"strconv"
	"testing"
	"time"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// manyHooks is a store of so many webhooks per status, all in trouble; a cursor
// is how many came before.
type manyHooks map[string]int

func (m manyHooks) Webhooks(_ context.Context, filter models.WebhookFilter) (models.Page[models.Webhook], error) {
	before, _ := strconv.Atoi(filter.Cursor)
	var page models.Page[models.Webhook]
	for len(page.Items) < filter.Limit && before+len(page.Items) < m[filter.Status] {
		page.Items = append(page.Items, models.Webhook{Status: filter.Status, FailingSince: &time.Time{}})
	}
	if next := before + len(page.Items); next < m[filter.Status] {
		page.NextCursor = strconv.Itoa(next)
	}
	return page, nil
}

func TestTroubleIsCountedHonestly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		give    manyHooks
		shown   int
		more    int
		partial bool
	}{
		{manyHooks{}, 0, 0, false},
		{manyHooks{models.StatusPaused: 9}, 0, 0, false},
		{manyHooks{models.StatusActive: 5}, 5, 0, false},
		{manyHooks{models.StatusGone: 3, models.StatusBroken: 250, models.StatusActive: 101}, 5, 349, false},
		{manyHooks{models.StatusActive: 999}, 5, 994, false},
		{manyHooks{models.StatusActive: 1000}, 5, 995, false},
		{manyHooks{models.StatusActive: 1001}, 5, 995, true},
		{manyHooks{models.StatusBroken: 1000}, 5, 995, false},
		{manyHooks{models.StatusBroken: 950, models.StatusActive: 60}, 5, 995, true},
	} {
		found, err := findTrouble(t.Context(), test.give, "acme")
		require.NoError(t, err)
		require.Len(t, found.Hooks, test.shown, "%v", test.give)
		require.Equal(t, test.more, found.More, "%v", test.give)
		require.Equal(t, test.partial, found.Partial, "%v", test.give)
	}
}
