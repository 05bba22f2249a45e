package dashboard

import (
	"strings"
	"testing"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// TestHowManyWaitIsSaid goes through what the count and the list of a page can
// be: a count that ends early never says that nothing waits.
func TestHowManyWaitIsSaid(t *testing.T) {
	t.Parallel()
	one := models.Delivery{ID: "d-1", State: models.StateSending}
	for name, test := range map[string]struct {
		view     waitingView
		says     []string
		saysNone []string
	}{
		"some":             {waitingView{Count: 1234, Rows: []models.Delivery{one}}, []string{">1,234 waiting<", "Being sent"}, []string{"<h2>", "Look further back"}},
		"more than all":    {waitingView{Count: models.MaxDeliveryCount, More: true, Rows: []models.Delivery{one}, Next: "/next"}, []string{">10,000 or more waiting<", `href="/next">Next page<`}, nil},
		"none so far":      {waitingView{More: true, Next: "/next"}, []string{">None of the newest 50,000 deliveries waits.<", "No match so far", `href="/next">Look further back<`}, []string{"Nothing waits", "Next page"}},
		"none at all":      {waitingView{Next: "/next"}, []string{"<h2>Nothing waits.</h2>"}, []string{`id="waiting"`, "Look further back"}},
		"none in a state":  {waitingView{State: "failed"}, []string{">Nothing waits.<", "No delivery matches"}, nil},
		"none of the rest": {waitingView{Count: 3, First: "/first"}, []string{">3 waiting<", "No delivery matches", `href="/first">First page<`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var page strings.Builder
			require.NoError(t, waitingList(test.view).Render(t.Context(), &page))
			for _, text := range test.says {
				require.Contains(t, page.String(), text)
			}
			for _, text := range test.saysNone {
				require.NotContains(t, page.String(), text)
			}
		})
	}
}
