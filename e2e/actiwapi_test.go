package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAWA(t *testing.T) {
	t.Parallel()
	accept(t, "actiwapi",
		acceptance{"AWA06_HistoryListsEventCodeAndTime", awa06},
		acceptance{"AWA07_OnlyWhatWasSubscribedTo", awa07},
		acceptance{"AWA11_SignatureOverTheRawBody", awa11},
	)
}

const whatsApp = `{"id":"wamid.1","text":"Salam <b>&</b> \"hi\" \u2028 🚚","n":12.50}`

func awa06(sys *system) {
	good, busy := newReceiver(sys.t, status(200)), newReceiver(sys.t, status(503))
	hooks := map[int]hook{200: sys.createWebhook(good.URL), 503: sys.createWebhook(busy.URL)}
	began := time.Now().Truncate(time.Millisecond)
	names := []string{"message.received", "session.disconnected"}
	for _, name := range names {
		event := sys.emit(name, whatsApp)
		require.Equal(sys.t, map[string]int{"delivered": 1, "failed": 1}, sys.awaitDone(event.ID))
	}
	for code, w := range hooks {
		history := sys.history(w.ID)
		require.Len(sys.t, history, len(names))
		for i, attempt := range history {
			require.Equal(sys.t, names[len(names)-1-i], attempt.Event, "newest first")
			require.Equal(sys.t, code, *attempt.StatusCode)
			require.Equal(sys.t, code == 200, attempt.Success)
			require.Regexp(sys.t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, attempt.DeliveredAt)
			at, err := time.Parse(time.RFC3339, attempt.DeliveredAt)
			require.NoError(sys.t, err)
			require.WithinRange(sys.t, at, began, time.Now())
		}
	}
}

func awa07(sys *system) {
	rec := newReceiver(sys.t, nil)
	w := sys.createWebhook(rec.URL, `"events":["message.received"]`)
	event := sys.emit("message.sent", whatsApp)
	sys.awaitUnwanted(event.ID)
	require.Empty(sys.t, sys.awaitDone(event.ID))
	require.Empty(sys.t, rec.all())
	require.Empty(sys.t, sys.history(w.ID))
	require.Equal(sys.t, map[string]int{"delivered": 1}, sys.awaitDone(sys.emit("message.received", whatsApp).ID))
	require.Len(sys.t, rec.all(), 1)
}

func awa11(sys *system) {
	const secret = "your-signing-secret"
	signed, plain := newReceiver(sys.t, nil), newReceiver(sys.t, nil)
	sys.createWebhook(signed.URL, fmt.Sprintf(`"secret":%q`, secret))
	sys.createWebhook(plain.URL)
	event := sys.emit("message.received", whatsApp, `"occurredAt":"2026-05-30T10:00:00Z"`)
	require.Equal(sys.t, map[string]int{"delivered": 2}, sys.awaitDone(event.ID))
	got := signed.all()[0]
	require.Equal(sys.t, `{"event":"message.received","timestamp":"2026-05-30T10:00:00.000Z",`+
		`"data":{"id":"wamid.1","text":"Salam <b>&</b> \"hi\" `+"\u2028"+` 🚚","n":12.5}}`, got.body)
	require.Equal(sys.t, "sha256="+hmacHex(secret, got.body), got.header.Get("X-Webhook-Signature"))
	require.NotContains(sys.t, plain.all()[0].header, http.CanonicalHeaderKey("X-Webhook-Signature"), "no secret, no signature")
}
