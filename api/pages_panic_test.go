package api

import (
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// bursting panics when it is read.
type bursting struct{}

func (bursting) Read([]byte) (int, error) { panic("the secret cause") }

// A page that panics is answered with a page that names the request, so that a
// person can report it; what was the matter stands in the log alone.
func TestPanicOfAPageIsAPage(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		b := signedIn(t, w)
		s, err := newServer(w.deps)
		require.NoError(t, err)
		router := gin.New()
		router.Use(withRequestID, withSecurityHeaders, accessLog(s.logger, s.now), recovery)
		router.GET("/broken", s.handlePage(s.enter, func(*gin.Context) error { panic("the secret cause") }))
		w.handler = router
		b.headers[headerRequestID] = "req-panic"
		got := b.get(t, "/broken")
		require.Equal(t, http.StatusInternalServerError, got.status)
		require.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"))
		require.Contains(t, got.body, "That did not work")
		require.Contains(t, got.body, "<code>req-panic</code>")
		require.Contains(t, got.body, `<span class="menu-tenant">`+w.tenant, "who is signed in stays so")
		require.NotContains(t, got.body, "secret cause")
		require.Contains(t, w.logs.String(), "secret cause")
		require.Contains(t, w.logs.String(), "pages_panic_test.go", "the stack")
		checkPagePolicy(t, "/broken", got)
	})
}

// Where not even the page of the failure can be made, the usual envelope tells.
func TestPanicOfThePageOfAPanic(t *testing.T) {
	t.Parallel()
	onPages(t, func(t *testing.T, w *world) {
		w.deps.Random = bursting{}
		w.build(t)
		got := newBrowser(w).get(t, "/sign-in")
		require.Equal(t, http.StatusInternalServerError, got.status)
		require.Contains(t, got.body, `"code":"INTERNAL_ERROR"`)
		require.NotContains(t, got.body, "secret cause")
	})
}
