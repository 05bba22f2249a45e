package models_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/keyset"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// rotation is a database and the keysets of one rotation of its keys.
type rotation struct {
	t                                *testing.T
	url                              string
	before, added, promoted, retired *keyset.Keyset
}

func onBothRotations(t *testing.T, run func(t *testing.T, r rotation)) {
	t.Helper()
	onBothURLs(t, func(t *testing.T, url string) {
		line, err := keyset.Generate()
		require.NoError(t, err)
		keys := []*keyset.Keyset{parsed(t, line)}
		for _, step := range []func(string) (string, error){keyset.Add, keyset.Promote, keyset.Retire} {
			line, err = step(line)
			require.NoError(t, err)
			keys = append(keys, parsed(t, line))
		}
		run(t, rotation{t, url, keys[0], keys[1], keys[2], keys[3]})
	})
}

func parsed(t *testing.T, line string) *keyset.Keyset {
	t.Helper()
	keys, err := keyset.Parse(line)
	require.NoError(t, err)
	return keys
}

func (r rotation) with(keys *keyset.Keyset) world {
	r.t.Helper()
	return world{r.t, modelstest.OpenWith(r.t, models.Options{URL: r.url, Sealer: keys})}
}

func (r rotation) rewrap(w world) models.RewrapReport {
	r.t.Helper()
	report, err := w.store.Rewrap(r.t.Context(), nil)
	require.NoError(r.t, err)
	return report
}

func TestRewrapSealsEverythingAnew(t *testing.T) {
	onBothRotations(t, func(t *testing.T, r rotation) {
		w := r.with(r.before)
		const webhooks = 7
		deliveries := map[string]models.Delivery{}
		for i := range webhooks {
			hook := w.webhook("acme", func(h *models.Webhook) {
				h.PreviousSecret = "whsec_previous"
				if i == 0 {
					h.PreviousSecret, h.Headers = "", nil
				}
			})
			d := w.deliveryTo(hook)
			w.record(d, models.StepFailRetry)
			deliveries[hook.ID] = d
		}
		hooks, err := w.store.Webhooks(t.Context(), models.WebhookFilter{Tenant: "acme", Limit: 100})
		require.NoError(t, err)

		require.Equal(t, models.RewrapReport{}, r.rewrap(r.with(r.added)), "a key that does not seal yet changes nothing")
		promoted := r.with(r.promoted)
		require.NoError(t, promoted.store.CheckKeys(t.Context()))
		var progress []int64
		report, err := promoted.store.Rewrap(t.Context(), func(done int64) { progress = append(progress, done) })
		require.NoError(t, err)
		require.Equal(t, models.RewrapReport{
			Secrets: webhooks, PreviousSecrets: webhooks - 1, Headers: webhooks - 1, RequestHeaders: webhooks,
		}, report)
		require.IsIncreasing(t, progress)
		require.Equal(t, models.RewrapReport{}, r.rewrap(promoted), "the second time there is nothing to do")

		retired := r.with(r.retired)
		require.NoError(t, retired.store.CheckKeys(t.Context()))
		after, err := retired.store.Webhooks(t.Context(), models.WebhookFilter{Tenant: "acme", Limit: 100})
		require.NoError(t, err)
		require.Equal(t, hooks, after, "nothing but the seal has changed")
		for _, d := range deliveries {
			_, attempts := retired.reload(d)
			require.Equal(t, [][2]string{{"Content-Type", "application/json"}, {"X-Team", "blue"}}, attempts[0].RequestHeaders)
		}
		requireCode(t, errs.Internal, w.store.CheckKeys(t.Context()))
		_, err = w.store.Webhook(t.Context(), "acme", hooks.Items[0].ID)
		require.ErrorContains(t, err, "keyset")
	})
}

// More than a chunk of attempts, and of webhooks.
func TestRewrapGoesThroughAllChunks(t *testing.T) {
	onBothRotations(t, func(t *testing.T, r rotation) {
		w := r.with(r.before)
		hook, d := w.delivery("acme")
		w.record(d, models.StepFailRetry)
		sealed, err := r.before.Seal([]byte(`[["A","b"]]`), models.SealContext("acme", "x", "request_headers"))
		require.NoError(t, err)
		const copies = 1203
		for i := range copies {
			id := fmt.Sprintf("%s-%04d", hook.ID, i)
			require.NoError(t, w.store.Exec(`INSERT INTO attempts (id, tenant, webhook_id, delivery_id, event_id, event_type, number, success,
				reason, detail, started_at, duration_ms, request_url, request_headers, response_truncated, test)
				SELECT ?, tenant, webhook_id, delivery_id, event_id, event_type, ?, success,
				reason, detail, started_at, duration_ms, request_url, ?, response_truncated, test FROM attempts WHERE number = 1`,
				id, i+2, reseal(t, r.before, sealed, id)))
		}
		report := r.rewrap(r.with(r.promoted))
		require.EqualValues(t, copies+1, report.RequestHeaders)
		require.Zero(t, report.Left)
		retired := r.with(r.retired).store
		_, attempts, err := retired.Delivery(t.Context(), "acme", d.ID)
		require.NoError(t, err)
		require.Equal(t, copies+1, attempts[len(attempts)-1].Number)
		for number := 1; number < attempts[0].Number; number++ { // those before the newest
			_, one, err := retired.DeliveryAttempt(t.Context(), "acme", d.ID, number)
			require.NoError(t, err)
			require.NotEmpty(t, one.RequestHeaders)
		}
	})
}

// reseal ties a value to another row.
func reseal(t *testing.T, keys *keyset.Keyset, sealed []byte, id string) []byte {
	t.Helper()
	plain, err := keys.Open(sealed, models.SealContext("acme", "x", "request_headers"))
	require.NoError(t, err)
	again, err := keys.Seal(plain, models.SealContext("acme", id, "request_headers"))
	require.NoError(t, err)
	return again
}

// Secrets are rotated all the while, by processes that have the promoted keyset
// and by some that have it not yet: the last one written is the one that stays.
func TestRewrapLosesNoSecretThatIsBeingRotated(t *testing.T) {
	onBothRotations(t, func(t *testing.T, r rotation) {
		writers := []world{r.with(r.added), r.with(r.promoted)}
		rewrapper := r.with(r.promoted)
		const hooks, rounds = 8, 25
		ids := make([]string, hooks)
		for i := range ids {
			ids[i] = writers[0].webhook("acme").ID
		}
		var group sync.WaitGroup
		for i, id := range ids {
			group.Go(func() {
				for round := range rounds {
					_, err := writers[(i+round)%2].store.UpdateWebhook(t.Context(), byTest, "acme", id, func(h *models.Webhook) error {
						h.PreviousSecret, h.Secret = h.Secret, models.Secret(fmt.Sprintf("whsec_%d_%d", i, round))
						return nil
					})
					if err != nil {
						t.Errorf("rotate: %v", err)
					}
				}
			})
		}
		var stop atomic.Bool
		var rewrapped sync.WaitGroup
		rewrapped.Go(func() {
			for !stop.Load() {
				if _, err := rewrapper.store.Rewrap(t.Context(), nil); err != nil {
					t.Errorf("rewrap: %v", err)
					return
				}
			}
		})
		group.Wait()
		stop.Store(true)
		rewrapped.Wait()
		require.Zero(t, r.rewrap(rewrapper).Left)
		retired := r.with(r.retired)
		for i, id := range ids {
			hook, err := retired.store.Webhook(t.Context(), "acme", id)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("whsec_%d_%d", i, rounds-1), hook.Secret.Reveal())
			require.Equal(t, fmt.Sprintf("whsec_%d_%d", i, rounds-2), hook.PreviousSecret.Reveal())
		}
	})
}

// A value that does not open is counted, left alone, and keeps no other from
// being re-sealed.
func TestRewrapGoesOnPastAValueThatDoesNotOpen(t *testing.T) {
	onBothRotations(t, func(t *testing.T, r rotation) {
		w := r.with(r.before)
		spoilt, sound := w.webhook("acme"), w.webhook("acme")
		require.NoError(t, w.store.Exec("UPDATE webhooks SET secret = headers WHERE id = ?", spoilt.ID))
		promoted := r.with(r.promoted)
		report := r.rewrap(promoted)
		require.EqualValues(t, 1, report.Left)
		require.ErrorContains(t, report.Broken, spoilt.ID)
		require.EqualValues(t, 1, report.Secrets)
		require.EqualValues(t, 2, report.Headers)
		_, err := r.with(r.retired).store.Webhook(t.Context(), "acme", sound.ID)
		require.NoError(t, err)
		requireCode(t, errs.Internal, promoted.store.CheckKeys(t.Context()))
	})
}
