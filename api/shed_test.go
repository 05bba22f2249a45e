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
func pass(s *shed, tenant string, size int64, release <-chan struct{}, done chan<- error) {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	c.Request.ContentLength = size
	c.Set(keyTenant, tenant)
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

// caller is one request: whose, and how large.
type caller struct {
	tenant string
	size   int64
}

func TestShedBoundsCountAndBytes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		most, one load
		callers   []caller // those who stay; the last one is refused
	}{
		{"count", load{3, 1000}, load{3, 1000}, []caller{{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}}},
		{"bytes", load{100, 150}, load{100, 150}, []caller{{"a", 60}, {"b", 60}, {"c", 60}}},
		{"an unknown size counts as the largest", load{100, 150}, load{100, 150}, []caller{{"a", -1}, {"b", -1}}},
		{"so does one that will be refused", load{100, 150}, load{100, 150}, []caller{{"a", 5000}, {"b", 60}}},
		{"no body counts too", load{2, 0}, load{2, 0}, []caller{{"a", 0}, {"b", 0}, {"c", 0}}},
		{"one tenant's count", load{8, 1000}, load{2, 1000}, []caller{{"a", 1}, {"a", 1}, {"b", 1}, {"a", 1}}},
		{"one tenant's bytes", load{8, 400}, load{8, 100}, []caller{{"a", 100}, {"b", 100}, {"a", 1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				meter := &tally{}
				s := newShed(meter, 1000)
				s.most, s.mostOfOne = tt.most, tt.one
				release, done := make(chan struct{}), make(chan error, len(tt.callers))
				for _, who := range tt.callers {
					require.Empty(t, done)
					go pass(s, who.tenant, who.size, release, done)
					synctest.Wait()
				}
				err := <-done
				require.True(t, errs.Is(err, errs.Unavailable), "%v", err)
				require.Equal(t, 1, meter.shed)
				close(release)
				for range len(tt.callers) - 1 {
					require.NoError(t, <-done)
				}
				require.Zero(t, s.all, "whoever leaves makes room")
				require.Empty(t, s.tenants)
			})
		})
	}
}

func TestShedSpreadsWhomItRefuses(t *testing.T) {
	t.Parallel()
	s := newShed(&tally{}, maxInFlightBytes)
	s.most = load{}
	counts := map[time.Duration]int{}
	for range 30 {
		counts[coerce(s.enter("acme", load{1, 1})).RetryAfter]++
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
	s.shed.most.count = 0
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
	s := newShed(&tally{}, maxInFlightBytes)
	for _, tenant := range []string{"a", "b", "c", "d"} {
		require.NoError(t, s.enter(tenant, load{1, maxBatchBytes}))
		require.Error(t, s.enter(tenant, load{1, 1}))
	}
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
