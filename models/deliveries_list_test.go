package models_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/models"
)

// crowdDeliveries fills a webhook with deliveries, one a second backwards from a
// moment, past the store. Of 1000, one is retrying; the oldest alone is pending.
func (w world) crowdDeliveries(hook models.Webhook, deliveries int, until time.Time) {
	w.t.Helper()
	series := "generate_series(1, CAST(? AS integer)) AS s (i)"
	id := "lpad(to_hex(CAST(? AS bigint) - i * 1000), 12, '0')"
	if !w.store.OnPostgres() {
		series = "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n) AS s"
		id = "printf('%012x', ? - i * 1000)"
	}
	dashed := "substr(" + id + ", 1, 8) || '-' || substr(" + id + ", 9) || ?"
	at, millis, rest := models.Instant(until), until.UnixMilli(), "-7000-8000-"+hook.ID[24:]
	require.NoError(w.t, w.store.Exec(`INSERT INTO deliveries (id, tenant, event_id, webhook_id, event_type, workflow_id, lane, timeout_seconds, state,
		attempts, round_start, reason, test, created_at, updated_at)
		SELECT `+dashed+`, ?, `+dashed+`, ?, 'order.paid', 'w', 'fast', 30,
		CASE WHEN i = ? THEN 'pending' WHEN i % 1000 = 0 THEN 'retrying' ELSE 'delivered' END,
		1, 0, '', false, ?, ? FROM `+series,
		millis, millis, rest, hook.Tenant, millis, millis, rest, hook.ID, deliveries, at, at, deliveries))
}

// walkDeliveries reads a list to its end: how many each page held, and which.
func (w world) walkDeliveries(f models.DeliveryFilter) (pages []int, ids []string) {
	w.t.Helper()
	for {
		page, err := w.store.WebhookDeliveries(w.t.Context(), f)
		require.NoError(w.t, err)
		for _, d := range page.Items {
			require.Equal(w.t, []string{f.Tenant, f.WebhookID}, []string{d.Tenant, d.WebhookID})
			ids = append(ids, d.ID)
		}
		pages = append(pages, len(page.Items))
		if f.Cursor = page.NextCursor; f.Cursor == "" {
			return pages, ids
		}
	}
}

func TestWaitingStates(t *testing.T) {
	t.Parallel()
	require.Equal(t, []models.State{models.StatePending, models.StateSending, models.StateRetrying}, models.WaitingStates())
}

func TestDeliveriesOfAWebhookByState(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		for _, state := range models.States() {
			w.in(state, hook) // beside one that is suppressed or unknown, another is pending
		}
		w.in(models.StatePending, w.webhook("acme"))
		w.in(models.StatePending, w.webhook("zeta"))
		all, err := w.store.WebhookDeliveries(t.Context(), models.DeliveryFilter{Tenant: "acme", WebhookID: hook.ID})
		require.NoError(t, err)
		require.Len(t, all.Items, len(models.States())+2)
		for _, d := range all.Items {
			again, _ := w.reload(d)
			require.Equal(t, again, d)
		}
		for _, states := range [][]models.State{
			{models.StatePending}, {models.StateSkipped}, {models.StateUnknown, models.StateSending}, models.WaitingStates(), models.States(),
		} {
			f := models.DeliveryFilter{Tenant: "acme", WebhookID: hook.ID, States: states}
			page, err := w.store.WebhookDeliveries(t.Context(), f)
			require.NoError(t, err)
			require.Empty(t, page.NextCursor)
			want := slices.DeleteFunc(slices.Clone(all.Items), func(d models.Delivery) bool { return !slices.Contains(states, d.State) })
			require.Equal(t, want, page.Items, states)
			count, more, err := w.store.CountDeliveries(t.Context(), f)
			require.NoError(t, err)
			require.False(t, more)
			require.Len(t, want, count, states)
		}
		_, ids := w.walkDeliveries(models.DeliveryFilter{Tenant: "acme", WebhookID: hook.ID, Limit: 2})
		require.IsDecreasing(t, ids, "the newest first")
		require.Len(t, ids, len(all.Items))
	})
}

// A page looks at so many deliveries, and the next one goes on from there:
// nothing is left out, and nothing comes twice.
func TestFilteredDeliveriesAreWalkedInStretches(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, rival, until := w.webhook("acme"), w.webhook("rival"), now()
		w.crowdDeliveries(hook, 45_001, until)
		w.crowdDeliveries(rival, 10, until)
		walk := func(limit int, states ...models.State) (pages []int, ids []string) {
			pages, ids = w.walkDeliveries(models.DeliveryFilter{Tenant: "acme", WebhookID: hook.ID, States: states, Limit: limit})
			if len(ids) > 1 {
				require.IsDecreasing(t, ids, "or something came twice")
			}
			return pages, ids
		}
		pages, _ := walk(100, models.StateRetrying)
		require.Equal(t, []int{20, 20, 5}, pages)
		pages, ids := walk(15, models.StateRetrying)
		require.Equal(t, []int{15, 15, 15}, pages, "a full page goes on after its last delivery")
		require.Len(t, ids, 45)
		pages, _ = walk(0, models.StatePending)
		require.Equal(t, []int{0, 0, 1}, pages)
		pages, _ = walk(0, models.StateFailed)
		require.Equal(t, []int{0, 0, 0}, pages)
		first, err := w.store.WebhookDeliveries(t.Context(), models.DeliveryFilter{Tenant: "acme", WebhookID: hook.ID, Limit: 100})
		require.NoError(t, err)
		require.Len(t, first.Items, 100, "without a filter every page is full")

		count := func(states ...models.State) (int, bool) {
			n, more, err := w.store.CountDeliveries(t.Context(), models.DeliveryFilter{Tenant: "acme", WebhookID: hook.ID, States: states})
			require.NoError(t, err)
			return n, more
		}
		n, more := count(models.WaitingStates()...)
		require.Equal(t, 46, n)
		require.False(t, more, "all were looked at")
		n, more = count()
		require.Equal(t, models.MaxDeliveryCount, n)
		require.True(t, more)
	})
}
