package models_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

// attempted makes one attempt of the delivery after the other, with these bodies
// as what came back.
func (w world) attempted(d models.Delivery, bodies ...[]byte) models.Delivery {
	w.t.Helper()
	for i, body := range bodies {
		one := attempt(503)
		one.ResponseBody, one.RequestBody = body, []byte{byte('0' + i)}
		one.ResponseHeaders = [][2]string{{"Server", "teapot"}}
		require.NoError(w.t, w.store.Record(w.t.Context(), models.Record{Delivery: d, Step: models.StepFailRetry, Attempt: one}))
		d.State, d.Attempts = models.StateRetrying, d.Attempts+1
	}
	return d
}

func TestDeliveryShowsWholeAttemptsWithinBounds(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook := w.webhook("acme")
		short, long, longest := []byte("no"), bytes.Repeat([]byte("x"), 200<<10), bytes.Repeat([]byte("x"), 600<<10)
		control := bytes.Repeat([]byte{1}, 100<<10) // six times as much in JSON
		for name, c := range map[string]struct {
			bodies  [][]byte // oldest first
			omitted int      // of the oldest
		}{
			"short ones":              {[][]byte{short, short, short}, 0},
			"long ones":               {[][]byte{long, long, long, long}, 2},
			"short before long ones":  {[][]byte{short, long, long, long}, 2},
			"the last is too long":    {[][]byte{short, longest}, 1},
			"long only when encoded":  {[][]byte{control, control, short}, 2},
			"the newest when encoded": {[][]byte{short, control}, 1},
		} {
			d := w.attempted(w.deliveryTo(hook), c.bodies...)
			_, attempts := w.reload(d)
			require.Len(t, attempts, len(c.bodies), name)
			for i, got := range attempts {
				require.Equal(t, []any{i + 1, 503, "https://a.example/hook"}, []any{got.Number, *got.StatusCode, got.RequestURL}, name)
				require.Equal(t, i < c.omitted, got.Omitted, "%s, attempt %d", name, i+1)
				_, whole, err := w.store.DeliveryAttempt(t.Context(), "acme", d.ID, i+1)
				require.NoError(t, err)
				require.Equal(t, c.bodies[i], whole.ResponseBody)
				require.Equal(t, []byte{byte('0' + i)}, whole.RequestBody)
				require.Len(t, whole.RequestHeaders, 2)
				require.False(t, whole.Omitted)
				if got.Omitted {
					whole.RequestHeaders, whole.RequestBody, whole.ResponseHeaders, whole.ResponseBody, whole.Omitted = nil, nil, nil, nil, true
				}
				require.Equal(t, whole, got, name)
			}
		}
	})
}

func TestNewestAttemptsOfADeliveryAreListed(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		d := w.attempted(w.deliveryTo(w.webhook("acme")), []byte("first"))
		// An "f" where a UUID has its variant: no id that NewID made can be the same.
		const others = "tenant, webhook_id, delivery_id, event_id, event_type, status_code, success, reason, detail, started_at, duration_ms, request_url, response_truncated, test"
		require.NoError(t, w.store.Exec(`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1003)
			INSERT INTO attempts (id, number, `+others+`) SELECT substr(id, 1, 19) || 'f' || substr(id, 21, 12) || substr(CAST(10000 + i AS text), 2), i, `+others+`
			FROM attempts JOIN n ON true WHERE delivery_id = ?`, d.ID))
		require.NoError(t, w.store.Exec("UPDATE deliveries SET attempts = 1003 WHERE id = ?", d.ID))
		_, attempts := w.reload(d)
		require.Len(t, attempts, 1000)
		require.Equal(t, []int{4, 1003}, []int{attempts[0].Number, attempts[999].Number})
		_, first, err := w.store.DeliveryAttempt(t.Context(), "acme", d.ID, 1)
		require.NoError(t, err)
		require.Equal(t, "first", string(first.ResponseBody))
	})
}

func TestAttemptThatIsNotThere(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		_, other := w.delivery("globex")
		d := w.attempted(w.deliveryTo(w.webhook("acme")), []byte("no"))
		w.attempted(other, []byte("secret"))
		for _, one := range []struct {
			id     string
			number int
		}{{d.ID, 2}, {d.ID, 0}, {other.ID, 1}, {models.NewID(now()), 1}, {"x", 1}} {
			_, _, err := w.store.DeliveryAttempt(t.Context(), "acme", one.id, one.number)
			requireCode(t, errs.NotFound, err)
		}
	})
}
