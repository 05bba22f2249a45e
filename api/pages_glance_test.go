package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// readStore counts what pages read of webhooks.
type readStore struct {
	*models.Store
	reads atomic.Int64
}

func (s *readStore) Webhooks(ctx context.Context, f models.WebhookFilter) (models.Page[models.Webhook], error) {
	s.reads.Add(1)
	return s.Store.Webhooks(ctx, f)
}

func (s *readStore) History(ctx context.Context, f models.HistoryFilter) (models.Page[models.Attempt], error) {
	s.reads.Add(1)
	return s.Store.History(ctx, f)
}

func (s *readStore) Stats(ctx context.Context, f models.StatsFilter) ([]models.StatsBucket, error) {
	s.reads.Add(1)
	return s.Store.Stats(ctx, f)
}

func (s *readStore) Glances(ctx context.Context, tenant string, ids []string, since, until time.Time) (map[string]models.Glance, error) {
	s.reads.Add(1)
	return s.Store.Glances(ctx, tenant, ids, since, until)
}

// TestWebhookListReadsAsMuchForManyAsForOne fills a page of the list.
func TestWebhookListReadsAsMuchForManyAsForOne(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		counting := &readStore{Store: w.store}
		w.deps.Store, w.deps.Now = counting, func() time.Time { return testNow.Add(time.Minute) }
		w.build(t)
		delivery, _, err := w.store.Delivery(t.Context(), w.tenant, w.ids["waiting"])
		require.NoError(t, err)
		at := testNow.Add(10 * time.Second)
		require.NoError(t, w.store.Record(t.Context(), models.Record{
			Delivery: delivery, Step: models.StepFailFinal, Reason: "server_error",
			Attempt: &models.Attempt{ID: models.NewID(at), StatusCode: new(http.StatusBadGateway), StartedAt: at},
		}))
		b := signedIn(t, w)
		list := func() (answer, int64) {
			before := counting.reads.Load()
			got := b.get(t, "/webhooks")
			require.Equal(t, http.StatusOK, got.status)
			return got, counting.reads.Load() - before
		}
		one, reads := list()
		require.EqualValues(t, 2, reads, "the webhooks, and how they do")
		require.Contains(t, one.body, `<span class="badge bad">502</span>`, "what came last")
		require.Regexp(t, `class="number">3</td>`, one.body)
		require.Contains(t, one.body, "67\u00a0%", "of the three")
		for i := range 30 {
			w.addWebhook(t, w.tenant, models.Webhook{URL: fmt.Sprintf("https://many.acme.dev/%d", i)})
		}
		many, reads := list()
		require.EqualValues(t, 2, reads)
		require.Equal(t, 25, strings.Count(many.body, `class="row-link"`))
		require.Equal(t, 25, strings.Count(many.body, "none yet"))
	})
}
