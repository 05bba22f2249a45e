package models_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// Readers share connections, and on SQLite compiled statements. Whenever a caller
// hangs up, the next reader gets what it asked for and nothing of another
// webhook's.
func TestReadersThatHangUpLeaveNothingBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		const webhooks, each, readers, reads = 8, 6, 12, 250
		var hooks []models.Webhook
		for range webhooks {
			hook := w.webhook("acme")
			hooks = append(hooks, hook)
			for range each {
				require.NoError(t, w.store.Record(t.Context(), models.Record{
					Delivery: w.deliveryTo(hook), Step: models.StepDeliver, Attempt: attempt(200),
				}))
			}
		}
		var group sync.WaitGroup
		for reader := range uint64(readers) {
			group.Go(func() {
				random := rand.New(rand.NewPCG(reader, 0))
				for range reads {
					ctx, hangUp := context.WithCancel(t.Context())
					if random.IntN(2) == 0 {
						time.AfterFunc(time.Duration(random.IntN(1500))*time.Microsecond, hangUp)
					}
					hook, succeeded := hooks[random.IntN(webhooks)], true
					f := models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID, Limit: 1 + random.IntN(each)}
					if random.IntN(2) == 0 {
						f.Success = &succeeded
					}
					page, err := w.store.History(ctx, f)
					if err == nil && len(page.Items) != f.Limit {
						t.Errorf("a page of %d has %d", f.Limit, len(page.Items))
					}
					for _, a := range page.Items {
						if a.WebhookID != hook.ID {
							t.Errorf("the history of %s has an attempt of %s", hook.ID, a.WebhookID)
						}
					}
					hangUp()
				}
			})
		}
		group.Wait()
	})
}
