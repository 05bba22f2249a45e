package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"posthaste/errs"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// drip is a body of which so many bytes arrive at each step, until the
// connection's deadline.
type drip struct {
	http.ResponseWriter
	every    time.Duration
	chunk    int
	left     int
	deadline time.Time
}

var errLate = errors.New("the deadline has passed")

// SetReadDeadline is what http.ResponseController looks for.
func (d *drip) SetReadDeadline(at time.Time) error {
	d.deadline = at
	return nil
}

func (d *drip) Close() error { return nil }

func (d *drip) Read(into []byte) (int, error) {
	time.Sleep(d.every) //nolint:forbidigo // the clock is the test's own
	if !d.deadline.IsZero() && time.Now().After(d.deadline) {
		return 0, errLate
	}
	n := copy(into, bytes.Repeat([]byte("x"), min(d.chunk, d.left)))
	if d.left -= n; d.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

func TestBodiesThatDawdleAreCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		patience time.Duration
		chunk    int // bytes in each tenth of a second
		size     int
		want     error
		after    time.Duration
	}{
		{"a byte now and then", bodyPatience, 1, 8 << 20, errLate, bodyGrace},
		{"under the floor", bodyPatience, bodyFloor / 20, 8 << 20, errLate, 8 * time.Second},
		{"slow and small", bodyPatience, 1, 40, nil, 4 * time.Second},
		{"steady", bodyPatience, bodyFloor / 5, 1 << 20, nil, 16100 * time.Millisecond},
		{"steady and endless", bodyPatience, bodyFloor / 5, 8 << 20, errLate, bodyPatience},
		{"a form", formPatience, 4 << 10, 1 << 20, errLate, formPatience},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				body := &drip{ResponseWriter: httptest.NewRecorder(), every: 100 * time.Millisecond, chunk: tt.chunk, left: tt.size}
				c, _ := gin.CreateTestContext(body)
				c.Request = httptest.NewRequest(http.MethodPost, "/", body)
				began := time.Now()
				err := hurried(tt.patience, func(c *gin.Context) error {
					_, err := io.Copy(io.Discard, c.Request.Body)
					return err
				})(c)
				require.ErrorIs(t, err, tt.want)
				require.InDelta(t, tt.after.Seconds(), time.Since(began).Seconds(), 1)
				if tt.want == nil {
					require.Zero(t, body.deadline, "nothing ends the request later")
				}
			})
		})
	}
}

// The same over a connection: who dawdles is cut, and whose body is there has no
// deadline any more.
func TestHurriedBodiesOverAConnection(t *testing.T) {
	t.Parallel()
	const patience = 300 * time.Millisecond
	quietGin()
	router := gin.New()
	router.POST("/", handle(hurried(patience, func(c *gin.Context) error {
		if _, err := io.ReadAll(c.Request.Body); err != nil {
			return errs.Wrap(err, errs.Invalid, "cut")
		}
		select {
		case <-c.Request.Context().Done():
			return c.Request.Context().Err()
		case <-time.After(2 * patience):
			return respond(c, http.StatusOK, nil)
		}
	})))
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	never, write := io.Pipe()
	t.Cleanup(func() { require.NoError(t, write.Close()) })
	for _, tt := range []struct {
		body io.Reader
		want int
	}{
		{strings.NewReader("whole"), http.StatusOK},
		{io.MultiReader(strings.NewReader("part"), never), http.StatusBadRequest},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, tt.body)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, tt.want, response.StatusCode)
	}
}
