package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

func TestEveryCodeHasStatus(t *testing.T) {
	t.Parallel()
	for _, code := range errs.Codes() {
		wire, ok := wireErrors[code]
		require.True(t, ok, "%s has no status", code)
		require.GreaterOrEqual(t, wire.status, 400)
		require.NotEmpty(t, wire.code)
	}
	require.Len(t, wireErrors, len(errs.Codes()), "the map knows a code that errs does not")
}

func TestWireOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		give    error
		status  int
		message string
	}{
		{"coded", errs.New(errs.Conflict, "taken"), 409, "taken"},
		{"coded and wrapped", fmt.Errorf("creating: %w", errs.New(errs.NotFound, "gone")), 404, "gone"},
		{"uncoded is ours and silent", errors.New("pq: password wrong"), 500, internalMessage},
		{"internal is silent", errs.Wrap(errors.New("x"), errs.Internal, "table broken"), 500, internalMessage},
		{"too large", &http.MaxBytesError{Limit: 10}, 413, "The request body may have at most 10 bytes"},
		{"time ran out", fmt.Errorf("query: %w", context.DeadlineExceeded), 503, "The request took too long; try again"},
		{"unknown code", &errs.Error{Code: "new", Message: "m"}, 500, internalMessage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wire, shown := wireOf(tt.give)
			require.Equal(t, tt.status, wire.status)
			require.Equal(t, tt.message, shown.Message)
		})
	}
}

func TestWriteErrorSetsRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give error
		want string
	}{
		{errs.New(errs.RateLimited, "slow down"), "2"},
		{&errs.Error{Code: errs.RateLimited, RetryAfter: 1500 * time.Millisecond}, "2"},
		{&errs.Error{Code: errs.Unavailable, RetryAfter: time.Minute}, "60"},
		{errs.New(errs.Conflict, "taken"), ""},
	}
	for _, tt := range tests {
		recorder := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(recorder)
		c.Request = httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		writeError(c, tt.give)
		require.Equal(t, tt.want, recorder.Header().Get("Retry-After"), "%v", tt.give)
	}
}
