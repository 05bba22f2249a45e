package api

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

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

// TestRunningOverlapIsToldAsTheAPITellsIt reads the form while an old secret
// signs: it says beforehand what the API would refuse and why, and offers what is
// left, chosen for nobody.
func TestRunningOverlapIsToldAsTheAPITellsIt(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		b.get(t, "/webhooks/"+w.ids["webhook"]+"/rotate")
		oldSecretSignsUntil(testNow.Add(time.Hour))(t, w)
		path := "/webhooks/" + w.ids["webhook"]
		told := w.send(t, http.MethodPost, "/api"+path+"/rotate-secret", `{"overlapSeconds":60}`, nil)
		require.Equal(t, http.StatusConflict, told.status)
		var envelope struct{ Message string }
		require.NoError(t, json.Unmarshal([]byte(told.body), &envelope))

		// Sent from a page that is older than the overlap.
		refused := b.post(t, path+"/rotate", url.Values{"overlapSeconds": {"86400"}})
		require.Equal(t, http.StatusUnprocessableEntity, refused.status)
		require.Contains(t, textOf(refused.body), envelope.Message+".")
		unanswered := b.post(t, path+"/rotate", nil)
		require.Equal(t, http.StatusUnprocessableEntity, unanswered.status, "that nothing was chosen does not mean that all shall stop")
		require.Equal(t, w.ids["fingerprint"], w.fingerprint(t))

		form := b.get(t, path+"/rotate")
		require.Contains(t, textOf(form.body), strings.Replace(envelope.Message, "2026-05-30T11:00:00.000Z", "2026-05-30 11:00:00 UTC", 1)+".")
		require.Equal(t, []string{"0"}, overlapsOffered(form.body))
		require.NotContains(t, form.body, " checked")
		require.Contains(t, b.get(t, path).body, "signs too until")

		require.Contains(t, b.follow(t, b.post(t, path+"/rotate", url.Values{"overlapSeconds": {"0"}})).body, "The secret was rotated.")
		require.NotContains(t, b.get(t, path).body, "signs too until")
		require.Len(t, overlapsOffered(b.get(t, path+"/rotate").body), 4)
	})
}

// TestOverlapThatIsOverIsNotTold reads the pages at the moment when the old
// secret has stopped.
func TestOverlapThatIsOverIsNotTold(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		oldSecretSignsUntil(testNow)(t, w)
		b, path := signedIn(t, w), "/webhooks/"+w.ids["webhook"]
		require.NotContains(t, b.get(t, path).body, "signs too until")
		form := b.get(t, path+"/rotate")
		require.NotContains(t, form.body, "An overlap is running")
		require.Len(t, overlapsOffered(form.body), 4)
	})
}

var (
	overlapField = regexp.MustCompile(`name="overlapSeconds" value="(\d+)"`)
	htmlTag      = regexp.MustCompile(`<[^>]*>`)
)

// overlapsOffered lists what a form for a new secret lets one choose.
func overlapsOffered(page string) []string {
	var values []string
	for _, found := range overlapField.FindAllStringSubmatch(page, -1) {
		values = append(values, found[1])
	}
	return values
}

// textOf is a page without its tags.
func textOf(page string) string { return html.UnescapeString(htmlTag.ReplaceAllString(page, "")) }
