package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posthaste/errs"
	"posthaste/models/modelstest"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// pass sends a request with a body of that size through the shed; it stays
// inside until release is closed.
func pass(s *shed, size int64, release <-chan struct{}, done chan<- error) {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	c.Request.ContentLength = size
	entered := false
	err := s.bound(100, func(*gin.Context) error {
		entered = true
		<-release
		return nil
	})(c)
	if entered == (err != nil) {
		err = errs.New(errs.Internal, "the handler ran: %v, error: %v", entered, err)
	}
	done <- err
}

func TestShedBoundsCountAndBytes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		count int64
		bytes int64
		sizes []int64 // of requests that stay, the last one is refused
	}{
		{"count", 3, 1000, []int64{1, 1, 1, 1}},
		{"bytes", 100, 150, []int64{60, 60, 60}},
		{"an unknown size counts as the largest", 100, 150, []int64{-1, -1}},
		{"so does one that will be refused", 100, 150, []int64{5000, 60}},
		{"no body counts too", 2, 0, []int64{0, 0, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				meter := &tally{}
				s := &shed{meter: meter, maxCount: tt.count, maxBytes: tt.bytes}
				release, done := make(chan struct{}), make(chan error, len(tt.sizes))
				for _, size := range tt.sizes {
					go pass(s, size, release, done)
					synctest.Wait()
				}
				err := <-done
				require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
				require.Equal(t, 1, meter.shed)
				close(release)
				for range len(tt.sizes) - 1 {
					require.NoError(t, <-done)
				}
				require.Zero(t, s.count)
				require.Zero(t, s.bytes, "whoever leaves makes room")
			})
		})
	}
}

func TestShedSpreadsWhomItRefuses(t *testing.T) {
	t.Parallel()
	s := &shed{meter: &tally{}}
	counts := map[time.Duration]int{}
	for range 30 {
		counts[coerce(s.enter(1)).RetryAfter]++
	}
	require.Equal(t, map[time.Duration]int{time.Second: 10, 2 * time.Second: 10, 3 * time.Second: 10}, counts)
}

// A door without room refuses what would change something, unread, and nothing
// else.
func TestAFullDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, modelstest.Open(t, modelstest.SQLite), "full")
	s, err := newServer(w.deps)
	require.NoError(t, err)
	s.shed.maxCount = 0
	w.handler = s.newRouter()
	stranger := map[string]string{"Authorization": "-"}
	for _, tt := range []struct {
		method, path, body string
		headers            map[string]string
		want               int
	}{
		{"POST", "/api/events", "{not read", nil, http.StatusServiceUnavailable},
		{"POST", "/api/events/batch", "{not read", nil, http.StatusServiceUnavailable},
		{"POST", "/api/webhooks", "{not read", nil, http.StatusServiceUnavailable},
		{"PATCH", w.fill("/api/webhooks/{webhook}"), "{not read", nil, http.StatusServiceUnavailable},
		{"POST", "/api/events", "{not read", stranger, http.StatusUnauthorized},
		{"GET", "/api/webhooks", "", nil, http.StatusOK},
		{"DELETE", w.fill("/api/webhooks/{webhook}"), "", nil, http.StatusOK},
		{"GET", "/healthz", "", stranger, http.StatusOK},
		{"GET", "/readyz", "", stranger, http.StatusOK},
		{"GET", "/metrics", "", stranger, http.StatusOK},
	} {
		got := w.send(t, tt.method, tt.path, tt.body, tt.headers)
		require.Equal(t, tt.want, got.status, "%s %s: %s", tt.method, tt.path, got.body)
		if tt.want == http.StatusServiceUnavailable {
			require.Contains(t, got.body, `"code":"UNAVAILABLE"`)
			require.Regexp(t, "^[123]$", got.header.Get("Retry-After"))
		}
	}
	require.Equal(t, 4, w.meter.shed)
}

func TestRoomForTheLargestBodies(t *testing.T) {
	t.Parallel()
	require.GreaterOrEqual(t, maxInFlightBytes, 3*maxBatchBytes)
}

// slowBody sends its text after a while.
type slowBody struct {
	after time.Duration
	text  *strings.Reader
}

func (b *slowBody) Read(into []byte) (int, error) {
	time.Sleep(b.after) //nolint:forbidigo // the clock is the test's own
	b.after = 0
	return b.text.Read(into)
}

// A request has its time after its body has arrived, however long that took.
func TestRequestsAreTimed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := gin.CreateTestContext(httptest.NewRecorder())
		c.Request = httptest.NewRequest(http.MethodPost, "/", &slowBody{25 * time.Second, strings.NewReader(`{"a":1}`)})
		c.Request.Header.Set("Content-Type", "application/json")
		began := time.Now()
		err := timed(requestTimeout, func(c *gin.Context) error {
			body, err := readBody(c, bodyRule{maxBytes: 100})
			require.NoError(t, err)
			require.True(t, body.has("a"))
			require.NoError(t, c.Request.Context().Err())
			<-c.Request.Context().Done()
			return c.Request.Context().Err()
		})(c)
		require.Equal(t, 25*time.Second+requestTimeout, time.Since(began))
		require.Equal(t, errs.Unavailable, coerce(err).Code)
	})
}
