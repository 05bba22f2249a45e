package api

import (
	"net/http"
	"testing"
	"time"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

// TestRetryByFormOfWhatWasLost offers to send again what a worker claimed and
// nobody has in hand any more.
func TestRetryByFormOfWhatWasLost(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		inHand, lost := w.addEvent(t, w.tenant, 3), w.addEvent(t, w.tenant, 4)
		require.NoError(t, w.store.Claim(t.Context(), inHand, time.Minute))
		require.NoError(t, w.store.Claim(t.Context(), lost, 0))
		w.deps.Now = time.Now // as the ledger's
		w.build(t)
		b := newBrowser(w)
		b.signIn(t, w.ids["key.text"], http.StatusSeeOther)
		shown := b.get(t, "/deliveries/"+inHand.ID).body
		require.NotContains(t, shown, "Retry now")
		require.Contains(t, shown, "It is being sent right now.")
		path := "/deliveries/" + lost.ID
		shown = b.get(t, path).body
		require.Contains(t, shown, "Retry now")
		require.Contains(t, shown, "A worker was about to send it, or did, and has not been heard of since.")

		require.Contains(t, b.follow(t, b.post(t, path+"/retry", nil)).body, "The delivery is being sent right now", "its workflow goes on")
		w.starter.dead = true
		require.Contains(t, b.follow(t, b.post(t, path+"/retry", nil)).body, "It is being sent.")
		require.Equal(t, []string{lost.ID}, w.starter.resends)
		found, _, err := w.store.Delivery(t.Context(), w.tenant, lost.ID)
		require.NoError(t, err)
		require.Equal(t, models.StateUnknown, found.State)
	})
}
