package api

import (
	"compress/gzip"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"posthaste/models"

	"github.com/stretchr/testify/require"
)

func swaggerScenarios() []scenario {
	public := map[string]string{"Authorization": "-"}
	is := func(contentType string) map[string]string {
		return map[string]string{"Content-Type": contentType, "X-Content-Type-Options": "nosniff"}
	}
	return []scenario{
		{
			name: "the documentation", url: "/api/docs", headers: public, status: 200, want: []string{`src="docs/start.js"`},
			header: map[string]string{"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": swaggerPolicy, "X-Frame-Options": "DENY"},
		},
		{name: "the way back from it", url: "/api/docs", headers: public, status: 200, want: []string{`<a href="../">Dashboard</a>`, `data-theme="system"`}},
		{
			name: "the documentation in the dark", url: "/api/docs", headers: map[string]string{"Authorization": "-", "Cookie": "posthaste_theme=dark"}, status: 200,
			want: []string{`data-theme="dark"`},
		},
		{name: "its look", url: "/api/docs/page.css", headers: public, status: 200, want: []string{`[data-theme="dark"]`}, header: is("text/css; charset=utf-8")},
		{name: "its start", url: "/api/docs/start.js", headers: public, status: 200, want: []string{"url: 'openapi.yaml'", "validatorUrl: null"}, header: is("text/javascript; charset=utf-8")},
		{name: "its program", url: "/api/docs/swagger-ui-bundle.js", headers: public, status: 200, want: []string{"SwaggerUIBundle"}, header: is("text/javascript; charset=utf-8")},
		{name: "its style", url: "/api/docs/swagger-ui.css", headers: public, status: 200, want: []string{".swagger-ui"}, header: is("text/css; charset=utf-8")},
		{name: "its icon", url: "/api/docs/favicon-32x32.png", headers: public, status: 200, want: []string{"PNG"}, header: is("image/png")},
		{name: "nothing else of it", url: "/api/docs/oauth2-redirect.html", headers: public, status: 404, want: []string{`"code":"NOT_FOUND"`}},
	}
}

// TestDocumentationNeedsNobodyElse holds the page to its policy: it has no
// script or style of its own, and everything it names is served here.
func TestDocumentationNeedsNobodyElse(t *testing.T) {
	t.Parallel()
	page := string(swaggerPage)
	require.NotRegexp(t, `<script>|<style|\son\w+=|style=|://`, page)
	require.NotContains(t, string(swaggerStart), "://")
	loaded := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?:src|href)="docs/([^"]+)"`).FindAllStringSubmatch(page, -1) {
		require.Contains(t, swaggerFiles, match[1])
		loaded[match[1]] = true
	}
	require.Len(t, loaded, len(swaggerFiles), "no file is served in vain")
}

func TestDocumentationTravelsPacked(t *testing.T) {
	t.Parallel()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		w := newWorld(t, store, "packed")
		got := w.send(t, http.MethodGet, "/api/docs/swagger-ui-bundle.js", "", map[string]string{"Accept-Encoding": "br, gzip"})
		require.Equal(t, "gzip", got.header.Get("Content-Encoding"))
		require.Equal(t, "Accept-Encoding", got.header.Get("Vary"))
		require.Less(t, len(got.body), 600<<10)
		reader, err := gzip.NewReader(strings.NewReader(got.body))
		require.NoError(t, err)
		text, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, w.send(t, http.MethodGet, "/api/docs/swagger-ui-bundle.js", "", nil).body, string(text))
	})
}
