package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOldSecretSignsOnUnlessSomebodyWantsOtherwise reads the form for a new
// secret: sent as it is, it breaks no receiver that has the old one.
func TestOldSecretSignsOnUnlessSomebodyWantsOtherwise(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		form := signedIn(t, w).get(t, "/webhooks/"+w.ids["webhook"]+"/rotate")
		require.Equal(t, http.StatusOK, form.status)
		require.Contains(t, form.body, `name="overlapSeconds" value="86400" checked`)
		require.Equal(t, 1, strings.Count(form.body, " checked"))
	})
}
