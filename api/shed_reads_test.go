package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"posthaste/models"
	"posthaste/models/modelstest"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// reading sends a tenant's request through the shed of reads to a handler.
func reading(s *shed, tenant string, weight int64, handler func(*gin.Context) error) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	c, _ := gin.CreateTestContext(recorder)
	c.Request = httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	c.Set(keyTenant, tenant)
	handle(s.boundRead(weight, handler))(c)
	return recorder
}

// Twenty readers at once are an ordinary script, whatever they read; what comes on
// top of a tenant's part is refused, and of nobody else's.
func TestATenantsPartOfReads(t *testing.T) {
	t.Parallel()
	for weight, readers := range map[int64]int{ordinaryWeight: 64, heavyWeight: 21} {
		synctest.Test(t, func(t *testing.T) {
			meter := &tally{}
			s := newShed(meter, maxReadBytes)
			release, done := make(chan struct{}), make(chan int, 2*readers+1)
			enter := func(tenant string) {
				done <- reading(s, tenant, weight, func(c *gin.Context) error {
					<-release
					return respond(c, http.StatusOK, nil)
				}).Code
			}
			for range readers {
				go enter("greedy")
				go enter("another")
			}
			synctest.Wait()
			require.Empty(t, done)
			enter("greedy")
			require.Equal(t, http.StatusServiceUnavailable, <-done)
			require.Equal(t, 1, meter.shed)
			close(release)
			for range 2 * readers {
				require.Equal(t, http.StatusOK, <-done)
			}
			require.Zero(t, s.all, "whoever leaves makes room")
			require.Empty(t, s.tenants)
		})
	}
}

// An answer that is longer than was reckoned with takes its room while it is
// written, or is not begun.
func TestLongAnswersTakeTheirRoom(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		room, length int64
		want         int
	}{
		{"within its weight", 1000, 1000, http.StatusOK},
		{"there is room", 5000, 5000, http.StatusOK},
		{"there is none", 5000, 5001, http.StatusServiceUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			meter := &tally{}
			s := newShed(meter, tenantParts*tt.room)
			got := reading(s, "acme", 1000, func(c *gin.Context) error {
				c.Writer.Header().Set("X-Own", "1")
				c.Data(http.StatusOK, contentTypeJSON, bytes.Repeat([]byte("x"), int(tt.length)))
				if tt.want == http.StatusOK {
					require.Equal(t, load{1, max(1000, tt.length)}, s.all)
				}
				return nil
			})
			require.Equal(t, tt.want, got.Code)
			require.Zero(t, s.all)
			if tt.want == http.StatusOK {
				require.Len(t, got.Body.Bytes(), int(tt.length))
				return
			}
			require.Contains(t, got.Body.String(), `"code":"UNAVAILABLE"`)
			require.Regexp(t, "^[123]$", got.Header().Get("Retry-After"))
			require.Equal(t, 1, meter.shed)
		})
	}
}

// A panic gives back what its request held.
func TestAReadThatPanicsLeaves(t *testing.T) {
	t.Parallel()
	s := newShed(&tally{}, maxReadBytes)
	require.Panics(t, func() {
		reading(s, "acme", 1, func(c *gin.Context) error {
			c.Data(http.StatusOK, contentTypeJSON, make([]byte, 100))
			panic("a fault of ours")
		})
	})
	require.Zero(t, s.all)
}

// Without room for reads, those who are known are refused what they would read, by
// the API and by the dashboard; what changes something is not, and probes are not.
// It is no fault of ours, so the log does not say so.
func TestAFullDoorForReads(t *testing.T) {
	t.Parallel()
	w := newWorld(t, modelstest.Open(t, modelstest.SQLite), "unread")
	s, err := newServer(w.deps)
	require.NoError(t, err)
	s.shedReads.most.count = 0
	w.handler = s.newRouter()
	stranger := map[string]string{"Authorization": "-"}
	const full = http.StatusServiceUnavailable
	for _, tt := range []struct {
		method, path, body string
		headers            map[string]string
		want               int
	}{
		{"GET", "/api/webhooks", "", nil, full},
		{"GET", "/api/webhooks/{webhook}/history", "", nil, full},
		{"GET", "/api/deliveries/{delivery}", "", nil, full},
		{"GET", "/api/deliveries/{delivery}", "", stranger, http.StatusUnauthorized},
		{"GET", "/api/webhooks/events", "", stranger, http.StatusOK},
		{"GET", "/api/openapi.yaml", "", stranger, http.StatusOK},
		{"GET", "/healthz", "", stranger, http.StatusOK},
		{"GET", "/readyz", "", stranger, http.StatusOK},
		{"GET", "/metrics", "", stranger, http.StatusOK},
		{"POST", "/api/events", orderPaid, nil, http.StatusAccepted},
		{"DELETE", "/api/webhooks/{webhook}", "", nil, http.StatusOK},
	} {
		got := w.send(t, tt.method, w.fill(tt.path), tt.body, tt.headers)
		require.Equal(t, tt.want, got.status, "%s %s: %s", tt.method, tt.path, got.body)
		if tt.want == full {
			require.Contains(t, got.body, `"code":"UNAVAILABLE"`)
			require.Regexp(t, "^[123]$", got.header.Get("Retry-After"))
		}
	}
	require.Equal(t, 3, w.meter.shed)
	require.Equal(t, 3, strings.Count(w.logs.String(), "level=WARN msg=request"))
	require.NotContains(t, w.logs.String(), "level=ERROR")

	b := newBrowser(w)
	b.signIn(t, w.token(t, w.tenant), http.StatusSeeOther)
	got := b.get(t, "/webhooks")
	require.Equal(t, full, got.status)
	require.Contains(t, got.body, "Too many requests are under way")
	require.Regexp(t, "^[123]$", got.header.Get("Retry-After"))
}

// A weight that no route has would be forgotten where it belongs.
func TestEveryWeightIsOfARoute(t *testing.T) {
	t.Parallel()
	s, err := newServer(validDeps(t))
	require.NoError(t, err)
	rows := append(s.routes(), s.pages()...)
	for path, weight := range readWeights {
		require.Greater(t, weight, int64(ordinaryWeight))
		require.True(t, slices.ContainsFunc(rows, func(row route) bool {
			return row.Method == http.MethodGet && row.Path == path && row.Auth != authPublic
		}), path)
	}
}

// A page of long answers ends early; by its cursors every attempt is read once, and
// none of the pages is longer than it weighs.
func TestPagesOfLongAnswers(t *testing.T) {
	t.Parallel()
	forEachStore(t, func(t *testing.T, store *models.Store) {
		w := newWorld(t, store, "long-answers")
		want := map[string]bool{}
		for i := range 20 {
			want[w.addAnswer(t, w.addEvent(t, w.tenant, 3+i), strings.Repeat("\x01", 64<<10))] = true
		}
		want[w.ids["attempt"]] = true
		seen, pages, cursor := 0, 0, ""
		for {
			got := w.send(t, http.MethodGet, w.fill("/api/webhooks/{webhook}/history?success=true&limit=100&cursor="+cursor), "", nil)
			require.Equal(t, http.StatusOK, got.status, got.body)
			require.Less(t, len(got.body), 2<<20)
			list, next := got.list(t)
			require.NotEmpty(t, list)
			for _, attempt := range list {
				id, _ := attempt["id"].(string)
				require.True(t, want[id], "unknown, or twice: %s", id)
				delete(want, id)
			}
			seen, pages = seen+len(list), pages+1
			if cursor = next; cursor == "" {
				break
			}
		}
		require.Empty(t, want)
		require.Equal(t, 21, seen)
		require.Equal(t, 10, pages, "two on a page")
	})
}

// addAnswer records an attempt that was answered with the body.
func (w *world) addAnswer(t *testing.T, delivery models.Delivery, body string) string {
	t.Helper()
	attempt := &models.Attempt{
		ID: models.NewID(delivery.CreatedAt), StatusCode: new(http.StatusOK), Success: true,
		StartedAt: delivery.CreatedAt, RequestURL: "https://hooks.acme.dev/in", ResponseBody: []byte(body),
	}
	require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: delivery, Step: models.StepDeliver, Attempt: attempt}))
	return attempt.ID
}
