package api

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

func TestAccessLogCountsMilliseconds(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	now := testNow
	router := gin.New()
	router.Use(accessLog(slog.New(slog.NewJSONHandler(&logs, nil)), func() time.Time { return now }))
	router.GET("/slow", func(c *gin.Context) {
		now = now.Add(1234567 * time.Microsecond)
		c.Status(http.StatusNoContent)
	})
	router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/slow", nil))
	var line map[string]any
	require.NoError(t, json.Unmarshal(logs.Bytes(), &line))
	require.InDelta(t, 1234.567, line["ms"], 0.0001)
	require.NotContains(t, line, "duration")
}
